"""From tokens to a tree of commands and tests (RFC 5228 §8.2), without recursion."""

from dataclasses import dataclass, field

from gk.sieve.errors import Place, SieveError
from gk.sieve.lexer import END, MARK, NAME, STRING, Source, Token, tokens

DEPTH = 50  # blocks or tests inside each other; RFC 5228 §2.10.5 asks for 15
NODES = 10_000  # commands and tests of a script
STRINGS = 10_000  # strings of a script


@dataclass(frozen=True, slots=True)
class Piece:
    """One string of a script, as it stands in it."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Tagged:
    """`:name`."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Number:
    value: int
    place: Place


@dataclass(frozen=True, slots=True)
class Strings:
    """A string, or a list of strings in brackets."""

    pieces: tuple[Piece, ...]
    listed: bool
    place: Place


Argument = Tagged | Number | Strings


@dataclass(slots=True)
class Node:
    """A command or a test with its arguments.

    `block` is None where a semicolon ended it; `source` is how name and arguments stand in the script; `depth` counts
    the tests around a test.
    """

    name: str
    place: Place
    depth: int
    arguments: list[Argument] = field(default_factory=list)
    tests: list["Node"] = field(default_factory=list)
    listed: bool = False  # its tests stand in parentheses
    block: list["Node"] | None = None
    source: str = ""


def parse(source: Source) -> list[Node]:
    """The commands of a script; raises SieveError."""
    return _Parser(source).run()


class _Parser:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.tokens = tokens(source)
        self.token: Token = next(self.tokens)
        self.end = 0  # of the token before
        self.nodes = self.strings = 0

    def run(self) -> list[Node]:
        top: list[Node] = []
        blocks: list[list[Node]] = [top]
        opened: list[Place] = []
        while True:
            if self.token.kind == END:
                if opened:
                    raise SieveError(opened[-1], "this block does not end")
                return top
            if self.at("}"):
                if not opened:
                    raise self.unexpected("a command")
                self.advance()
                opened.pop()
                blocks.pop()
                continue
            command = self.node(0, "a command")
            self.read_tests(command)
            blocks[-1].append(command)
            if self.at("{"):
                if len(opened) >= DEPTH:
                    raise SieveError(self.place(), f"more than {DEPTH} blocks inside each other")
                opened.append(self.place())
                command.block = []
                blocks.append(command.block)
                self.advance()
            elif self.at(";"):
                self.advance()
            else:
                raise self.unexpected('";"' if not command.tests else '";" or a block')

    def read_tests(self, command: Node) -> None:
        """The tests of a command, each below the one it belongs to."""
        opened: list[Node] = []  # those whose list of tests is not closed
        current = command
        while True:
            if self.token.kind == NAME:
                current = self.child(current)
                continue
            if self.at("("):
                current.listed = True
                opened.append(current)
                self.advance()
                current = self.child(current)
                continue
            while opened and self.at(")"):
                self.advance()
                opened.pop()
            if not opened or not self.at(","):
                break
            self.advance()
            current = self.child(opened[-1])
        if opened:
            raise self.unexpected('"," or ")"')

    def child(self, parent: Node) -> Node:
        node = self.node(parent.depth + 1, "a test")
        if node.depth > DEPTH:
            raise SieveError(node.place, f"more than {DEPTH} tests inside each other")
        parent.tests.append(node)
        return node

    def node(self, depth: int, wanted: str) -> Node:
        """A name and its arguments."""
        if self.token.kind != NAME:
            raise self.unexpected(wanted)
        self.nodes += 1
        if self.nodes > NODES:
            raise SieveError(self.place(), f"more than {NODES:,} commands and tests")
        node = Node(self.token.value, self.place(), depth)
        start = self.token.start
        self.advance()
        while (argument := self.argument()) is not None:
            node.arguments.append(argument)
        node.source = self.source.text[start : self.end]
        return node

    def argument(self) -> Argument | None:
        token, place = self.token, self.place()
        match token.kind:
            case "tag":
                self.advance()
                return Tagged(token.value, place)
            case "number":
                self.advance()
                return Number(int(token.value), place)
            case "string":
                return Strings((self.string(),), False, place)
        return self.list() if self.at("[") else None

    def list(self) -> Strings:
        """Strings in brackets, at least one."""
        place = self.place()
        self.advance()
        pieces: list[Piece] = []
        while not self.at("]"):
            if pieces:
                if not self.at(","):
                    raise self.unexpected('"," or "]"')
                self.advance()
            if self.token.kind != STRING:
                raise self.unexpected("a string")
            pieces.append(self.string())
        self.advance()
        if not pieces:
            raise SieveError(place, "this list is empty")  # RFC 5228 §8.2, string-list
        return Strings(tuple(pieces), True, place)

    def string(self) -> Piece:
        self.strings += 1
        if self.strings > STRINGS:
            raise SieveError(self.place(), f"more than {STRINGS:,} strings")
        piece = Piece(self.token.value, self.place())
        self.advance()
        return piece

    def at(self, mark: str) -> bool:
        return self.token.kind == MARK and self.token.value == mark

    def advance(self) -> None:
        self.end = self.token.end
        self.token = next(self.tokens)

    def place(self) -> Place:
        return self.source.place(self.token.start)

    def unexpected(self, wanted: str) -> SieveError:
        token = self.token
        match token.kind:
            case "end":
                found = "the end of the script"
            case "mark" | "name":
                found = f'"{token.value}"'
            case "tag":
                found = f":{token.value}"
            case _:
                found = f"a {token.kind}"
        return SieveError(self.place(), f"expected {wanted}, found {found}")
