"""Everything a delivery stores about a message, from one scan of it."""

from dataclasses import dataclass

from gk.message.envelope import envelope
from gk.message.header import SECTION, Raw
from gk.message.part import Part
from gk.message.scan import scan
from gk.message.structure import bodystructure
from gk.message.table import dump
from gk.message.text import decode_words
from gk.message.thread import SUBJECT, message_ids

REFERENCES = 20  # ids kept of In-Reply-To and References together


@dataclass(frozen=True, slots=True)
class Parsed:
    """One message as the index holds it.

    `envelope` and `bodystructure` are IMAP wire bytes, `parts` the stored part table, `header` the header section with
    its empty line (at most 1 MiB). Ids keep their angle brackets; `references` holds the root first and the nearest
    parents last. `received` counts Received fields; `date` is the Date field raw. `tree` is the scan itself.
    """

    envelope: bytes
    bodystructure: bytes
    parts: bytes
    header: bytes
    message_id: bytes | None
    references: tuple[bytes, ...]
    received: int
    subject: str
    date: bytes
    tree: Part


def parse(raw: Raw) -> Parsed:
    """Scan a message and render what the index stores of it; any bytes give a value."""
    part = scan(raw)
    found = part.fields or {}
    get = found.get
    own = get(b"message-id")
    ids = message_ids(own, 1) if own else None
    subject = get(b"subject")
    return Parsed(
        envelope(raw, part),
        bodystructure(raw, part),
        dump(part),
        raw[: min(part.body, SECTION)],
        ids[0] if ids else None,
        _references(get(b"references"), get(b"in-reply-to")),
        int(get(b"received", b"0")),
        decode_words(subject)[:SUBJECT] if subject else "",
        get(b"date", b""),
        part,
    )


def _references(references: bytes | None, reply_to: bytes | None) -> tuple[bytes, ...]:
    ids = message_ids(references, REFERENCES) if references else []
    for parent in message_ids(reply_to, REFERENCES) if reply_to else ():
        if parent not in ids:
            ids.append(parent)
    return tuple(ids[:1] + ids[1 - REFERENCES :]) if len(ids) > REFERENCES else tuple(ids)
