"""The truth on disk: SQLite is the index and the journal, Maildir is the resting place.

- One process owns the data directory (flock) and one connection writes; readers are `query_only`.
- What is answered `250` or `OK` was committed and synced first; only then it is published.
- Rows are the truth, every file operation follows its commit; a file nobody knows is never adopted.
- A message's content is in the journal, in spool/ or in a Maildir file; readers look in that order.
- After an I/O error nothing more is written until a restart; the same sync is never tried twice.
"""
