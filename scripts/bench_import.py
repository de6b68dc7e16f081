"""How fast `gk import` and `gk export` move messages of 4 KB through a running server's socket, and back.

usage: python scripts/bench_import.py [COUNT [DIRECTORY]]      (default: 10,000 in a temporary directory)
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP), str(TOP / "scripts" / "bench")]

import mix  # noqa: E402

from tests.server import USERS, Running, running  # noqa: E402


def timed(server: Running, count: int, *arguments: str) -> None:
    began = time.perf_counter()
    command = [sys.executable, "-m", "gk", "--config", str(server.config), *arguments]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    took = time.perf_counter() - began
    what = f"{arguments[0]:8} {Path(arguments[2]).name:10}"
    print(f"{what} {took:6.2f} s  {count / took:8,.0f}/s  {told.splitlines()[-1]}")


def main(count: int, directory: Path) -> None:
    source = directory / "maildir"
    for name in ("cur", "new", "tmp"):
        (source / name).mkdir(parents=True)
    for number in range(count):
        content = mix.message(number, size=4096)
        (source / "cur" / f"{1_600_000_000 + number}.{number}.bench:2,S").write_bytes(content)
    with running(directory) as server:
        alice, bob = USERS
        timed(server, count, "import", alice, str(source))
        timed(server, count, "import", alice, str(source))
        timed(server, count, "export", alice, str(directory / "exported"))
        timed(server, count, "export", alice, str(directory / "exported"))
        timed(server, count, "export", alice, str(directory / "mboxes"), "--format", "mbox")
        timed(server, count, "import", bob, str(directory / "mboxes"))


if __name__ == "__main__":
    amount = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    if len(sys.argv) > 2:
        main(amount, Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as place:
            main(amount, Path(place))
