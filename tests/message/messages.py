"""The sample messages of tests/data/message, and a reader of IMAP lists to check what is rendered."""

from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).resolve().parent.parent / "data" / "message"


def eml(name: str) -> bytes:
    """A sample message with CRLF line ends."""
    return (_FOLDER / f"{name}.eml").read_bytes().replace(b"\n", b"\r\n")


def samples() -> list[str]:
    """The names of all sample messages."""
    return sorted(path.stem for path in _FOLDER.glob("*.eml"))


def mime(*lines: str) -> bytes:
    """A message from its lines, with CRLF line ends."""
    return "\r\n".join((*lines, "")).encode()


def read_list(wire: bytes) -> Any:
    """The value of one IMAP parenthesised list: lists, bytes, int and None; fails on anything the grammar forbids."""
    at = 0
    stack: list[list[Any]] = [[]]
    while at < len(wire):
        octet = wire[at : at + 1]
        if octet == b"(":
            stack.append([])
            at += 1
        elif octet == b")":
            done = stack.pop()
            stack[-1].append(done)
            at += 1
        elif octet == b" ":
            assert wire[at + 1 : at + 2] not in (b" ", b")", b""), f"stray blank at {at}"
            at += 1
        elif octet == b'"':
            end = wire.index(b'"', at + 1)
            text = wire[at + 1 : end]
            assert text.isascii() and not text.translate(bytes(range(256)), bytes(set(range(256)) - set(b"\r\n\0\\")))
            stack[-1].append(text)
            at = end + 1
        elif octet == b"{":
            end = wire.index(b"}\r\n", at)
            size = int(wire[at + 1 : end])
            text = wire[end + 3 : end + 3 + size]
            assert len(text) == size and b"\0" not in text
            stack[-1].append(text)
            at = end + 3 + size
        elif wire[at : at + 3] == b"NIL":
            stack[-1].append(None)
            at += 3
        else:
            end = at
            while wire[end : end + 1].isdigit():
                end += 1
            assert end > at, f"not a list at {at}: {wire[at : at + 20]!r}"
            stack[-1].append(int(wire[at:end]))
            at = end
    assert len(stack) == 1 and len(stack[0]) == 1
    return stack[0][0]
