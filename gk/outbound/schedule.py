"""When to try again, and when to give up: pure functions of seconds."""

import random
from collections.abc import Sequence

JITTER = 0.1  # of a pause, either way: what failed together does not return together
JUMP = 600.0  # seconds: smaller steps are the clock being set right


def next_attempt(attempts: int, now: float, pauses: Sequence[int], chance: random.Random) -> float:
    """When to try again after `attempts` failed ones; `pauses` in minutes, the last one repeats."""
    pause = pauses[min(attempts, len(pauses)) - 1] * 60
    return now + pause * chance.uniform(1 - JITTER, 1 + JITTER)


def expired(age: float, hours: int) -> bool:
    """Whether a message is too old to be tried again; asked only right after a failed attempt."""
    return age > hours * 3600


def late(created: float, age: float, last_attempt: float | None, hours: int) -> bool:
    """Whether this failed attempt is the first after `hours`: the sender is told of a delay once."""
    if age <= hours * 3600:
        return False
    return last_attempt is None or last_attempt - created <= hours * 3600


def drifted(wall: float, monotonic: float) -> float:
    """Seconds the wall clock ran ahead of the monotonic one between two looks, where that is a jump, else 0."""
    jump = wall - monotonic
    return jump if abs(jump) > JUMP else 0.0
