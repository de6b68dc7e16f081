"""Keys in a directory of their own, and a DNS."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gk.mailauth.keys import Keys
from gk.net.dns import SystemResolver
from tests.strangers import Zone, zone

DOMAIN = "example.test"


class Clock:
    """The time, as tests set it."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock(1_795_000_000)  # in November 2026


@pytest.fixture
def keys(tmp_path: Path, clock: Clock) -> Keys:
    return Keys(tmp_path / "keys", clock)


@pytest.fixture
async def dns() -> AsyncIterator[Zone]:
    async with zone() as opened:
        yield opened


@pytest.fixture
def resolver(dns: Zone) -> SystemResolver:
    return SystemResolver([f"127.0.0.1:{dns.port}"], remember=False)
