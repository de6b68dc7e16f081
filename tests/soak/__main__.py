"""scripts/soak: kill, powercut, faults or fuzz for so many minutes; exit code 0 when nothing was lost."""

import argparse
import asyncio
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.soak.faults import INJECTIONS, faulty
from tests.soak.rounds import kills, power_cut

ROUNDS_AT_ONCE = 20  # kills on one data directory before a fresh one


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("name", choices=("kill", "powercut", "faults", "fuzz"))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=0, help="stop after so many, if the time allows")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    if arguments.name == "fuzz":
        command = [sys.executable, "-m", "pytest", "-q", "-m", "not peer", "--timeout", "1200"]
        sys.exit(subprocess.run(command, env=dict(os.environ) | {"GK_FUZZ": "1"}, check=False).returncode)
    end, done, worst = time.monotonic() + arguments.minutes * 60, 0, 0.0
    for number in itertools.count(arguments.seed):
        if time.monotonic() > end or (arguments.rounds and done >= arguments.rounds):
            break
        with tempfile.TemporaryDirectory(prefix="gk-soak-") as place:
            worst = max(worst, asyncio.run(_one(arguments.name, Path(place), number)))
        done += ROUNDS_AT_ONCE if arguments.name == "kill" else 1
        sys.stdout.write(f"{arguments.name}: {done} rounds, nothing lost; slowest start {worst:.2f} s\n")
        sys.stdout.flush()


async def _one(name: str, place: Path, number: int) -> float:
    if name == "kill":
        return (await kills(place, ROUNDS_AT_ONCE, number)).slowest_start
    if name == "powercut":
        model = ("strict", "ext4", "random")[number % 3]
        return (await power_cut(place, model, number)).slowest_start
    return (await faulty(place, INJECTIONS[number % len(INJECTIONS)], number)).slowest_start


if __name__ == "__main__":
    main()
