"""ManageSieve (RFC 5804): users' programs put Sieve scripts where they take effect.

- `wire` turns bytes into commands without a socket; what is too long is known before it is read.
- A script is compiled before it is kept: what `store.scripts` holds runs.
- Logins are those of IMAP: the same names, passwords, delays and limits.
"""
