"""What a rule is: a function of what was seen, with the points it adds when it finds something."""

from collections.abc import Callable
from dataclasses import dataclass

from gk.inbound.spam.seen import Seen


@dataclass(frozen=True, slots=True)
class Around:
    """What a rule may know beside the message: the domains of this server and the names of its users, in lower case."""

    domains: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    dangerous: frozenset[str] = frozenset()  # endings of file names that no mail may bring


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule found something: what, and where in the message, as (offset, length)."""

    rule: str
    points: float
    text: str
    where: tuple[int, int] | None = None


Found = str | tuple[str, tuple[int, int] | None] | None
Look = Callable[[Seen, Around], Found]
RULES: dict[str, tuple[float, Look]] = {}


def rule(name: str, points: float) -> Callable[[Look], Look]:
    """Register a rule under a permanent name; its docstring says what it finds."""

    def register(look: Look) -> Look:
        assert name not in RULES, name
        RULES[name] = points, look
        return look

    return register
