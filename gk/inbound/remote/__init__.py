"""Mailboxes users have elsewhere, in step with a mailbox here: watched by IMAP, answered by their own SMTP server.

- The server there is believed nothing: what it may send is bounded before it is read, and any bytes are an answer or an
  error of ours.
- A message is taken in once, with the row that knows it again, in one commit; a stop leaves neither a copy nor a gap.
- What changed here goes there first, then what changed there comes here; each side is told only what changed.
- Nothing is deleted there before it is seen there to be the same message; what vanishes there goes to Trash here.
- One account that fails waits longer each time, and no other waits for it.
"""
