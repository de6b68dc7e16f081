"""The content of a message as it arrives: where it ends, and whether its lines are lines (RFC 5321 §2.3.8, §4.5.2).

No I/O here. However the bytes are cut into pieces, the result is the same.
"""

END = b"\r\n.\r\n"
PIECE = 64 << 10  # bytes that must be there before an unfinished message is taken out of the buffer
_OTHERS = bytes(set(range(256)) - {0, 10, 13})


class Dots:
    """Takes the content of DATA out of the buffer it arrives in, dot-stuffing undone; only CRLF.CRLF ends it.

    The CRLF of the DATA line counts as the first half of that end: it is put back in front of the buffer. Pieces are
    cut in front of a CRLF or inside a line, so that no `CRLF.` is cut in two.
    """

    def __init__(self, buffer: bytearray) -> None:
        self._buffer = buffer
        self._searched = 0
        self._begun = self._stuffed = False
        self.done = False
        buffer[:0] = b"\r\n"

    def take(self) -> bytes:
        """The next piece; empty while too little has arrived, or when `done`."""
        buffer = self._buffer
        # Without a dot there is no end and no stuffing, and base64 has none: one byte is found faster than three.
        dot = buffer.find(b".", self._searched)
        if dot >= 0:
            dot = buffer.find(b"\r\n.", max(self._searched, dot - 2))
        end = buffer.find(END, dot) if dot >= 0 else -1
        self._stuffed |= dot != end
        if end >= 0:
            self.done = True
            cut, gone = end + 2, end + 5
        else:
            self._searched = max(0, len(buffer) - 4)
            if len(buffer) < PIECE:
                return b""
            cut = buffer.rfind(b"\r\n", 1, self._searched)
            if cut < 0:  # inside a line, then, but never between CR and LF
                cut = self._searched - (buffer[self._searched - 1] == 13)
            self._searched -= cut
            gone = cut
        with memoryview(buffer) as view:
            piece = bytes(view[:cut])  # one copy; a slice of the bytearray would be a second, and a slow one
        del buffer[:gone]
        if self._stuffed:
            piece = piece.replace(b"\r\n.", b"\r\n")
        if not self._begun:
            self._begun = True
            piece = piece[2:]
        return piece


class Lines:
    """Watches the lines of a message: CRLF ends each, no NUL, none longer than the limit."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._carry = False  # whether the last byte was a CR
        self._open = 0  # bytes of the line that has not ended
        self.fault: str | None = None  # the reply this content deserves

    def feed(self, data: bytes) -> None:
        """Look at the next piece."""
        if self.fault or not data:
            return
        ends = data.translate(None, _OTHERS)
        if self._carry:
            ends = b"\r" + ends
        lines, half = divmod(len(ends), 2)
        begun, self._carry = self._carry, data[-1] == 13
        if half != self._carry or ends != b"\r\n" * lines + b"\r" * half or not _adjacent(data, lines, begun):
            self.fault = "550 5.6.11 Bare CR or LF, or NUL, in the message"
        elif self._open + len(data) > self._longest and self._too_long(data):
            self.fault = "500 5.5.2 A line of the message is too long"
        else:
            self._open = len(data) - data.rfind(b"\n") - 1 if b"\n" in data else self._open + len(data)

    def end(self) -> None:
        """The content is complete: a CR at its very end is a bare one."""
        if self._carry and not self.fault:
            self.fault = "550 5.6.11 Bare CR or LF, or NUL, in the message"

    @property
    def complete(self) -> bool:
        """Whether the last line has its CRLF."""
        return self._open == 0

    def _too_long(self, data: bytes) -> bool:
        limit = self._longest
        at = data.find(b"\n")
        if at < 0 or self._open + at > limit:
            return True
        while len(data) - at - 1 > limit:
            following = data.rfind(b"\n", at + 1, at + limit + 2)
            if following < 0:
                return True
            at = following
        return False


def _adjacent(data: bytes, lines: int, begun: bool) -> bool:
    """Whether the CR and the LF of each line, known to alternate, stand side by side. `begun`: the first CR came
    in the piece before.

    Counting CRLFs is what takes longest here. Lines of one length, as in base64, need two strides instead.
    """
    first = data.find(b"\n")
    length = data.find(b"\n", first + 1) - first
    if first > 0 and length > 1 and not begun:
        feeds = data[first::length]
        if len(feeds) == lines and feeds == b"\n" * lines and data[first - 1 :: length][:lines] == b"\r" * lines:
            return True
    return data.count(b"\r\n") + (begun and data[0] == 10) == lines
