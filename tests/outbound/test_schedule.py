"""When a message is tried again (REQUIREMENTS: 2, 4, 8, 16, 32 minutes, then hourly, for five days)."""

import random

import pytest

from gk.config import Outbound
from gk.outbound import schedule

HOUR = 3600.0


def test_the_pauses_double_to_half_an_hour_and_then_are_hours() -> None:
    pauses = Outbound().retry_minutes
    chance = random.Random(1)
    for attempts, minutes in enumerate((2, 4, 8, 16, 32, 60, 60, 60), 1):
        due = [schedule.next_attempt(attempts, 1000.0, pauses, chance) for _ in range(200)]
        assert 1000 + 0.9 * 60 * minutes <= min(due) < max(due) <= 1000 + 1.1 * 60 * minutes
        assert max(due) - min(due) > 0.1 * 60 * minutes  # what failed together does not come back together


def test_a_message_expires_after_its_hours_and_not_before() -> None:
    assert not schedule.expired(120 * HOUR, 120)
    assert schedule.expired(120 * HOUR + 1, 120)


@pytest.mark.parametrize(
    ("age", "last", "late"),
    [
        (3.9, None, False),
        (4.1, None, True),  # the first attempt of all, after a long stop
        (4.1, 3.5, True),
        (4.1, 4.05, False),  # told of then
        (50.0, 3.0, True),
        (50.0, 49.0, False),
    ],
)
def test_a_delay_is_told_once(age: float, last: float | None, late: bool) -> None:
    assert schedule.late(1e9, age * HOUR, None if last is None else 1e9 + last * HOUR, 4) is late


@pytest.mark.parametrize(("wall", "jump"), [(10.0, 0), (609.0, 0), (611.0, 601.0), (-591.0, -601.0), (-589.0, 0)])
def test_only_a_drift_of_ten_minutes_is_a_jump(wall: float, jump: float) -> None:
    assert schedule.drifted(wall, 10.0) == jump
