"""What commands and tests look like: their names, tags and arguments (RFC 5228 §2.6, §2.7), and how they are read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from gk.sieve.errors import Place, SieveError
from gk.sieve.parser import Node, Number, Piece, Strings, Tagged

if TYPE_CHECKING:
    from gk.sieve.compilation import Compilation
    from gk.sieve.run import Run

NUMBER, STRING, STRINGS = "a number", "a string", "a list of strings"

Value: TypeAlias = int | Piece | tuple[Piece, ...] | None
Test: TypeAlias = "Callable[[Run], bool]"
Action: TypeAlias = "Callable[[Run], None]"


@dataclass(frozen=True, slots=True)
class Tag:
    """A tagged argument: of tags in one group a command takes one; `kind` is what must follow it."""

    group: str
    kind: str = ""
    needs: str = ""


Tags: TypeAlias = dict[str, Tag]

MATCH: Tags = {
    "is": Tag("match"),
    "contains": Tag("match"),
    "matches": Tag("match"),
    "value": Tag("match", STRING, "relational"),
    "count": Tag("match", STRING, "relational"),
    "comparator": Tag("comparator", STRING),
}
PART: Tags = {
    "all": Tag("part"),
    "localpart": Tag("part"),
    "domain": Tag("part"),
    "user": Tag("part", needs="subaddress"),
    "detail": Tag("part", needs="subaddress"),
}
INDEX: Tags = {"index": Tag("index", NUMBER, "index"), "last": Tag("last", needs="index")}


@dataclass(frozen=True, slots=True)
class Word:
    """A command or test that can be written: `shapes` are the kinds of positional arguments it may have."""

    name: str
    needs: tuple[str, ...]  # one of these extensions, none where it is of the base
    shapes: tuple[tuple[str, ...], ...]
    tags: Tags
    build: "Callable[[Compilation, Bound], Any]"


@dataclass(frozen=True, slots=True)
class Bound:
    """The arguments of one command or test, each in its place."""

    node: Node
    tags: dict[str, tuple[str, Value, Place]]
    values: tuple[Value, ...] = field(default=())

    @property
    def place(self) -> Place:
        return self.node.place

    def tag(self, group: str) -> str:
        """The name of the tag given of that group, "" for none."""
        return self.tags[group][0] if group in self.tags else ""

    def number(self, group: str, default: int) -> int:
        """The number behind a tag."""
        value = self.tags[group][1] if group in self.tags else default
        assert isinstance(value, int)
        return value

    def string(self, index: int) -> Piece:
        """A positional argument that is one string."""
        value = self.values[index]
        assert isinstance(value, Piece)
        return value

    def strings(self, index: int) -> tuple[Piece, ...]:
        """A positional argument that is a list."""
        value = self.values[index]
        assert isinstance(value, tuple)
        return value

    def tagged(self, group: str) -> Piece | None:
        """The string behind a tag, None without the tag."""
        value = self.tags[group][1] if group in self.tags else None
        assert value is None or isinstance(value, Piece)
        return value

    def tagged_list(self, group: str) -> tuple[Piece, ...]:
        """The strings behind a tag."""
        value = self.tags[group][1] if group in self.tags else None
        assert value is None or isinstance(value, tuple)
        return value or ()


TESTS: dict[str, Word] = {}
COMMANDS: dict[str, Word] = {}


def test(
    name: str, *shapes: tuple[str, ...], tags: Tags | None = None, needs: str = ""
) -> "Callable[[Callable[[Compilation, Bound], Test]], Callable[[Compilation, Bound], Test]]":
    """Register what builds a test; without shapes it takes no arguments."""

    def register(build: "Callable[[Compilation, Bound], Test]") -> "Callable[[Compilation, Bound], Test]":
        TESTS[name] = Word(name, tuple(needs.split()), shapes or ((),), tags or {}, build)
        return build

    return register


def command(
    name: str, *shapes: tuple[str, ...], tags: Tags | None = None, needs: str = ""
) -> "Callable[[Callable[[Compilation, Bound], Action]], Callable[[Compilation, Bound], Action]]":
    """Register what builds an action; without shapes it takes no arguments."""

    def register(build: "Callable[[Compilation, Bound], Action]") -> "Callable[[Compilation, Bound], Action]":
        COMMANDS[name] = Word(name, tuple(needs.split()), shapes or ((),), tags or {}, build)
        return build

    return register


def bind(word: Word, node: Node, required: set[str]) -> Bound:
    """Put each argument where it belongs; raises SieveError."""
    tags: dict[str, tuple[str, Value, Place]] = {}
    arguments = iter(node.arguments)
    positional: list[Number | Strings] = []
    for argument in arguments:
        if not isinstance(argument, Tagged):
            positional.append(argument)
            continue
        if positional:
            raise SieveError(argument.place, f":{argument.name} stands behind an argument without a name")
        tag = word.tags.get(argument.name)
        if tag is None:
            raise SieveError(argument.place, f"{node.name} takes no :{argument.name}")
        if tag.needs and tag.needs not in required:
            raise SieveError(argument.place, f':{argument.name} needs require "{tag.needs}"')
        if tag.group in tags:
            raise SieveError(argument.place, f":{argument.name} cannot stand beside :{tags[tag.group][0]}")
        value: Value = None
        if tag.kind:
            following = next(arguments, None)
            if following is None or isinstance(following, Tagged) or not _fits(following, tag.kind):
                raise SieveError(argument.place, f":{argument.name} needs {tag.kind}")
            value = _value(following, tag.kind)
        tags[tag.group] = (argument.name, value, argument.place)
    for shape in word.shapes:
        if len(shape) == len(positional) and all(map(_fits, positional, shape)):
            return Bound(node, tags, tuple(map(_value, positional, shape)))
    wanted = " or ".join(" and ".join(shape) or "no arguments" for shape in word.shapes)
    raise SieveError(node.place, f"{node.name} takes {wanted}")


def _fits(argument: Number | Strings, kind: str) -> bool:
    if isinstance(argument, Number):
        return kind is NUMBER
    return kind is STRINGS or (kind is STRING and not argument.listed)


def _value(argument: Number | Strings, kind: str) -> Value:
    if isinstance(argument, Number):
        return argument.value
    return argument.pieces if kind is STRINGS else argument.pieces[0]
