"""Messages as bytes: what is in them, where, and how to make them (RFC 5322, RFC 2045-2049, RFC 3501 section 7.4.2).

- Nothing here waits, opens a file or knows another room of GK: bytes in, values out.
- Offsets count octets of the message as stored; nothing is decoded to find a part, and no part is copied to be shown.
- Readers take any bytes: they never raise on what a stranger wrote, never recurse by its depth and never look at one
  octet more than a bounded number of times. What is past a limit is shown raw.
- Writers refuse what could end a line: CR, LF, NUL and their like never reach a header.
- The standard library's `email` package reads nothing here.
"""
