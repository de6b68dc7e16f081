"""A mail as whoever answers it must see it: who wrote it and from where, to whom, and whether a program may answer.

Reads the first MiB of a message and at most 64 KiB of header; any bytes give a letter, or a reason why there is none.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gk.ai.view import View, view
from gk.inbound.verdict import forged
from gk.message.address import Address, AddressError, parse_address
from gk.message.charset import decode
from gk.message.mailboxes import Group, parse_list
from gk.message.mailboxes import Mailbox as Written
from gk.message.part import Part
from gk.message.scan import scan
from gk.message.text import decode_words, file_name, walk
from gk.sieve.answering import declined, message_ids
from gk.sieve.mail import Field, Mail

HEADER = 64 << 10  # octets; no person's program writes more
NAME, SUBJECT = 60, 200  # characters
NAMED = 500  # addresses of To and Cc that are looked at
FILES = 20  # attachments that are named

_HOST = re.compile(r"\.\w\w")  # a dot within a word of more than initials


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail that may be answered.

    `sender` is the envelope's, None for the null path; `author` and `reply_to` are as the header has them. `named` are
    the lookup keys of the addresses in From, Reply-To, To and Cc: whoever has seen the mail; `to` are those of To
    and Cc. `files` are names of what is attached. `came`: it was delivered, and not put there by the user.
    """

    mail: Mail
    view: View
    sender: Address | None
    author: Address
    author_name: str
    reply_to: Address | None
    subject: str
    in_reply_to: str
    references: str
    named: frozenset[str]
    to: tuple[Address, ...]
    files: tuple[str, ...]
    tree: Part
    came: bool


def read(raw: bytes) -> Letter | str:
    """The letter, or in words why the message cannot be answered. Takes some milliseconds."""
    tree = scan(raw)
    if tree.body - tree.start > HEADER:
        return "its header is longer than any person's"
    mail = Mail(raw, tree)
    fields: dict[str, list[Field]] = {}
    for field in mail.fields:
        fields.setdefault(field.name, []).append(field)
    authors = _addresses(fields.get("from", []), 2)
    if len(authors) != 1 or len(fields.get("from", [])) != 1:
        return "it has no author, or several"
    replies = _addresses(fields.get("reply-to", []), 2)
    if len(replies) > 1:
        return "it wants several answers"
    mail.sender = _path(fields.get("return-path", []))
    in_reply_to, references = message_ids(mail)
    if not in_reply_to:
        return "it has no Message-ID to refer to"
    subject = " ".join(fields["subject"][0].text.split())[:SUBJECT] if "subject" in fields else ""
    name, author = authors[0]
    seen = _addresses([*fields.get("to", []), *fields.get("cc", [])], NAMED)
    named = frozenset(address.key for _, address in (*authors, *replies, *seen))
    to = tuple(address for _, address in seen)
    wanted = replies[0][1] if replies else None
    return Letter(
        mail, view(raw, tree, wary=True), mail.sender, author, name, wanted, subject, in_reply_to, references, named,
        to, _files(tree), tree, "return-path" in fields,
    )  # fmt: skip


def why_not(letter: Letter, target: Address, owns: Callable[[Address], bool], verdict: Mapping[str, Any] | None) -> str:
    """Why a letter is not to be answered by anybody but a person, "" where it may be (RFC 3834 §2, RFC 5230 §4.6)."""
    for address in dict.fromkeys((letter.sender, letter.author, target)):
        letter.mail.sender = address  # whichever of them an answer reached, it must not be a program's
        if reason := declined(letter.mail, owns):
            return reason
    if not any(owns(address) for address in letter.to):  # Bcc and Resent-To are for people to answer
        return "none of the user's addresses is in To or Cc"
    if verdict and verdict["action"] != "accept":
        return "it was judged to be junk"
    if verdict and forged(verdict["results"]):
        return "its sender is not who it says"
    if not letter.view.text.strip():
        return f"there is nothing to answer ({letter.view.reason or 'no text'})"
    return ""


def proven(letter: Letter, verdict: Mapping[str, Any] | None, author_here: bool) -> str:
    """What proves that the author's domain sent a letter: auth, dmarc, spf or dkim; "" where nothing does.

    Without a published DMARC policy SPF or DKIM must have passed for the very domain of From.
    """
    if author_here:
        return "auth"  # RFC 8601 §2.7.4: it was submitted here, in the name of who logged in
    if verdict is None:
        return ""
    results = verdict["results"]
    found = results.get("dmarc", [])
    if found and all(one == "pass" for one in found):
        return "dmarc"
    if found != ["none"]:
        return ""
    domain = letter.author.key.rpartition("@")[2]
    for one in verdict["findings"]:
        if one["rule"] in ("spf", "dkim") and one["text"].split()[:3] == ["pass", "for", domain]:
            return str(one["rule"])
    return ""


def target(letter: Letter, authentic: bool, knows: Callable[[Address], bool]) -> tuple[Address, bool]:
    """(whom an answer goes to, whether the author wanted it elsewhere and does not get that).

    Reply-To is believed where it is at the author's own domain, and that is proven, or where the user has written
    there before. Whoever pretends to be somebody else gets no answer sent away from that somebody.
    """
    wanted = letter.reply_to
    if wanted is None or wanted.key == letter.author.key:
        return letter.author, False
    same = wanted.key.rpartition("@")[2] == letter.author.key.rpartition("@")[2]
    if (same and authentic) or knows(wanted):
        return wanted, False
    return letter.author, True


def short_name(text: str) -> str:
    """A display name that can stand in a greeting; "" where it is none: a stranger chose it."""
    name = " ".join(text.split())
    if len(name) > NAME or not name or not all(c.isalpha() or c in " -'’." for c in name):
        return ""
    return "" if _HOST.search(name) else name


def _addresses(fields: list[Field], most: int) -> list[tuple[str, Address]]:
    """The first addresses of some fields, groups opened; what is none is left out."""
    found: list[tuple[str, Address]] = []
    for field in fields:
        for entry in parse_list(field.raw):
            for one in entry.members if isinstance(entry, Group) else (entry,):
                if len(found) < most and (address := _address(one)) is not None:
                    found.append((decode_words(one.name or b""), address))
    return found


def _address(one: Written) -> Address | None:
    try:
        return parse_address(f"{one.local.decode()}@{(one.domain or b'').decode()}")
    except (AddressError, UnicodeDecodeError):
        return None


def _path(fields: list[Field]) -> Address | None:
    """The envelope sender, which the topmost Return-Path tells (RFC 5321 §4.4)."""
    if not fields:
        return None
    try:
        return parse_address(fields[0].text.strip("<> "))
    except AddressError:
        return None


def _files(tree: Part) -> tuple[str, ...]:
    named = [(file_name(part), part) for part in walk(tree) if not part.children and part is not tree]
    return tuple(
        f"{' '.join(name.split())[:100]} ({decode(part.type, None)}/{decode(part.subtype, None)})"[:160]
        for name, part in named
        if name
    )[:FILES]
