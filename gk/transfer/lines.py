"""Line ends and names of messages: CRLF, and what makes two of them the same."""

import hashlib
import re
import zlib

from gk.message.date import parse_date
from gk.message.header import fields, unfold
from gk.message.thread import message_ids

HEAD = 64 << 10  # bytes of a header that are looked at for a Message-ID
_BARE = re.compile(rb"(?<!\r)\n")


def crlf(content: bytes) -> bytes:
    """The content with every bare LF made CRLF, everything else as it is: what IMAP's APPEND does."""
    return content if content.count(b"\n") == content.count(b"\r\n") else _BARE.sub(b"\r\n", content)


def identity(head: bytes) -> str:
    """What names a message, from the beginning of it, header at least: its Message-ID or, without one, its header."""
    head = _header(head[:HEAD])
    for name, start, end in fields(head, 0, len(head)):
        if name == b"message-id":
            if ids := message_ids(head[start:end], 1):
                return hashlib.blake2b(ids[0], digest_size=8).hexdigest()
            break
    return hashlib.blake2b(b"\0" + head, digest_size=8).hexdigest()


def has_identity(head: bytes) -> bool:
    """Whether a header names its message by itself."""
    return any(
        name == b"message-id" and message_ids(head[start:end], 1) for name, start, end in fields(head, 0, len(head))
    )


def key(name: str, size: int, crc: int) -> int:
    """64 bits that stand for a message: equal for the same identity, size and CRC-32."""
    digest = hashlib.blake2b(f"{name} {size} {crc}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def key_of(content: bytes) -> int:
    return key(identity(content), len(content), zlib.crc32(content))


def _header(head: bytes) -> bytes:
    """Up to its empty line, which is not part of it."""
    if head.startswith((b"\r\n", b"\n")):
        return b""
    ends = [at for at in (head.find(b"\n\r\n"), head.find(b"\n\n")) if at >= 0]
    return head[: min(ends) + 1] if ends else head


def arrived(content: bytes) -> int | None:
    """When a message came, by its own word: the date of its newest Received field, else its Date."""
    head = content[: content.find(b"\r\n\r\n") + 2 or HEAD][:HEAD]
    for wanted in (b"received", b"date"):
        for name, start, end in fields(head, 0, len(head)):
            if name == wanted:
                value = unfold(head[start:end])
                date = parse_date(value.rpartition(b";")[2] if wanted == b"received" else value)
                if date is not None and date >= 0:
                    return date
                break
    return None
