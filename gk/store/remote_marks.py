"""What a message is known again by: a hash of four of its fields, the same from a whole header or only these."""

import hashlib
from dataclasses import dataclass

from gk.message.header import fields, unfold
from gk.message.mailboxes import Group, parse_list
from gk.message.text import decode_words
from gk.message.thread import base_subject, message_ids

SENDER = 320  # characters of an address that are kept, RFC 5321 §4.5.3.1
_MARKED = (b"message-id", b"date", b"from", b"subject")


@dataclass(frozen=True, slots=True)
class Marked:
    """What a header tells: the mark it is known again by, its sender, the hash of its subject, 0 where that is new."""

    mark: int
    sender: str = ""
    subject: int = 0
    answers: bool = False  # its subject is that of an answer
    named: bool = False  # it has a Message-ID


def marked(header: bytes) -> Marked:
    """What the four fields Message-ID, Date, From and Subject tell, from a whole header or only these; any bytes do."""
    found: dict[bytes, bytes] = {}
    for name, start, end in fields(header, 0, len(header)):
        if name in _MARKED:
            found.setdefault(name, unfold(header[start:end]))
    ids = message_ids(found.get(b"message-id", b""), 1)
    whole = [b"".join(ids), *(b" ".join(found.get(name, b"").split()) for name in _MARKED[1:])]
    subject = decode_words(found.get(b"subject", b""))
    base = base_subject(subject)
    return Marked(
        _hash(b"\0".join(whole)),
        _sender(found.get(b"from", b"")),
        _hash(base.encode("utf-8", "replace")) if base else 0,
        bool(base) and base != " ".join(subject.split()).lower(),
        bool(ids),
    )


def _hash(text: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big", signed=True)


def _sender(value: bytes) -> str:
    """The first address of From in lower case, "" where there is none."""
    for item in parse_list(value):
        if not isinstance(item, Group) and item.domain:
            return (item.local + b"@" + item.domain).decode("utf-8", "replace").lower()[:SENDER]
    return ""
