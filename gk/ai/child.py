"""The process that judges messages while many wait: `python -m gk.ai.child`, started by `Elsewhere`.

On its standard input come messages, on its standard output goes an answer for each, in the same order. It reads
strangers' octets and nothing else, keeps nothing, and may be killed at any moment.
"""

import sys
from typing import BinaryIO

from gk.ai.elsewhere import ASKED, END, answer
from gk.ai.judged import Judged, judge
from gk.service import behave_as_child

MEMORY = 1 << 30  # octets of address space
NICE = 5  # whoever reads and writes mail goes first


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Answer until the input ends."""
    while len(head := source.read(ASKED.size)) == ASKED.size:
        (length,) = ASKED.unpack(head)
        if length == END:
            target.flush()
        else:
            target.write(answer(judged(source.read(length))))


def judged(raw: bytes) -> Judged | None:
    """What a message is about; None where judging it fails."""
    try:
        return judge(raw)
    except Exception:  # the one net under a message: the others are judged all the same
        return None


def main() -> int:
    """Run until the parent closes the input."""
    behave_as_child(MEMORY, NICE)
    serve(sys.stdin.buffer, sys.stdout.buffer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
