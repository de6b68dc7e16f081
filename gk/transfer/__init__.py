"""Moving mail in and out: Maildirs, mboxes and IMAP accounts as sources and targets.

- It runs in the command, not in the server: blocking, and with the rights of whoever called it. The server never opens
  a file of a user's, the command never opens one of the server's; between them go actions.
- A source says what its folders are and yields their messages one by one; what cannot be had is yielded as a `Missed`,
  never an exception.
- A message is its bytes with CRLF line ends, flags as IMAP words, and an internal date.
- Symbolic links inside a source are never followed: root imports a user's Maildir, not what the user points at.
- Whatever was stopped is done again: what is there already is skipped.
"""
