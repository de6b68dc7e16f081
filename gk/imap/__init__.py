"""The IMAP server (RFC 3501 and extensions).

- `wire`, `grammar`, `fetch_items`, `search_keys`, `reply`, `session` and `view`
  do no I/O: bytes in, values out.
- What a client was told is its `View`; it learns of expunged messages only where RFC 3501 §7.4.1 allows it.
- A tagged OK of a command that changes mail leaves after the store's synced commit.
- Every bound on what a client sends is counted before anything is parsed.
- A command is one file in `commands/`; capabilities are what the registered commands announce.
"""
