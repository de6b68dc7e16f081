"""Strings of a script: encoded characters (RFC 5228 §2.4.2.4) and variables in them (RFC 5229 §3)."""

import re

from gk.sieve.errors import SieveError
from gk.sieve.parser import Piece
from gk.sieve.run import Run

LONGEST = 64 << 10  # characters of a string with its variables filled in
MATCHES = 32  # match variables; RFC 5229 §3.2 asks for ten

_ENCODED = re.compile(
    r"\$\{hex:[ \t\r\n]*+([0-9a-f]{2}(?:[ \t\r\n]++[0-9a-f]{2})*+)[ \t\r\n]*+\}"
    r"|\$\{unicode:[ \t\r\n]*+([0-9a-f]++(?:[ \t\r\n]++[0-9a-f]++)*+)[ \t\r\n]*+\}",
    re.IGNORECASE,
)
_VARIABLE = re.compile(r"\$\{(?:([A-Za-z_][A-Za-z0-9_]*+)((?:\.[A-Za-z0-9_]++)*+)|([0-9]++))\}", re.ASCII)
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*+", re.ASCII)


class Text:
    """A string argument: `constant` where nothing in it varies."""

    __slots__ = ("_parts", "constant", "piece")

    def __init__(self, piece: Piece, parts: "list[str | int | tuple[str]]") -> None:
        self.piece = piece
        self._parts = parts  # text, the number of a match variable, or the name of a variable
        self.constant = "".join(map(str, parts)) if all(isinstance(part, str) for part in parts) else None

    def of(self, run: Run) -> str:
        """The string, at most 64 Ki characters of it."""
        if self.constant is not None:
            return self.constant
        run.spend(len(self._parts))
        out: list[str] = []
        left = LONGEST
        for part in self._parts:
            if isinstance(part, str):
                text = part
            elif isinstance(part, int):
                text = run.matches[part] if part < len(run.matches) else ""
            else:
                text = run.variables.get(part[0], "")
            out.append(text[:left])
            left -= len(out[-1])
        return "".join(out)


def decode_characters(piece: Piece) -> Piece:
    """The string with its ${hex:…} and ${unicode:…} replaced; raises SieveError."""
    if "${" not in piece.text:
        return piece

    def octets(found: "re.Match[str]") -> str:
        if found[1] is not None:
            return bytes.fromhex(found[1]).decode("utf-8", "surrogateescape")
        return "".join(map(character, found[2].split()))

    def character(digits: str) -> str:
        digits = digits.lstrip("0") or "0"
        code = int(digits, 16) if len(digits) <= 6 else 0x110000
        if code > 0x10FFFF or 0xD800 <= code < 0xE000 or code == 0:
            raise SieveError(piece.place, f"there is no character {digits.upper()}")
        return chr(code)

    try:
        # Octets given one by one may be one character together.
        text = _ENCODED.sub(octets, piece.text).encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeDecodeError:
        raise SieveError(piece.place, "the octets of ${hex:} are not UTF-8") from None
    if "\0" in text:
        raise SieveError(piece.place, "a NUL is not allowed")
    return Piece(text, piece.place)


def split_variables(piece: Piece) -> "list[str | int | tuple[str]]":
    """The parts of a string with variables; raises SieveError for what names none (RFC 5229 §3)."""
    parts: list[str | int | tuple[str]] = []
    at = 0
    for found in _VARIABLE.finditer(piece.text):
        if found[2]:
            raise SieveError(piece.place, f'there is no variable namespace "{found[1]}"')
        if found.start() > at:
            parts.append(piece.text[at : found.start()])
        name = found[1]
        if name is None:
            digits = found[3].lstrip("0") or "0"
            number = int(digits) if len(digits) <= 4 else MATCHES
            if number >= MATCHES:
                raise SieveError(piece.place, f"there are at most {MATCHES} match variables")
            parts.append(number)
        else:
            parts.append((name.lower(),))
        at = found.end()
    if at < len(piece.text) or not parts:
        parts.append(piece.text[at:])
    return parts
