"""Variables: set, and the string test (RFC 5229 §4, §5)."""

from collections.abc import Callable

from gk.sieve.compilation import Compilation
from gk.sieve.errors import SieveError
from gk.sieve.grammar import MATCH, STRING, STRINGS, Action, Bound, Tag, Test, command, test
from gk.sieve.run import Run
from gk.sieve.strings import IDENTIFIER
from gk.sieve.wildcard import quoted

LONGEST = 4096  # characters of a value; RFC 5229 §6

# By falling precedence (RFC 5229 §4.1); of one precedence a `set` takes one.
_MODIFIERS: dict[str, tuple[int, Callable[[str], str]]] = {
    "lower": (40, str.lower),
    "upper": (40, str.upper),
    "lowerfirst": (30, lambda text: text[:1].lower() + text[1:]),
    "upperfirst": (30, lambda text: text[:1].upper() + text[1:]),
    "quotewildcard": (20, quoted),
    "length": (10, lambda text: str(len(text))),
}
_TAGS = {name: Tag(f"modifier {precedence}") for name, (precedence, _) in _MODIFIERS.items()}


@command("set", (STRING, STRING), tags=_TAGS, needs="variables")
def set_(unit: Compilation, bound: Bound) -> Action:
    """Give a variable a value, cut at 4,096 characters."""
    piece = bound.string(0)
    name = unit.constant(piece, "the name of a variable").lower()
    if not IDENTIFIER.fullmatch(name):
        raise SieveError(piece.place, f'"{name}" is no name of a variable that can be set')
    unit.variable(name, piece.place)
    value = unit.text(bound.string(1))
    modifiers = [_MODIFIERS[tag] for tag, _, _ in bound.tags.values()]
    modifiers.sort(key=lambda modifier: -modifier[0])

    def act(run: Run) -> None:
        text = value.of(run)[:LONGEST]
        for _, modify in modifiers:
            text = modify(text)
        run.spend(1 + len(text) // 1024)
        run.variables[name] = text[:LONGEST]

    return act


@test("string", (STRINGS, STRINGS), tags=MATCH, needs="variables")
def string(unit: Compilation, bound: Bound) -> Test:
    """Whether a string matches; of :count, how many are not empty (RFC 5229 §5)."""
    sources = unit.texts(bound.strings(0))
    matcher, counting = unit.matcher(bound, bound.strings(1)), bound.tag("match") == "count"

    def holds(run: Run) -> bool:
        values = [source.of(run) for source in sources]
        return matcher.holds(run, [value for value in values if value] if counting else values)

    return holds
