"""What calls to models may cost and did: the one who counts is given, since the counts are rows."""

import math
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Protocol

from gk.ai.model import Answer, Tokens

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Of a million tokens, in whatever money the user counts: of the question, and of the answer."""

    asked: float = 0.0
    said: float = 0.0

    def of(self, tokens: Tokens) -> int:
        """In millionths of that money, rounded up."""
        return math.ceil(tokens.asked * self.asked + tokens.said * self.said)


@dataclass(frozen=True, slots=True)
class Use:
    """What one call took: `price` in millionths."""

    failed: int = 0
    tokens: Tokens = field(default_factory=Tokens)
    seconds: float = 0.0
    price: int = 0


class Meter(Protocol):
    """The ledger of calls, and the answers that are remembered."""

    def reserve(self, account: int, model: str, price: int) -> Awaitable[bool]:
        """Count one call that may cost so much; False, and nothing is counted, where that is more than the day's."""
        ...

    def settle(self, account: int, model: str, reserved: int, use: Use) -> Awaitable[None]:
        """What it took instead of what was reserved."""
        ...

    def kept(self, account: int, key: bytes) -> Answer | None:
        """What was answered to the same prompt."""
        ...

    def keep(self, account: int, key: bytes, answer: Answer) -> Awaitable[None]:
        """Remember it."""
        ...


class _Nobody:
    """Counts and remembers nothing."""

    async def reserve(self, account: int, model: str, price: int) -> bool:
        return True

    async def settle(self, account: int, model: str, reserved: int, use: Use) -> None:
        pass

    def kept(self, account: int, key: bytes) -> Answer | None:
        return None

    async def keep(self, account: int, key: bytes, answer: Answer) -> None:
        pass


NOBODY: Meter = _Nobody()
