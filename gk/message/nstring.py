"""IMAP nstring and string rendering (RFC 3501 section 9, `nstring`, `string`, `literal`)."""

# TEXT-CHAR without quoted-specials (RFC 3501 section 9); anything else goes out as a literal.
_QUOTABLE = bytes(c for c in range(0x01, 0x80) if c not in b'"\\\r\n')


def quote(value: bytes | None) -> bytes:
    """`value` as an IMAP nstring: NIL, a quoted string, or a literal where a quoted string may not hold it.

    Literals are `{octets}CRLF` and the octets; NUL, which no IMAP string may carry, becomes 0x80.
    """
    if value is None:
        return b"NIL"
    if not value.translate(None, _QUOTABLE):
        return b'"' + value + b'"'
    if b"\0" in value:
        value = value.replace(b"\0", b"\x80")
    return b"{%d}\r\n%b" % (len(value), value)
