"""The tree of parts of one message (RFC 2045, RFC 2046), as byte offsets and what each header says of its content."""

from dataclasses import dataclass, field

from gk.message.header import Params

ASCII: Params = ((b"charset", b"us-ascii"),)  # RFC 2045 section 5.2


@dataclass(slots=True)
class Part:
    """One entity of a message.

    `start` is the first byte of its header, `body` the first byte of its content, `end` the byte behind its content
    (the line end before a boundary belongs to the boundary). Types, encoding, disposition and parameter names are in
    lower case; parameter values are as sent, unquoted, in RFC 2231 pieces where they came in pieces.
    `lines` counts the LFs of the body where IMAP shows them, in text and in embedded messages, and is 0 elsewhere.
    `children` are the parts of a multipart, or the one message inside a message/rfc822 or message/global.
    `fields` is None but for messages: their unfolded ENVELOPE fields and references by lower-case name, and under
    `received` how many Received fields there are.
    """

    start: int
    body: int
    end: int
    type: bytes = b"text"
    subtype: bytes = b"plain"
    params: Params = ASCII
    encoding: bytes = b"7bit"
    lines: int = 0
    children: list["Part"] = field(default_factory=list)
    fields: dict[bytes, bytes] | None = None
    disposition: bytes | None = None
    disposition_params: Params = ()
    id: bytes | None = None
    description: bytes | None = None
    language: tuple[bytes, ...] = ()
    location: bytes | None = None
    md5: bytes | None = None

    @property
    def is_multipart(self) -> bool:
        """Whether the content is a list of parts."""
        return self.type == b"multipart"

    @property
    def is_message(self) -> bool:
        """Whether the content is a message (RFC 2046 section 5.2.1, RFC 6532 section 3.7)."""
        return self.type == b"message" and self.subtype in (b"rfc822", b"global")
