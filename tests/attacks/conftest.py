"""One real server under attack, somebody who waits for their own mail meanwhile, and the figures of it all."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gk.control.client import call
from tests.attacks.watch import Waits, Watch, watching
from tests.server import Running, running

LONGEST_WAIT = 5.0  # seconds for a NOOP before a test fails; the goal is 0.25. A delivery also waits for the disk of a
# machine that does other things: it has the patience of the observer.
FIGURES: dict[str, tuple[float, str]] = {}


def note(figure: str, value: float, what: str) -> None:
    """Keep the largest value of a figure and what it was measured at, for the summary."""
    if value > FIGURES.get(figure, (-1.0, ""))[0]:
        FIGURES[figure] = value, what


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FIGURES:
        terminalreporter.section("attacks: the worst of each")
        for figure, (value, what) in sorted(FIGURES.items()):
            terminalreporter.write_line(f"{figure}: {value:.3f} ({what})")


@dataclass
class Target:
    """A server under attack, and the observer."""

    server: Running
    watch: Watch
    seen: list[Waits] = field(default_factory=list)

    @asynccontextmanager
    async def attack(self, name: str) -> AsyncIterator[None]:
        """For the length of the block, others are not kept waiting; growth of the process is noted."""
        await asyncio.to_thread(self.watch.waits)
        self._status("clear_refs").write_text("5")  # forget the peak so far, proc(5)
        before = self.memory("VmRSS")
        yield
        waits = await asyncio.to_thread(self.watch.waits)
        assert waits.count
        self.seen.append(waits)
        note("others waited for NOOP, s", waits.noop, name)
        note("others waited for a delivery, s", waits.delivery, name)
        note("memory grew by, MiB", (self.memory("VmHWM") - before) / 1024, name)
        assert waits.noop < LONGEST_WAIT, waits

    def memory(self, figure: str) -> int:
        """A line of /proc/pid/status in KiB."""
        found = re.search(rf"^{figure}:\s+(\d+) kB$", self._status("status").read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1])

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        text = call(self.server.data, "status", {"metrics": True})["metrics"]
        return sum(float(value) for value in re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE))

    def _status(self, name: str) -> Path:
        assert self.server.process is not None
        return Path(f"/proc/{self.server.process.pid}/{name}")


@pytest.fixture(scope="session")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The server most attacks go to, one after another."""
    with (
        running(tmp_path_factory.mktemp("attacked"), "free_space_bytes = 1") as server,
        watching(server) as watch,
    ):
        target = Target(server, watch)
        yield target
        note("loop lag, s", target.metric("gk_loop_lag_worst_seconds"), "all attacks on one server")
        log = server.log.read_text()
    assert "Traceback" not in log, log[-5000:]


@pytest.fixture
def target(attacked: Target) -> Iterator[Target]:
    """The same, alive before and after."""
    assert attacked.server.process is not None
    yield attacked
    assert attacked.server.process.poll() is None, attacked.server.log.read_text()[-5000:]
