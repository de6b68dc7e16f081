"""mail_draft: a message written into Drafts, for its owner to look at, change and send."""

import asyncio
import re
import time
from dataclasses import dataclass, field

from gk.actions.context import Context
from gk.actions.mail_named import message_named
from gk.actions.mail_sending import Message, drafted
from gk.actions.registry import action
from gk.actions.undo import Undo
from gk.actions.whose import whose
from gk.errors import Refused
from gk.message import compose
from gk.message.mailboxes import Group, parse_list
from gk.message.scan import scan
from gk.message.text import decode_words
from gk.outbound import draft as drafts
from gk.sieve.answering import message_ids
from gk.sieve.mail import Mail
from gk.store.content import Content
from gk.store.values import DRAFT, SEEN, Flags

HEADER = 256 << 10  # octets of the answered message that are looked at
_REPLY = re.compile(r"\s*(?:re|rép|ref|aw|sv)\s*(?:\[\d+\])?\s*:\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Input(Message):
    address: str = ""
    answers: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    id: str
    mailbox: str
    uid: int
    to: list[str]
    subject: str
    undo: list[Undo] = field(default_factory=list)


@action("mail_draft", scope="change")
async def mail_draft(context: Context, input: Input) -> Output:
    """Write a message into Drafts; nobody gets it before it is sent.

    With `answers` (G12, INBOX/7) it is an answer to that message: it goes to Reply-To, else to From, unless `to` says
    otherwise, keeps the subject and stands in the thread. The other arguments are those of mail_send.
    """
    account = whose(context, input.address)
    message = input
    rooms = context.store.mailboxes
    box = rooms.with_use(account.id, "\\Drafts")
    if box is None:
        raise Refused("there is no mailbox for drafts")
    written = drafted(message)
    if input.answers:
        number, _ = message_named(context, account.address, input.answers)
        content = await rooms.content_of(number)
        if content is None:
            raise Refused(f"the message {input.answers!r} is gone")
        try:
            written = await asyncio.to_thread(_answer, written, content)
        finally:
            content.close()
    name, sender = drafts.named(written.sender or account.address)
    if not context.directory.owns(account, sender):
        raise Refused(f"{sender} is not an address of {account.address}")
    id_ = compose.message_id(context.names.offer.hostname)
    author = (name or account.name or None, sender)
    raw = await asyncio.to_thread(drafts.write, written, author, id_, int(time.time()))
    arrival = await context.store.prepare(drafts.copy(written, raw))
    (uid,) = await rooms.append(box, [(arrival, Flags(DRAFT | SEEN), None)])
    (row,) = rooms.rows(box, [uid], ("message",))
    trash = rooms.with_use(account.id, "\\Trash")
    place = {"ids": [f"{box.name}/G{row[1]}"], "address": account.address}
    undo = [Undo("mail_move", {**place, "mailbox": trash.name})] if trash else []
    return Output(f"G{row[1]}", box.name, uid, [*written.to, *written.cc, *written.bcc], written.subject, undo)


def _answer(draft: drafts.Draft, content: Content) -> drafts.Draft:
    """The draft as an answer to a message. Raises Refused where nobody can be answered."""
    raw = content.read(0, HEADER)
    mail = Mail(raw, scan(raw))
    said: dict[str, str] = {}
    to: list[str] = []
    for entry in mail.fields:
        said.setdefault(entry.name, entry.text)
    for name in ("reply-to", "from"):
        to = to or [one for entry in mail.fields if entry.name == name for one in _addresses(entry.raw)]
    if not draft.to and not to:
        raise Refused("the message has no author that can be answered")
    in_reply_to, references = message_ids(mail)
    threaded = {"In-Reply-To": in_reply_to, "References": references} if in_reply_to else {}
    subject = _REPLY.sub("", " ".join(said.get("subject", "").split()), count=1)[:500]
    return drafts.Draft(
        draft.to or to[:1], draft.cc, draft.bcc, draft.subject or f"Re: {subject}", draft.text, draft.html,
        draft.sender, draft.reply_to, {**draft.headers, **threaded}, False, draft.attachments, False,
    )  # fmt: skip


def _addresses(value: bytes) -> list[str]:
    """Those of a field, as a draft names them."""
    found = []
    for entry in parse_list(value):
        for one in entry.members if isinstance(entry, Group) else (entry,):
            if one.local and one.domain:
                address = f"{one.local.decode('utf-8', 'replace')}@{one.domain.decode('utf-8', 'replace')}"
                name = " ".join(decode_words(one.name or b"").split())
                quoted = name.replace("\\", "\\\\").replace('"', '\\"')
                found.append(f'"{quoted}" <{address}>' if name else address)
    return found
