"""A message as triage sees it: subject, sender, what its header admits to, and its text.

Reads at most 64 KiB of text. A message without text, a broken one or one in a charset nobody knows gives a view with a
`reason`; nothing raises.
"""

import re
from dataclasses import dataclass

from gk.ai import markup
from gk.ai.signals import words
from gk.message.charset import decode, is_known
from gk.message.date import parse_date
from gk.message.header import Raw, fields, joined, unfold
from gk.message.mailboxes import Mailbox, parse_list
from gk.message.part import Part
from gk.message.scan import scan
from gk.message.text import decode_words, transfer_decode, walk

TEXT = 16 << 10  # characters of the text that are looked at
READ = 64 << 10  # octets of a part that are decoded; base64 makes three of four
SUBJECT = 300  # characters
PARTS = 200  # of the tree that are looked at

_ROBOTS = re.compile(
    r"no-?_?reply|ne-?pas-?repondre|do-?not-?reply|donotreply|notif|alert|mailer-?daemon|postmaster|bounce|robot|"
    r"automat|newsletter|lettre|infolettre|bulletin|actus?\b|news\b|digest|calendar|daemon|system",
    re.IGNORECASE,
)
_ROLES = re.compile(
    r"info|contact|support|service|team|equipe|hello|bonjour|hey\b|sales|offre|offers|promo|deals|billing|compta|accounts?"
    r"|facturation|invoice|commande|orders?|admin|members|shop|boutique|jobs|security|securite|legal",
    re.IGNORECASE,
)
_REPLY = re.compile(r"\s*(?:re|rép|ref|aw|sv)\s*(?:\[\d+\])?\s*:", re.IGNORECASE)
_FORWARD = re.compile(r"\s*(?:re\s*:\s*)?(?:fwd?|tr|i|wg)\s*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class View:
    """What is looked at of one message.

    `text` is decoded, at most 16 Ki characters, lines ended by LF, composed (NFC); `marks` are facts of the header and
    of the structure, named with `#`; `local` and `domain` are the author's, in lower case; `sent` the epoch second of
    the Date field where it has one. `reason` says what could not be read, "" where all could.
    """

    subject: str = ""
    name: str = ""
    local: str = ""
    domain: str = ""
    text: str = ""
    marks: frozenset[str] = frozenset()
    sent: int | None = None
    reason: str = ""


def view(raw: Raw, part: Part | None = None, *, wary: bool = False) -> View:
    """The view of a message, whose scan may be given; any bytes give one.

    `wary`: without text that is there but hardly visible (`markup.lines`).
    """
    part = part or scan(raw)
    found = part.fields or {}
    marks = _header_marks(raw, part)
    subject = words.composed(_printable(decode_words(found.get(b"subject", b"")[:4_096])[:SUBJECT]))
    if _FORWARD.match(subject):
        marks.add("#forward")
    elif _REPLY.match(subject) or b"in-reply-to" in found:
        marks.add("#reply")
    name, local, domain = _author(found.get(b"from", b"")[:4_096])
    if _ROBOTS.search(local):
        marks.add("#robot")
    elif _ROLES.match(local):
        marks.add("#role")
    if domain and domain in _domains(found.get(b"to", b"")[:4_096]):
        marks.add("#colleague")
    text, reason = _text(raw, part, marks, wary)
    sent = parse_date(found.get(b"date", b"")[:200])
    return View(subject, name, local, domain, text, frozenset(marks), sent, reason or _lack(text))


def _lack(text: str) -> str:
    return "" if text and not text.isspace() else "no text"


def _printable(text: str) -> str:
    return " ".join(text.split())


def _author(value: bytes) -> tuple[str, str, str]:
    for item in parse_list(value):
        if isinstance(item, Mailbox):
            name = words.composed(_printable(decode_words(item.name or b""))[:100])
            return name, decode(item.local, None).lower()[:100], decode(item.domain or b"", None).lower()[:255]
    return "", "", ""


def _domains(value: bytes) -> set[str]:
    return {decode(item.domain or b"", None).lower() for item in parse_list(value)[:20] if isinstance(item, Mailbox)}


def _header_marks(raw: Raw, part: Part) -> set[str]:
    """What the header says of how it was sent (RFC 2369, RFC 2919, RFC 3834 section 5, Precedence, X-Priority)."""
    marks: set[str] = set()
    for name, start, end in fields(raw, part.start, part.body):
        if name not in _TELLING:
            continue
        value = unfold(raw[start : min(end, start + 200)]).lower()
        match name:
            case b"list-unsubscribe":
                marks.add("#unsubscribe")
            case b"list-id":
                marks.add("#list")
            case b"precedence":
                if value in (b"bulk", b"junk", b"list"):
                    marks.add("#bulk")
            case b"auto-submitted":
                if not value.startswith(b"no"):
                    marks.add("#automatic")
            case b"return-path":
                if value == b"<>":
                    marks.add("#null")
            case b"x-priority" | b"importance" | b"priority" | b"x-msmail-priority":
                if value[:1] in (b"1", b"2") or value.startswith((b"high", b"urgent")):
                    marks.add("#priority")
            case _:
                marks.add("#automatic")
    return marks


_TELLING = frozenset(
    (b"list-unsubscribe", b"list-id", b"precedence", b"auto-submitted", b"return-path", b"x-priority", b"importance",
     b"priority", b"x-msmail-priority", b"x-autoreply", b"x-autorespond", b"x-auto-response-suppress", b"feedback-id")
)  # fmt: skip


def _text(raw: Raw, part: Part, marks: set[str], wary: bool) -> tuple[str, str]:
    """The text to look at and what hindered: plain text goes before HTML (RFC 2046 section 5.1.4 prefers the last)."""
    plain: list[Part] = []
    html: Part | None = None
    reason = ""
    for item in walk(part)[:PARTS]:
        if item.children:
            continue
        if item.type == b"text" and item.subtype == b"calendar":
            marks.add("#calendar")
        elif item.disposition == b"attachment" or item.type != b"text":
            marks.add("#report" if item.subtype == b"delivery-status" else "#attached")
        elif item.subtype == b"html":
            html = html or item
        elif len(plain) < 10 and (not plain or html is None):
            plain.append(item)
    if html is not None:
        marks.add("#html")
    for candidate in ([*plain], [html] if html else []):
        pieces: list[str] = []
        for item in candidate:
            charset = joined(item.params, b"charset")
            label = charset[1] if charset else None
            if label and not is_known(label):
                reason = "unknown charset"
            content = raw[item.body : min(item.end, item.body + READ)]
            text = decode(transfer_decode(content, item.encoding), label)
            pieces.append(markup.lines(text, wary=wary) if item is html else _lines(text))
        found = words.composed("\n".join(pieces)[:TEXT])
        if found and not found.isspace():
            if candidate and candidate[0] is html:
                marks.add("#only-html")
            return found, reason
    return "", reason


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u00ad\u034f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]+")


def _lines(text: str) -> str:
    """Plain text with LF line ends, without what cannot be seen."""
    return _CONTROL.sub(
        "", text.replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ").replace("\u202f", " ")
    )
