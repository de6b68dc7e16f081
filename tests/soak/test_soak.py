"""A few rounds of each long test; scripts/soak runs them for as long as one likes."""

from pathlib import Path

import pytest

from tests.peers import need
from tests.soak.faults import faulty
from tests.soak.rounds import kills, power_cut

pytestmark = pytest.mark.slow


@pytest.mark.timeout(180)
async def test_two_dozen_kills_under_load_lose_nothing(tmp_path: Path) -> None:
    trial = await kills(tmp_path, 24)
    assert sum(trial.ledger.acknowledged.values()) > 1000


@pytest.mark.timeout(100)
@pytest.mark.parametrize("model", ["strict", "ext4", "random"])
async def test_a_power_cut_loses_nothing_acknowledged(model: str, tmp_path: Path) -> None:
    need("cc", "gcc")
    await power_cut(tmp_path, model, 1)


@pytest.mark.peer
@pytest.mark.timeout(100)
@pytest.mark.parametrize(
    "injection",
    [
        "fsync,fdatasync:error=EIO:when=5+",
        "write:error=ENOSPC:when=2+3",
        "rename:error=EIO:when=1",
        "openat:error=EMFILE:when=3+5",
    ],
)
async def test_calls_that_fail_lose_nothing_and_end_nobody(injection: str, tmp_path: Path) -> None:
    need("strace")
    await faulty(tmp_path, injection, 1)
