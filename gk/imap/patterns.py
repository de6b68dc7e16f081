"""Mailbox patterns of LIST and LSUB (RFC 3501 §6.3.8): `*` is anything, `%` anything within one level.

A pattern is matched in one pass over the name, all its positions at once as bits of a number: no pattern is slow.
"""

import re

from gk.imap.grammar import BadMailboxName
from gk.message import utf7

LONGEST = 8192  # bytes; no name is longer than twenty levels of 255

_STARS = re.compile(r"[*%]*\*[*%]*")
_PERCENTS = re.compile(r"%+")


class Pattern:
    """A reference and a pattern, as they stand on the wire."""

    __slots__ = ("_end", "_letters", "_levels", "_stars")

    def __init__(self, reference: bytes, pattern: bytes, *, utf8: bool = False) -> None:
        if len(reference) + len(pattern) > LONGEST:
            raise BadMailboxName("no mailbox has a name as long as that pattern")
        text = _PERCENTS.sub("%", _STARS.sub("*", _encoded(reference + pattern, utf8)))
        if text[:5].upper() == "INBOX" and text[5:6] in ("", "/", "*", "%"):
            text = "INBOX" + text[5:]
        self._letters: dict[str, int] = {}
        self._stars = self._levels = 0
        for place, letter in enumerate(text):
            if letter == "*":
                self._stars |= 1 << place
            elif letter == "%":
                self._levels |= 1 << place
            else:
                self._letters[letter] = self._letters.get(letter, 0) | 1 << place
        self._end = 1 << len(text)

    def matches(self, name: str) -> bool:
        """Whether a mailbox name (decoded) matches."""
        wild = self._stars | self._levels
        states = 1
        states |= (states & wild) << 1
        for letter in utf7.encode(name):
            stay = states & (self._stars if letter == 47 else wild)
            states = (states & self._letters.get(chr(letter), 0)) << 1 | stay
            if not states:
                return False
            states |= (states & wild) << 1
        return bool(states & self._end)


def _encoded(text: bytes, utf8: bool) -> str:
    if text.isascii() and not (utf8 and b"&" in text):
        return text.decode()
    try:
        return utf7.encode(text.decode()).decode()
    except (UnicodeDecodeError, utf7.BadEncoding):
        raise BadMailboxName("the pattern is neither modified UTF-7 nor UTF-8") from None
