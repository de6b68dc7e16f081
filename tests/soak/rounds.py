"""Rounds of: load, an end without warning, a new start, the ledger's judgement."""

import asyncio
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.server import Running, prepared
from tests.soak.clients import Seen, Wire, look, run_until_cut
from tests.soak.ledger import Ledger

RECORDER = Path(__file__).parent.parent / "powercut"


@dataclass
class Trial:
    """One server, its ledger, and what was seen of it before."""

    server: Running
    ledger: Ledger
    chance: random.Random
    before: Seen = field(default_factory=Seen)
    slowest_start: float = 0.0

    async def load(self, name: str, seconds: float) -> None:
        """Run the clients for so long, then kill the server."""
        clients = asyncio.create_task(run_until_cut(self.server, self.ledger, name))
        await asyncio.wait([clients], timeout=seconds)
        assert self.server.process is not None and self.server.process.poll() is None, "the server ended by itself"
        await asyncio.to_thread(self.server.stop, signal.SIGKILL)
        await clients

    async def start(self) -> None:
        began = time.monotonic()
        await asyncio.to_thread(self.server.start)
        self.slowest_start = max(self.slowest_start, time.monotonic() - began)

    async def judge(self) -> list[str]:
        """What the running server holds against the ledger."""
        seen = await look(self.server)
        wrong = self.ledger.judge(seen.steps)
        for box, validity in self.before.validity.items():
            if seen.validity[box] != validity:
                wrong.append(f"UIDVALIDITY of {box} changed")
        wrong += [
            f"uid {uid} of {box} was {key} and is {seen.uids[box, uid]}"
            for (box, uid), key in self.before.uids.items()
            if seen.uids.get((box, uid), key) != key
        ]
        self.before.validity = seen.validity
        self.before.uids |= seen.uids
        told = await asyncio.to_thread(self.server.gk, "verify", check=False)
        if told.returncode:
            wrong.append(f"verify: {told.stdout}")
        return wrong


@asynccontextmanager
async def begun(directory: Path, seed: int) -> AsyncIterator[Trial]:
    """A running server with the mailboxes of the clients; stopped at the end."""
    directory.mkdir(parents=True, exist_ok=True)
    server = await asyncio.to_thread(prepared, directory)
    trial = Trial(server, Ledger(directory / "ledger"), random.Random(seed))
    try:
        await trial.start()
        async with Wire.open(server.ports["starttls"]) as wire:
            await wire.login()
            for box in (b"Work", b"Done"):
                await wire.imap(b"CREATE " + box)
        yield trial
    finally:
        trial.ledger.close()
        if server.process is not None:
            await asyncio.to_thread(server.stop, signal.SIGKILL)


async def kills(directory: Path, rounds: int, seed: int = 1) -> Trial:
    """kill -9 at a random moment, again and again on the same data."""
    async with begun(directory, seed) as trial:
        for number in range(rounds):
            await trial.load(f"r{number}", trial.chance.uniform(0.05, 2.0))
            await trial.start()
            wrong = await trial.judge()
            assert not wrong, f"round {number}: {wrong[:5]}"
    return trial


def recorder(directory: Path) -> Path:
    """The library that records what is synced."""
    library = directory / "powercut.so"
    source = str(RECORDER / "powercut.c")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", str(library), source, "-ldl", "-lpthread"], check=True)
    return library


async def power_cut(directory: Path, model: str, seed: int) -> Trial:
    """One cut: load under the recorder, kill, rebuild what a disk would hold, start on that, judge."""
    async with begun(directory, seed) as trial:
        trial.server.stop()
        environment: Mapping[str, str] = {
            "LD_PRELOAD": str(recorder(directory)),
            "POWERCUT_ROOT": str(trial.server.data),
            "POWERCUT_MIRROR": str(directory / "mirror"),
        }
        trial.server.environment = environment
        await trial.start()
        await trial.load("cut", trial.chance.uniform(0.5, 3.0))
        trial.server.environment = {}
        rebuilt = directory / "rebuilt"
        command = [sys.executable, str(RECORDER / "powercut_rebuild.py"), "--root", str(trial.server.data)]
        command += ["--mirror", str(directory / "mirror"), "--out", str(rebuilt), "--model", model, "--seed", str(seed)]
        await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
        shutil.rmtree(trial.server.data)
        rebuilt.rename(trial.server.data)
        await trial.start()
        wrong = await trial.judge()
        assert not wrong, f"{model}: {wrong[:5]}"
    return trial
