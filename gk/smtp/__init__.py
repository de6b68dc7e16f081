"""The SMTP server (RFC 5321) on aiosmtpd: mail from other servers, and mail from users.

- `content` and `extensions` do no I/O: bytes in, values out. `connection` is the wire and its clocks, `session` the
  commands, `roles` who may do what, `server` what all connections of a listener share.
- Only CRLF ends a line and only CRLF.CRLF a message; a bare CR or LF refuses the command or the message it is in.
- Nothing a client sent before TLS is acted on after it.
- 250 after the content leaves when the store's commit is synced, and a client that hangs up cancels nothing.
- Every reply of class 2, 4 and 5 but the greetings carries an enhanced code (RFC 2034); texts name no address.
"""
