"""What a server sends, cut into answers (RFC 3501 §2.2.2, §4.3): pure, in any pieces, in linear time, and bounded.

It stands in for the reader of aioimaplib, which calls itself for every line and takes any number of octets.
"""

import re

from gk.transfer.answers import BadAnswer, Piece

LINE = 64 << 10  # octets of a line; a SEARCH of a large mailbox is one line, so it may be granted more
ANSWERS = 20_000  # of one grant
_LITERAL = re.compile(rb"~?\{(\d{1,10})\+?\}\Z")

Answer = tuple[Piece, ...]


class Reader:
    """`grant` says how much may come until the next grant, `feed` gives the answers that are complete.

    An answer is its pieces, without the CRLF of its last line: text, or (text up to a literal, the literal).
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0  # octets of it without a line end
        self._pieces: list[Piece] = []
        self._text = b""  # before the literal
        self._missing: int | None = None  # octets of the literal that is being read
        self.grant(LINE)

    def grant(self, octets: int, line: int = LINE, answers: int = ANSWERS) -> None:
        """From now on so much may come, and a line may be so long."""
        self._left, self._line, self._answers = octets, line, answers

    def feed(self, data: bytes) -> list[Answer]:
        """Take what came. Raises BadAnswer, after which nothing more is to be fed."""
        self._left -= len(data)
        if self._left < 0:
            raise BadAnswer("the server sends more than was asked for")
        self._buffer += data
        found: list[Answer] = []
        start = 0
        while True:
            if self._missing is not None:
                if len(self._buffer) - start < self._missing:
                    break
                literal = bytes(memoryview(self._buffer)[start : start + self._missing])
                start, self._missing = start + self._missing, None
                self._pieces.append((self._text, literal))
                self._searched = start
            end = self._buffer.find(b"\n", max(start, self._searched))
            if (len(self._buffer) if end < 0 else end) - start > self._line:
                raise BadAnswer("the server sends a line that is too long")
            if end < 0:
                self._searched = len(self._buffer)
                break
            line = bytes(memoryview(self._buffer)[start:end])
            start = self._searched = end + 1
            if answer := self._ended(line.removesuffix(b"\r")):
                found.append(answer)
        del self._buffer[:start]
        self._searched -= start
        return found

    def _ended(self, line: bytes) -> Answer | None:
        """A line was read; the answer, where it ends one."""
        if b"\0" in line:
            raise BadAnswer("the server sends a NUL outside of a literal")
        if literal := _LITERAL.search(line):
            if int(literal[1]) > self._left + len(self._buffer):
                raise BadAnswer("the server announces more than was asked for")
            self._text, self._missing = line, int(literal[1])
            return None
        answer = (*self._pieces, line)
        self._pieces = []
        if answer == (b"",):
            return None
        self._answers -= 1
        if self._answers < 0:
            raise BadAnswer("the server sends more answers than there can be")
        return answer
