"""What is known while a script is compiled: its extensions, its variables, and how its strings are to be read."""

from collections.abc import Sequence

from gk.sieve.comparators import CASEMAP, COMPARATORS
from gk.sieve.errors import Place, SieveError
from gk.sieve.grammar import Bound
from gk.sieve.matching import RELATIONS, Matcher
from gk.sieve.parser import Piece
from gk.sieve.strings import Text, decode_characters, split_variables

VARIABLES = 128  # of a script; RFC 5229 §6


class Compilation:
    """One script on its way; `required` are the extensions it asked for."""

    def __init__(self) -> None:
        self.required: set[str] = set()
        self.variables: set[str] = set()
        self.looks_at_body = self.asks_verdict = False

    def needs(self, place: Place, what: str, extensions: Sequence[str]) -> None:
        """Raise SieveError unless one of the extensions was required (RFC 5228 §3.2)."""
        if extensions and not self.required.intersection(extensions):
            raise SieveError(place, f'{what} needs require "{extensions[0]}"')

    def text(self, piece: Piece) -> Text:
        """A string, its encoded characters and variables understood where they were required."""
        if "encoded-character" in self.required:
            piece = decode_characters(piece)
        if "variables" in self.required and "${" in piece.text:
            return Text(piece, split_variables(piece))
        return Text(piece, [piece.text])

    def texts(self, pieces: Sequence[Piece]) -> tuple[Text, ...]:
        return tuple(map(self.text, pieces))

    def constant(self, piece: Piece, what: str) -> str:
        """A string that must not vary."""
        text = self.text(piece).constant
        if text is None:
            raise SieveError(piece.place, f"{what} cannot hold variables")
        return text

    def variable(self, name: str, place: Place) -> str:
        """Count a variable that is set."""
        self.variables.add(name)
        if len(self.variables) > VARIABLES:
            raise SieveError(place, f"more than {VARIABLES} variables")
        return name

    def matcher(self, bound: Bound, keys: Sequence[Piece], *, remember: bool = True) -> Matcher:
        """The match type, comparator and keys of a test (RFC 5228 §2.7)."""
        kind = bound.tag("match") or "is"
        comparator = CASEMAP
        named = bound.tagged("comparator")
        if named is not None:
            name = self.constant(named, "the name of a comparator").lower()
            if name not in COMPARATORS:
                raise SieveError(named.place, f'there is no comparator "{name}"')
            comparator = COMPARATORS[name]
            if name == "i;ascii-numeric":
                self.needs(named.place, "this comparator", ["comparator-i;ascii-numeric"])
        if kind in ("contains", "matches") and not comparator.parts:
            raise SieveError(bound.place, f"{comparator.name} cannot look for parts of a text (:{kind})")
        relation = ""
        if kind in ("value", "count"):
            piece = bound.tagged("match")
            assert piece is not None
            relation = self.constant(piece, "a relation").lower()
            if relation not in RELATIONS:
                raise SieveError(piece.place, f'there is no relation "{relation}"')
        return Matcher(kind, comparator, self.texts(keys), relation, remember and "variables" in self.required)
