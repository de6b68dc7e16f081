"""The process that looks at messages while many come at once: `python -m gk.inbound.spam.child`, started by Scanner.

On its standard input come frames: what it should know, or a message; on its standard output goes an answer for each
message, in the same order. It reads strangers' bytes and nothing else, keeps nothing, and may be killed at any moment.
"""

import sys
from collections.abc import Mapping
from typing import BinaryIO

from gk.inbound.spam.rule import Around
from gk.inbound.spam.scan import scan
from gk.inbound.spam.scanning import ASKED, KNOW, answer, read_known
from gk.service import behave_as_child

MEMORY = 1 << 30  # bytes of address space
NICE = 2  # whoever reads and writes mail goes first


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Answer until the input ends."""
    around: Around = Around()
    weights: Mapping[str, float] = {}
    while len(head := source.read(ASKED.size)) == ASKED.size:
        kind, length = ASKED.unpack(head)
        content = source.read(length)
        if kind == KNOW:
            around, weights = read_known(content)
        else:
            target.write(answer(scan(content, around, weights)))
            target.flush()


def main() -> int:
    """Run until the parent closes the input."""
    behave_as_child(MEMORY, NICE)
    serve(sys.stdin.buffer, sys.stdout.buffer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
