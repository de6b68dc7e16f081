"""System calls that fail: strace injects the error into the running server, the ledger judges afterwards."""

import asyncio
import signal
import subprocess
from pathlib import Path

from tests.soak.clients import run_until_cut
from tests.soak.rounds import Trial, begun

INJECTIONS = [
    f"{calls}:error={error}:when={when}"
    for calls in ("fsync,fdatasync", "write", "pwrite64", "openat", "rename", "link", "ftruncate", "close")
    for error in (("EIO",) if calls == "close" else ("EIO", "ENOSPC", "EDQUOT", "EMFILE", "ENOMEM"))
    for when in ("1", "3", "10", "2+7")
]


async def faulty(directory: Path, injection: str, seed: int) -> Trial:
    """Load, with one kind of call failing under it; after a restart everything acknowledged is there."""
    async with begun(directory, seed) as trial:
        assert trial.server.process is not None
        calls = injection.partition(":")[0]
        command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={injection}"]
        command += ["-p", str(trial.server.process.pid)]
        strace = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        clients = asyncio.create_task(run_until_cut(trial.server, trial.ledger, "fault"))
        await asyncio.wait([clients], timeout=3)
        strace.send_signal(signal.SIGTERM)
        await asyncio.to_thread(strace.wait, 10)
        assert trial.server.process.poll() is None, (
            f"{injection}: the server ended: {trial.server.log.read_text()[-2000:]}"
        )
        await asyncio.to_thread(trial.server.stop, signal.SIGKILL)
        await clients
        await trial.start()
        wrong = await trial.judge()
        assert not wrong, f"{injection}: {wrong[:5]}"
    return trial
