"""Flags and keywords: setflag, addflag, removeflag, hasflag (RFC 5232)."""

from collections.abc import Callable, Iterable, Sequence

from gk.sieve.compilation import Compilation
from gk.sieve.errors import SieveError
from gk.sieve.grammar import MATCH, STRINGS, Action, Bound, Test, command, test
from gk.sieve.parser import Piece
from gk.sieve.run import Run
from gk.sieve.strings import IDENTIFIER, Text
from gk.sieve.words.variables import LONGEST

FLAGS = 100  # of one message
FLAG = 64  # characters of one, as IMAP clients may set

_SYSTEM = {
    name.lower(): name
    for name in ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")
}  # fmt: skip
_SHAPES = ((STRINGS,), (STRINGS, STRINGS))
_ATOM = frozenset(map(chr, range(33, 127))) - set('(){%*"\\]')


def flag_words(run: Run, texts: Iterable[Text]) -> tuple[str, ...]:
    """The flags of a list whose strings may hold several, each once (RFC 5232 §2); what is no flag is left out."""
    return words(text.of(run) for text in texts)


def words(texts: Iterable[str]) -> tuple[str, ...]:
    """The same of texts at hand; case does not tell flags apart."""
    found: dict[str, str] = {}
    for text in texts:
        for word in text.split():
            known = _SYSTEM.get(word.lower())
            if known is None and not (word.isascii() and _ATOM.issuperset(word) and len(word) <= FLAG):
                continue  # RFC 5232 §2: what the server cannot store it ignores
            found.setdefault(word.lower(), known or word)
            if len(found) >= FLAGS:
                return tuple(found.values())
    return tuple(found.values())


def _operands(unit: Compilation, bound: Bound) -> tuple[str | None, tuple[Text, ...]]:
    """(name of the variable, None for the internal one; the flags)."""
    if len(bound.values) == 1:
        return None, unit.texts(bound.strings(0))
    return variable(unit, bound.strings(0)[0], bound), unit.texts(bound.strings(1))


def variable(unit: Compilation, piece: Piece, bound: Bound) -> str:
    """A variable that holds flags; raises SieveError."""
    unit.needs(piece.place, f"the name of a variable in {bound.node.name}", ["variables"])
    name = unit.constant(piece, "the name of a variable")
    if not IDENTIFIER.fullmatch(name):
        raise SieveError(piece.place, f'"{name}" is no name of a variable')
    return unit.variable(name.lower(), piece.place)


def _get(run: Run, name: str | None) -> tuple[str, ...]:
    return run.flags if name is None else words([run.variables.get(name, "")])


def _set(run: Run, name: str | None, flags: tuple[str, ...]) -> None:
    if name is None:
        run.flags = flags
    else:
        run.variables[name] = " ".join(flags)[:LONGEST]


def _changing(
    change: Callable[[Sequence[str], Sequence[str]], Sequence[str]],
) -> Callable[[Compilation, Bound], Action]:
    def build(unit: Compilation, bound: Bound) -> Action:
        name, texts = _operands(unit, bound)

        def act(run: Run) -> None:
            run.spend(len(texts))
            _set(run, name, tuple(change(_get(run, name), flag_words(run, texts))))

        return act

    return build


def _without(flags: Sequence[str], gone: Sequence[str]) -> list[str]:
    folded = {flag.lower() for flag in gone}
    return [flag for flag in flags if flag.lower() not in folded]


command("setflag", *_SHAPES, needs="imap4flags")(_changing(lambda flags, given: given))
command("addflag", *_SHAPES, needs="imap4flags")(_changing(lambda flags, given: words([*flags, *given])))
command("removeflag", *_SHAPES, needs="imap4flags")(_changing(_without))


@test("hasflag", *_SHAPES, tags=MATCH, needs="imap4flags")
def hasflag(unit: Compilation, bound: Bound) -> Test:
    """Whether a flag matches (RFC 5232 §4)."""
    names: list[str | None] = [None]
    if len(bound.values) == 2:
        names = [variable(unit, piece, bound) for piece in bound.strings(0)]
    # A key may name several flags (RFC 5232 §2).
    keys = [Piece(word, key.place) for key in bound.strings(-1) for word in key.text.split() or [""]]
    matcher = unit.matcher(bound, keys)
    return lambda run: matcher.holds(run, [flag for name in names for flag in _get(run, name)])
