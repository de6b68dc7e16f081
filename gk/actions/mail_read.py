"""mail_read: one message as a person reads it."""

import asyncio
from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.mail_named import message_named
from gk.actions.registry import action
from gk.actions.searching import described
from gk.actions.whose import whose
from gk.ai.view import TEXT, view
from gk.errors import Refused
from gk.message.header import fields, unfold
from gk.message.scan import scan
from gk.message.text import decode_words, file_name, walk
from gk.sieve.mail import Mail
from gk.store.content import Content

READ = 1 << 20  # octets of a message that are looked at
FIELD = 2000  # octets of a header field
FILES = 100
RECIPIENTS = 1000


@dataclass(frozen=True, slots=True)
class Input:
    id: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    id: str
    author: str
    to: str
    cc: str
    recipients: list[str]
    date: str
    subject: str
    text: str
    cut: bool
    attachments: list[dict[str, Any]]
    reason: str


@action("mail_read", scope="read")
async def mail_read(context: Context, input: Input) -> Output:
    """Give a message (G12, INBOX/7) as a person reads it: who, when, subject, text and the names of attached files.

    The text is the plain one, else the HTML without what is hidden, at most 16,384 characters (`cut`: there was more).
    `recipients` are the addresses of To, Cc and Bcc. `reason` says what could not be read. It stays as unread as it is.
    """
    account = whose(context, input.address)
    message, _ = message_named(context, account.address, input.id)
    content = await context.store.mailboxes.content_of(message)
    if content is None:
        raise Refused(f"the message {input.id!r} is gone")
    try:
        return await asyncio.to_thread(_read, message, content)
    finally:
        content.close()


def _read(message: int, content: Content) -> Output:
    raw = content.read(0, READ)
    part = scan(raw)
    seen = view(raw, part)
    header = raw[: part.body]
    name, address, subject = described(header)
    said = {b"to": "", b"cc": "", b"date": ""}
    for known, start, end in fields(header, 0, len(header)):
        if said.get(known.lower()) == "":
            said[known.lower()] = decode_words(unfold(header[start : min(end, start + FIELD)])).strip()
    files = [
        {"name": found, "type": f"{item.type.decode()}/{item.subtype.decode()}", "size": item.end - item.body}
        for item in walk(part)
        if (found := file_name(item))
    ]
    mail = Mail(raw, part)
    sent_to = (entry.addresses for kind in ("to", "cc", "bcc") for entry in mail.fields if entry.name == kind)
    recipients = list(dict.fromkeys(f"{local}@{domain}" for listed in sent_to for local, domain in listed if domain))
    author = f"{name} <{address}>" if name else address
    return Output(
        f"G{message}", author, said[b"to"], said[b"cc"], recipients[:RECIPIENTS], said[b"date"], subject, seen.text,
        len(seen.text) >= TEXT or content.size > READ, files[:FILES], seen.reason,
    )  # fmt: skip
