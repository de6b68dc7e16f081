"""What SORT and THREAD compare of a message (RFC 5256, RFC 5957), read from its header.

Texts are folded as i;unicode-casemap has it (RFC 5051), so that comparing them is comparing strings.
"""

import re
import unicodedata
from dataclasses import dataclass

from gk.message.charset import decode
from gk.message.date import parse_date
from gk.message.fields import read_fields
from gk.message.header import FIELD
from gk.message.mailboxes import Group, Mailbox, parse_list
from gk.message.text import decode_words
from gk.message.thread import SUBJECT, message_ids

TEXT = 1_000  # characters of an address or a name that are compared

_BLANK = re.compile(r"[ \t\r\n]+")
_BLOB = re.compile(r"\[[^\[\]]*+\][ \t]*+")
_REFWD = re.compile(r"(?:re|fwd?)[ \t]*+(?:\[[^\[\]]*+\][ \t]*+)?+:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SortKeys:
    """What is compared of one message.

    `sent` is the epoch of the Date field, None where it names none. `subject` is the base subject, `reply` 1 when
    a mark of a reply or a forward was taken off it. `sender`, `to` and `cc` are the local part of the first address,
    "" without one; `display_from` and `display_to` the names shown for it. Ids keep their angle brackets.
    """

    sent: int | None
    subject: str
    reply: int
    sender: str
    to: str
    cc: str
    display_from: str
    display_to: str
    message_id: bytes | None
    references: tuple[bytes, ...]


def sort_keys(header: bytes) -> SortKeys:
    """The keys of a message with this header section; any bytes give a value."""
    get = read_fields(header).get
    subject, reply = base_subject(decode_words(get(b"subject", b"")))
    own = get(b"message-id")
    ids = message_ids(own, 1) if own else []
    sender, receiver = _first(get(b"from")), _first(get(b"to"))
    return SortKeys(
        parse_date(get(b"date", b"")),
        casemap(subject),
        int(reply),
        _local(sender),
        _local(receiver),
        _local(_first(get(b"cc"))),
        _display(sender),
        _display(receiver),
        ids[0] if ids else None,
        _references(get(b"references"), get(b"in-reply-to")),
    )


def base_subject(subject: str) -> tuple[str, bool]:
    """The base subject of a decoded one, and whether it was a reply's or a forward's (RFC 5256 §2.1)."""
    text, marked = _BLANK.sub(" ", subject[:SUBJECT]), False
    while True:
        text = text.rstrip(" ")
        if text[-5:].lower() == "(fwd)":  # (2)
            text, marked = text[:-5], True
            continue
        text, found = _without_leaders(text)  # (3) to (5)
        marked |= found
        if text[:5].lower() == "[fwd:" and text[-1:] == "]":  # (6)
            text, marked = text[5:-1], True
            continue
        return text, marked


def _without_leaders(text: str) -> tuple[str, bool]:
    """Reply marks go with the blobs before them; blobs alone go as long as they leave something."""
    at, marked, blobs = 0, False, -1  # blobs: where the run of blobs before `at` began
    while True:
        while text[at : at + 1] == " ":
            at += 1
        if (found := _REFWD.match(text, at)) is not None:
            marked, blobs = True, -1
        elif (found := _BLOB.match(text, at)) is not None:
            blobs = at if blobs < 0 else blobs
        else:
            break
        at = found.end()
    if at == len(text) and blobs >= 0:  # nothing but blobs is left: the last one is the subject
        last = text.rfind("[", blobs)
        return text[last:], marked
    return text[at:], marked


def casemap(text: str) -> str:
    """The text folded as i;unicode-casemap (RFC 5051 §2): simple titlecase, then decomposed."""
    if text.isascii():
        return text.upper()
    titled = "".join(title if len(title := c.title()) == 1 else c for c in text)
    return unicodedata.normalize("NFKD", titled).encode("utf-8", "replace").decode()  # lone surrogates are no text


def _first(value: bytes | None) -> Mailbox | Group | None:
    found = parse_list(value[:FIELD]) if value else []
    return found[0] if found else None


def _local(address: Mailbox | Group | None) -> str:
    """addr-mailbox of ENVELOPE: of a group it is the group's name (RFC 3501 §7.4.2)."""
    match address:
        case Mailbox(local=raw) | Group(name=raw):
            return casemap(decode(raw, None)[:TEXT])
    return ""


def _display(address: Mailbox | Group | None) -> str:
    """RFC 5957 §3: the name, else the address."""
    match address:
        case Mailbox(name=name, local=local, domain=domain):
            if name and (text := decode_words(name).strip()):
                return casemap(text[:TEXT])
            return casemap(decode(local + b"@" + domain if domain else local, None)[:TEXT])
        case Group(name=name):
            return casemap(decode_words(name).strip()[:TEXT])
    return ""


def _references(references: bytes | None, reply_to: bytes | None) -> tuple[bytes, ...]:
    """RFC 5256 §3, REFERENCES (1): References, and where it names nothing the first id of In-Reply-To."""
    if references and (ids := message_ids(references)):
        return tuple(ids)
    return tuple(message_ids(reply_to, 1)) if reply_to else ()
