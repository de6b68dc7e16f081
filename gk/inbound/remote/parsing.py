"""Answers of an IMAP server as values of ours (RFC 3501 §7): pure functions, any answer gives a value or BadAnswer."""

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gk.errors import Refused
from gk.inbound.remote.reader import Answer
from gk.message.date import parse_internal
from gk.store.values import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from gk.transfer.answers import BadAnswer, fetched, values
from gk.transfer.remote import decoded

UIDS = 1_000_000  # of one mailbox
LARGEST = 0xFFFFFFFF  # of a number, RFC 3501 §9
MODSEQ = (1 << 63) - 1  # RFC 7162 §7
NAMES = 5000  # mailboxes that are listed
FLAGS = 500  # of one message that are read
NAME = 1000  # octets of a mailbox's name
DAY = 86_400
_SYSTEM = {b"\\seen": SEEN, b"\\answered": ANSWERED, b"\\flagged": FLAGGED, b"\\deleted": DELETED, b"\\draft": DRAFT}
_CODE = re.compile(
    rb"(?:\* )?(?:[A-Za-z0-9]+ )?(?:OK|NO|BAD|PREAUTH|BYE) \[([A-Z0-9-]{1,40})(?: ([^\]]{0,1000}))?\]", re.I
)
_ATOM = re.compile(r"[A-Z][A-Z0-9-]{0,39}")


@dataclass(frozen=True, slots=True)
class Fetched:
    """What FETCH told of one message; None is what it did not tell. `date` in seconds since 1970."""

    uid: int
    flags: int | None = None
    size: int | None = None
    date: int | None = None
    modseq: int = 0
    header: bytes | None = None
    body: bytes | None = None


@dataclass(slots=True)
class Selected:
    """A mailbox as SELECT told of it; `modseq` 0 where it has none (RFC 7162 §3.1.2)."""

    exists: int = 0
    uidvalidity: int = 0
    uidnext: int = 0
    modseq: int = 0
    writable: bool = True


@dataclass(frozen=True, slots=True)
class Listed:
    """One mailbox of LIST: its name as it is said to the server, as people read it, and what it is used for."""

    raw: bytes
    name: str
    delimiter: str
    attributes: frozenset[str] = field(default_factory=frozenset)


def number(value: Any, largest: int = LARGEST) -> int | None:
    """A number within its bounds; None for anything else."""
    if not isinstance(value, bytes) or not value.isdigit() or len(value) > 20:
        return None
    found = int(value)
    return found if found <= largest else None


def text(answer: Answer) -> bytes:
    """The line an answer begins with, up to its first literal."""
    first = answer[0]
    return first if isinstance(first, bytes) else first[0]


def capabilities(answers: Iterable[Answer]) -> frozenset[str]:
    """What CAPABILITY told, in capitals."""
    for answer in answers:
        words = text(answer).upper().split()
        if words[:2] == [b"*", b"CAPABILITY"]:
            return frozenset(word.decode("latin-1") for word in words[2:502])
    return frozenset()


def code(line: bytes) -> str:
    """The response code of a status, in capitals, "" where there is none that is a plain word."""
    found = _CODE.match(line)
    word = found[1].decode().upper() if found else ""
    return word if _ATOM.fullmatch(word) else ""


def selected(answers: Iterable[Answer]) -> Selected:
    """What SELECT told, its last line included. Raises BadAnswer without a UIDVALIDITY, which all depends on."""
    found = Selected()
    for line in map(text, answers):
        words = line.split(None, 3)
        if words[:1] == [b"*"] and words[2:3] and words[2].upper() == b"EXISTS":
            found.exists = number(words[1]) or 0
        told = _CODE.match(line)
        if told is None:
            continue
        name, value = told[1].upper(), number((told[2] or b"").strip(), MODSEQ)
        if name == b"UIDVALIDITY":
            found.uidvalidity = value or 0
        elif name == b"UIDNEXT":
            found.uidnext = value or 0
        elif name == b"HIGHESTMODSEQ":
            found.modseq = value or 0
        elif name == b"READ-ONLY":
            found.writable = False
    if not 0 < found.uidvalidity <= LARGEST:
        raise BadAnswer("the server tells no UIDVALIDITY")
    if found.exists > UIDS:
        raise BadAnswer(f"the mailbox has more than {UIDS} messages")
    return found


def searched(answers: Iterable[Answer]) -> list[int]:
    """The uids that SEARCH or ESEARCH found (RFC 3501 §7.2.5, RFC 4731 §3.1), in order, each once."""
    found: set[int] = set()
    for answer in answers:
        words = text(answer).split()
        kind = words[1].upper() if len(words) > 1 and words[0] == b"*" else b""
        if kind == b"SEARCH":
            for word in words[2:]:
                if word.startswith(b"("):  # (MODSEQ 5), RFC 7162 §3.1.5
                    break
                uid = number(word)
                if not uid:
                    raise BadAnswer("the server finds a message without a number")
                found.add(uid)
        elif kind == b"ESEARCH":
            upper = [word.upper() for word in words]
            if b"ALL" in upper[2:-1]:
                for first, last in _ranges(words[upper.index(b"ALL", 2) + 1]):
                    if last - first >= UIDS - len(found):
                        raise BadAnswer("the server finds more messages than there can be")
                    found.update(range(first, last + 1))
        if len(found) > UIDS:
            raise BadAnswer("the server finds more messages than there can be")
    return sorted(found)


def _ranges(value: bytes) -> list[tuple[int, int]]:
    ranges = []
    for part in value.split(b","):
        first, colon, last = part.partition(b":")
        low, high = number(first), number(last if colon else first)
        if not low or not high:
            raise BadAnswer("the server tells a set that is none")
        ranges.append((min(low, high), max(low, high)))
    return ranges


def messages(answers: Iterable[Answer], asked: set[int]) -> dict[int, Fetched]:
    """What FETCH told of the uids that were asked for, by uid; what it told of others is left out.

    A server may tell of one message in several answers: the later ones add to the earlier.
    """
    found: dict[int, Fetched] = {}
    for answer in answers:
        words = text(answer)[:40].split(None, 3)
        if len(words) < 3 or words[0] != b"*" or not words[1].isdigit() or words[2].upper() != b"FETCH":
            continue
        items = fetched(_without_star(answer))
        uid = number(items.get(b"UID"))
        if uid not in asked or uid is None:
            continue
        found[uid] = _both(found.get(uid, Fetched(uid)), _message(uid, items))
    return found


def _both(earlier: Fetched, later: Fetched) -> Fetched:
    return Fetched(
        later.uid,
        earlier.flags if later.flags is None else later.flags,
        earlier.size if later.size is None else later.size,
        earlier.date if later.date is None else later.date,
        max(earlier.modseq, later.modseq),
        earlier.header if later.header is None else later.header,
        earlier.body if later.body is None else later.body,
    )


def _without_star(answer: Answer) -> list[Any]:
    first = answer[0]
    head = first[2:] if isinstance(first, bytes) else (first[0][2:], first[1])
    return [head, *answer[1:]]


def _message(uid: int, items: dict[bytes, Any]) -> Fetched:
    flags = items.get(b"FLAGS")
    modseq = items.get(b"MODSEQ")
    return Fetched(
        uid,
        bits(flags) if isinstance(flags, list) else None,
        number(items.get(b"RFC822.SIZE")),
        _moment(items.get(b"INTERNALDATE")),
        (number(modseq[0], MODSEQ) or 0) if isinstance(modseq, list) and modseq else 0,
        _section(items, b"BODY[HEADER"),
        _section(items, b"BODY[]"),
    )


def _section(items: dict[bytes, Any], name: bytes) -> bytes | None:
    """What a section holds; servers write its name in their own way, and say where a part of it begins."""
    return next((v for k, v in items.items() if k.startswith(name) and isinstance(v, bytes)), None)


def bits(flags: Sequence[Any]) -> int:
    """System flags as the store has them; keywords and flags of the server's own are not among them."""
    found = 0
    for flag in flags[:FLAGS]:
        if isinstance(flag, bytes):
            found |= _SYSTEM.get(flag.lower(), 0)
    return found


def _moment(value: Any) -> int | None:
    """A date between 1970 and tomorrow; others are held to that."""
    moment = parse_internal(value) if isinstance(value, bytes) else None
    return None if moment is None else min(max(moment, 0), int(time.time()) + DAY)


def listed(answers: Iterable[Answer]) -> list[Listed]:
    """The mailboxes that can be selected, of LIST (RFC 3501 §7.2.2, RFC 6154)."""
    found: list[Listed] = []
    for answer in answers:
        words = text(answer)[:20].split(None, 2)
        if len(words) < 2 or words[0] != b"*" or words[1].upper() != b"LIST":
            continue
        read = values(_without_star(answer))[1:]
        if len(read) < 3 or not isinstance(read[0], list):
            continue
        attributes = frozenset(a.decode("latin-1").upper() for a in read[0][:50] if isinstance(a, bytes))
        raw = read[2] if isinstance(read[2], bytes) else b"NIL" if read[2] is None else None
        if raw is None or len(raw) > NAME or attributes & {"\\NOSELECT", "\\NONEXISTENT"}:
            continue
        delimiter = read[1].decode("latin-1")[:1] if isinstance(read[1], bytes) else ""
        found.append(Listed(raw, decoded(raw), delimiter, attributes))
        if len(found) > NAMES:
            raise BadAnswer(f"the server lists more than {NAMES} mailboxes")
    return found


def copied(lines: Iterable[bytes]) -> tuple[int, dict[int, int]]:
    """COPYUID (RFC 4315 §3) of MOVE: the UIDVALIDITY there, and the new uid of each; (0, {}) where nothing is told."""
    for line in lines:
        found = _CODE.match(line)
        words = (found[2] or b"").split() if found and found[1].upper() == b"COPYUID" else []
        if len(words) != 3:
            continue
        validity = number(words[0])
        before, after = (_listed_uids(word) for word in words[1:])
        if validity and len(before) == len(after):
            return validity, dict(zip(before, after, strict=True))
    return 0, {}


def _listed_uids(value: bytes) -> list[int]:
    uids: list[int] = []
    for first, last in _ranges(value):
        if last - first >= 1000:
            raise BadAnswer("the server moved more messages than it was asked to")
        uids += range(first, last + 1)
    return uids


def quoted(raw: bytes | str) -> str:
    """A string as it is said to a server (RFC 3501 §4.3). Raises Refused for what cannot be in one."""
    try:
        value = raw if isinstance(raw, str) else raw.decode()
    except UnicodeDecodeError:
        raise Refused("the name of a mailbox there is no text") from None
    if "\r" in value or "\n" in value or "\0" in value:
        raise Refused("a name of a mailbox has no control characters")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
