"""Sieve: what a user's script makes of a message (RFC 5228 and the extensions named in `words.EXTENSIONS`).

- Nothing here waits, opens a file or knows another room of GK but `message`: a script and a mail go in, an outcome
  comes out. What a script cannot know (the clock, mailboxes, earlier messages) its surroundings answer.
- `script.compile` refuses with a line, a column and words; a compiled script runs any number of times.
- A program is a flat list of steps: neither parsing, compiling nor running recurses by the depth of a script.
- Sieve has no loops; every step, comparison and expansion is charged to a budget all the same.
- A script that fails at run time has done nothing: the outcome holds the error, and the message is kept.
"""
