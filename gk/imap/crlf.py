"""Line ends of messages that clients store: a bare LF becomes CRLF, everything else stays."""

import re

_BARE = re.compile(rb"(?<!\r)\n")


class Normal:
    """Makes the line ends of a message that comes in pieces; the same whatever the pieces are."""

    __slots__ = ("_after_cr",)

    def __init__(self) -> None:
        self._after_cr = False  # the last piece ended in CR

    def __call__(self, piece: bytes) -> bytes:
        if not piece:
            return piece
        joined = self._after_cr and piece.startswith(b"\n")
        self._after_cr = piece.endswith(b"\r")
        if piece.count(b"\n") == piece.count(b"\r\n") + joined:
            return piece
        if joined:
            return b"\n" + _BARE.sub(b"\r\n", piece[1:])
        return _BARE.sub(b"\r\n", piece)
