"""Compiling a script into a flat list of steps, and running it (RFC 5228 §2.10)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gk.sieve.compilation import Compilation
from gk.sieve.errors import Place, RunError, SieveError
from gk.sieve.grammar import COMMANDS, TESTS, Action, Test, bind
from gk.sieve.lexer import Source
from gk.sieve.mail import Mail
from gk.sieve.outcome import INBOX, Filing, Outcome, Surroundings, Traced
from gk.sieve.parser import Node, Strings, parse
from gk.sieve.run import BUDGET, TRACED, Run
from gk.sieve.words import EXTENSIONS, address, body, date, duplicate, editing, filing, flags, header, places, variables
from gk.sieve.words import vacation as answering

BYTES = 64 << 10  # of a script
SHOWN = 120  # characters of a step in the trace
WORDS = (address, answering, body, date, duplicate, editing, filing, flags, header, places, variables)

_CONTROL = frozenset({"if", "elsif", "else", "require"})
_LOGIC = frozenset({"not", "allof", "anyof"})


class _Label:
    """A place in the program that is known when compiling is done."""

    __slots__ = ("at",)

    def __init__(self) -> None:
        self.at = -1


@dataclass(frozen=True, slots=True)
class _Step:
    """A test, which goes on at `yes` or `no`, or an action, or neither: both then go on at `yes`."""

    line: int
    text: str
    test: "Test | None"
    action: "Action | None"
    yes: _Label | None
    no: _Label | None


@dataclass(slots=True)
class _Open:
    """A block that is being compiled: its commands, where its chain of `if` ends, and what happens behind it."""

    nodes: Iterator[Node]
    end: _Label | None = None  # of the chain of if, elsif and else the last command belongs to
    otherwise: _Label | None = None  # behind the block: where its test leads when it does not hold
    finish: _Label | None = None  # behind the block: where its chain ends


class Script:
    """A compiled script.

    `looks_at_body` says that a run may read all of the message, `asks_verdict` that it asks how GK judged it.
    """

    def __init__(self, steps: list[_Step], unit: Compilation, size: int) -> None:
        self._steps = steps
        self.required = frozenset(unit.required)
        self.looks_at_body, self.asks_verdict = unit.looks_at_body, unit.asks_verdict
        self.size = size

    def __len__(self) -> int:
        return len(self._steps)

    def run(self, mail: Mail, around: Surroundings) -> Outcome:
        """What the script decides about the message; any failure is in the outcome."""
        return run_all([("", self)], mail, around)

    def step(self, run: Run) -> None:
        """Go through the program once. Raises RunError."""
        steps, at = self._steps, 0
        while at < len(steps) and not run.stopped:
            step = steps[at]
            run.at = at
            run.spend(1)
            at += 1
            result = True
            if step.test is not None:
                result = step.test(run)
            elif step.action is not None:
                step.action(run)
            if step.text and len(run.trace) < TRACED:
                run.trace.append(Traced(step.line, step.text, result, run.program))
            target = step.yes if result else step.no
            if target is not None:
                at = target.at

    def line(self, run: Run) -> int:
        """Where in its text a run of this script is."""
        return self._steps[run.at].line if self._steps else 1


def run_all(programs: Sequence[tuple[str, Script]], mail: Mail, around: Surroundings, budget: int = BUDGET) -> Outcome:
    """What several scripts, each with its name, decide about a message one after the other, as if they were one.

    A script that stops ends them all; what one sets of flags and edits of the header holds for the next.
    """
    run = Run(mail, around, budget)
    for name, script in programs:
        run.enter(name)
        try:
            script.step(run)
        except RunError as error:
            return _failed(run, f"line {script.line(run)}: {error}")
        if run.stopped:
            break
    try:
        run.finish()
    except RunError as error:
        return _failed(run, str(error))
    return Outcome(
        tuple(run.filings.values()),
        tuple(run.redirects.values()),
        run.reject,
        run.vacation,
        tuple(run.remembered),
        tuple(run.trace),
        None,
        run.stopped,
    )


def _failed(run: Run, error: str) -> Outcome:
    """RFC 5228 §2.10.6: the implicit keep, and nothing else of what was decided."""
    return Outcome((Filing(INBOX),), trace=tuple(run.trace), error=error, program=run.program, exhausted=run.left < 0)


def compile(raw: bytes, limit: int = BYTES) -> Script:
    """The script of this text in UTF-8; raises SieveError, nothing else."""
    if len(raw) > limit:
        raise SieveError(Place(1, 1), f"the script has more than {limit:,} bytes")
    nodes = parse(Source(raw))
    compiler = _Compiler()
    compiler.block(nodes)
    return Script(compiler.steps, compiler.unit, len(raw))


class _Compiler:
    def __init__(self) -> None:
        self.unit = Compilation()
        self.steps: list[_Step] = []

    def block(self, nodes: list[Node]) -> None:
        """All commands, those in blocks included."""
        opened = [_Open(self.requires(nodes))]
        while opened:
            here = opened[-1]
            node = next(here.nodes, None)
            if here.end is not None and (node is None or node.name not in ("elsif", "else")):
                self.mark(here.end)
                here.end = None
            if node is None:
                opened.pop()
                if here.finish is not None:
                    self.jump(here.finish)
                if here.otherwise is not None:
                    self.mark(here.otherwise)
                continue
            if node.name in _CONTROL:
                opened.append(self.control(node, here))
            else:
                self.action(node)

    def requires(self, nodes: list[Node]) -> Iterator[Node]:
        """Take the `require` commands at the top (RFC 5228 §3.2); the others are left."""
        for count, node in enumerate(nodes):
            if node.name != "require":
                return iter(nodes[count:])
            if len(node.arguments) != 1 or not isinstance(node.arguments[0], Strings) or node.tests or node.block:
                raise SieveError(node.place, "require takes a list of strings")
            for piece in node.arguments[0].pieces:
                name = piece.text
                if name not in EXTENSIONS:
                    raise SieveError(piece.place, f'the extension "{name[:100]}" is not known here')
                self.unit.required.add(name)
        return iter(())

    def control(self, node: Node, here: _Open) -> _Open:
        """if, elsif, else (RFC 5228 §3.1)."""
        if node.name == "require":
            raise SieveError(node.place, "require stands before all other commands")
        if node.arguments or len(node.tests) != (node.name != "else") or node.listed or node.block is None:
            wanted = "a block" if node.name == "else" else "a test and a block"
            raise SieveError(node.place, f"{node.name} takes {wanted}")
        if node.name == "if":
            here.end = _Label()
        elif here.end is None:
            raise SieveError(node.place, f"{node.name} without an if before it")
        finish = here.end
        if node.name == "else":
            here.end = None
            return _Open(iter(node.block), otherwise=finish)  # the chain ends where this block does
        yes, no = _Label(), _Label()
        self.tests(node.tests[0], yes, no)
        self.mark(yes)
        return _Open(iter(node.block), otherwise=no, finish=finish)

    def tests(self, node: Node, yes: _Label, no: _Label) -> None:
        """A test and those in it, as steps that go on at one label or the other; none is made without need."""
        todo: list[tuple[Node, _Label, _Label] | _Label] = [(node, yes, no)]
        while todo:
            item = todo.pop()
            if isinstance(item, _Label):
                self.mark(item)
                continue
            node, yes, no = item
            if node.name not in _LOGIC:
                self.test(node, yes, no)
                continue
            if node.arguments or not node.tests or node.listed == (node.name == "not"):
                wanted = "one test" if node.name == "not" else "tests in parentheses"
                raise SieveError(node.place, f"{node.name} takes {wanted}")
            if node.name == "not":
                todo.append((node.tests[0], no, yes))
                continue
            later: list[tuple[Node, _Label, _Label] | _Label] = []
            for child in node.tests[:-1]:
                following = _Label()
                later += [(child, following, no) if node.name == "allof" else (child, yes, following), following]
            later.append((node.tests[-1], yes, no))
            todo += reversed(later)

    def test(self, node: Node, yes: _Label, no: _Label) -> None:
        word = TESTS.get(node.name)
        if word is None:
            hint = " (a command)" if node.name in COMMANDS else ""
            raise SieveError(node.place, f'there is no test "{node.name[:100]}"{hint}')
        self.unit.needs(node.place, node.name, word.needs)
        if node.tests:
            raise SieveError(node.place, f"{node.name} takes no tests")
        made: Test = word.build(self.unit, bind(word, node, self.unit.required))
        self.steps.append(_Step(node.place.line, _shown(node), made, None, yes, no))

    def action(self, node: Node) -> None:
        word = COMMANDS.get(node.name)
        if word is None:
            hint = " (a test)" if node.name in TESTS else ""
            raise SieveError(node.place, f'there is no command "{node.name[:100]}"{hint}')
        self.unit.needs(node.place, node.name, word.needs)
        if node.tests or node.block is not None:
            raise SieveError(node.place, f"{node.name} takes no tests and no block")
        made: Action = word.build(self.unit, bind(word, node, self.unit.required))
        self.steps.append(_Step(node.place.line, _shown(node), None, made, None, None))

    def jump(self, label: _Label) -> None:
        self.steps.append(_Step(0, "", None, None, label, None))

    def mark(self, label: _Label) -> None:
        label.at = len(self.steps)


def _shown(node: Node) -> str:
    text = " ".join(node.source[: 4 * SHOWN].split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
