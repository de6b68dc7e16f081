"""When to try again, and when to give up: pure functions of wall-clock seconds."""

import random
from collections.abc import Sequence

JITTER = 0.1  # of a pause, either way: what failed together does not return together


def next_attempt(attempts: int, now: float, pauses: Sequence[int], chance: random.Random) -> float:
    """When to try again after `attempts` failed ones; `pauses` in minutes, the last one repeats."""
    pause = pauses[min(attempts, len(pauses)) - 1] * 60
    return now + pause * chance.uniform(1 - JITTER, 1 + JITTER)


def expired(created: float, now: float, hours: int) -> bool:
    """Whether a message is too old to be tried again; asked only right after a failed attempt."""
    return now - created > hours * 3600


def drifted(wall: float, monotonic: float) -> float:
    """Seconds the wall clock ran ahead of the monotonic one between two looks, where that is a jump, else 0."""
    jump = wall - monotonic
    return jump if abs(jump) > JUMP else 0.0


JUMP = 600.0  # seconds: smaller steps are the clock being set right
