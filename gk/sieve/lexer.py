"""The tokens of a script (RFC 5228 §8.1)."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from gk.sieve.errors import Place, SieveError

MOST = (1 << 63) - 1  # of a number; RFC 5228 §2.4.1 asks for 2^31 - 1
UNITS = {"k": 10, "m": 20, "g": 30}

NAME, TAG, NUMBER, STRING, MARK, END = "name", "tag", "number", "string", "mark", "end"

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\n]++|\#[^\n]*+)
      | /\*(?P<comment>(?:[^*]++|\*(?!/))*+)(?P<closed>\*/)?+
      | text:[ \t]*+(?:\#[^\n]*+)?+\n(?P<lines>(?:(?!\.\n|\.\Z)[^\n]*+\n)*+)(?P<dot>\.(?:\n|\Z))?+
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*+)
      | :(?P<tag>[A-Za-z_][A-Za-z0-9_]*+)
      | (?P<number>[0-9]++)(?P<unit>[KMG]?+)(?![A-Za-z0-9_])
      | "(?P<string>(?:[^"\\]++|\\.)*+)(?P<quote>"?+)
      | (?P<mark>[;,(){}\[\]])""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL | re.ASCII,
)
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_STUFFED = re.compile(r"^\.", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind, its value (a name or tag in lower case, a number in decimal), and where it stands."""

    kind: str
    value: str
    start: int
    end: int


class Source:
    """The text of a script, with LF line ends, and the places in it."""

    def __init__(self, raw: bytes) -> None:
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            before = raw[: error.start]
            column = error.start - (before.rfind(b"\n") + 1) + 1
            raise SieveError(Place(before.count(b"\n") + 1, column), "the script is not UTF-8") from None
        self.text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        self._lines = [0, *(found.end() for found in re.finditer("\n", self.text))]
        if (nul := self.text.find("\0")) >= 0:
            raise SieveError(self.place(nul), "a NUL is not allowed")  # RFC 5228 §2.2

    def place(self, at: int) -> Place:
        """Line and column of a character."""
        line = bisect_right(self._lines, at)
        return Place(line, at - self._lines[line - 1] + 1)


def tokens(source: Source) -> Iterator[Token]:
    """The tokens in order, the last of kind END; raises SieveError when it reaches what is none."""
    text, at = source.text, 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            what = "a number with letters behind it" if text[at].isdigit() else f"unexpected {text[at]!a}"
            raise SieveError(source.place(at), what)
        end = found.end()
        token = _token(source, found, at, end)
        if token is not None:
            yield token
        at = end
    yield Token(END, "", at, at)


def _token(source: Source, found: "re.Match[str]", at: int, end: int) -> Token | None:
    match found.lastgroup:
        case "blank" | "closed":
            return None
        case "comment":
            raise SieveError(source.place(at), "this comment does not end")
        case "name" | "tag":
            return Token(NAME if found.lastgroup == "name" else TAG, found[found.lastgroup].lower(), at, end)
        case "unit":
            digits = found["number"].lstrip("0") or "0"
            number = int(digits) << UNITS.get(found["unit"].lower(), 0) if len(digits) < 20 else MOST + 1
            if number > MOST:
                raise SieveError(source.place(at), "this number is too large")
            return Token(NUMBER, str(number), at, end)
        case "quote" if found["quote"]:
            return Token(STRING, _PAIR.sub(r"\1", found["string"]).replace("\n", "\r\n"), at, end)
        case "quote" | "string":
            raise SieveError(source.place(at), "this string does not end")
        case "dot":
            return Token(STRING, _STUFFED.sub("", found["lines"]).replace("\n", "\r\n"), at, end)
        case "lines":
            raise SieveError(source.place(at), "this text does not end: a line with a single dot is missing")
    return Token(MARK, found[0], at, end)
