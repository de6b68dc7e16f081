"""The full-text search index: search.db, which may be deleted at any time.

- A child process fills it after the commit; what it has not reached yet is scanned, so answers are right at once.
- A document is one message of one account; a question never looks outside the rows of its account.
- Trigrams give candidates, more than the hits and never fewer; the stored folded text decides.
- Damage, another database's identity or another version: the file is deleted and filled again.
"""
