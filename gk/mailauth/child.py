"""The process that verifies the signatures of large messages: `python -m gk.mailauth.child`, started by Verifying.

On its standard input come frames: two lengths, JSON that says where the message is and which keys there are, and the
message itself unless it is in a file. On its standard output goes one for each, in the same order. It reads strangers'
bytes and nothing else, keeps nothing, and may be killed at any moment.
"""

import json
import mmap
import struct
import sys
from collections.abc import Sequence
from typing import Any, BinaryIO

from gk.mailauth import arc, dkim
from gk.mailauth.letter import Letter
from gk.mailauth.verifying import FRAME, answer
from gk.message.mapped import Mapped
from gk.message.searched import Sliced
from gk.service import behave_as_child

MEMORY = 1 << 30  # bytes of address space
NICE = 2  # whoever reads and writes mail goes first


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Answer until the input ends."""
    while len(head := source.read(FRAME.size)) == FRAME.size:
        lengths = FRAME.unpack(head)
        asked: dict[str, Any] = json.loads(source.read(lengths[0]))
        given = source.read(lengths[1])
        keys = {name: None if text is None else text.encode("latin-1") for name, text in asked["keys"].items()}
        if asked["path"] is None:
            found = _verified(given, asked["start"], asked["size"], keys)
        else:
            with open(asked["path"], "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                found = _verified(Mapped(mapped), asked["start"], asked["size"], keys)
        text = json.dumps(found).encode()
        target.write(struct.pack(">I", len(text)) + text)
        target.flush()


def _verified(content: Sliced, start: int, size: int, keys: dict[str, bytes | None]) -> dict[str, Any]:
    letter = Letter(content, start, size)
    return answer((dkim.verify(letter, keys), arc.verify(letter, keys)))


def main(arguments: Sequence[str]) -> int:
    """Run until the parent closes the input."""
    behave_as_child(MEMORY, NICE)
    serve(sys.stdin.buffer, sys.stdout.buffer)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
