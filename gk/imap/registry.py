"""Commands by name, and the capabilities they announce. A new command is one file in `commands/`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gk import discover
from gk.imap.grammar import Cursor
from gk.imap.reply import Reply
from gk.imap.session import Session, State

if TYPE_CHECKING:
    from gk.imap.conversation import Conversation

Run = Callable[["Conversation", Cursor], Awaitable[Reply | None]]  # None: the answer was given already


@dataclass(frozen=True, slots=True)
class Command:
    """One command: where it may be given, and whether EXPUNGE may be told with its answer (RFC 3501 §7.4.1)."""

    name: str
    run: Run
    when: State
    expunges: bool


_commands: dict[bytes, Command] = {}
_capabilities: dict[str, Callable[[Session], bool]] = {}
_values: dict[str, Callable[[Session], object]] = {}


def command(
    *names: str, when: State, capability: str | tuple[str, ...] = (), expunges: bool = True
) -> Callable[[Run], Run]:
    """Register a coroutine function for one or more names ("UID FETCH" is a name, too).

    Its capabilities are announced to whoever is logged in.
    """

    def register(run: Run) -> Run:
        for name in names:
            _commands[name.encode()] = Command(name, run, when, expunges)
        for text in (capability,) if isinstance(capability, str) else capability:
            announce(text)
        return run

    return register


def announce(
    capability: str,
    when: Callable[[Session], bool] = lambda s: s.state is not State.FRESH,
    value: Callable[[Session], object] | None = None,
) -> None:
    """Let a capability appear wherever `when` holds, logged in by default; with `value` as `NAME=value`."""
    _capabilities[capability] = when
    if value is not None:
        _values[capability] = value


def known(capability: str) -> bool:
    """Whether there is such a capability, which an account may do without."""
    return capability in _capabilities


def find(name: bytes) -> Command | None:
    return _commands.get(name)


def names() -> list[str]:
    """All commands, for the tests that want a transcript of each."""
    return sorted(command.name for command in _commands.values())


def capabilities(session: Session) -> str:
    """What CAPABILITY tells this session now."""
    names = (name for name, when in _capabilities.items() if when(session) and name not in session.hidden)
    return " ".join(["IMAP4rev1", *(f"{n}={_values[n](session)}" if n in _values else n for n in names)])


def load() -> None:
    """Import every file of `commands/`."""
    discover.every("gk.imap.commands")


# RFC 7888: a stranger's literals are small, so nothing is promised of larger ones. One of the two, never both.
announce("LITERAL-", lambda session: session.state is State.FRESH)
announce("LITERAL+", lambda session: session.state is not State.FRESH)
announce("IMAP4rev2", lambda session: True)  # RFC 9051, by ENABLE
