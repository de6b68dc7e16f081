"""Long tests against the real server, judged by a ledger that the clients keep: what was acknowledged must be there."""
