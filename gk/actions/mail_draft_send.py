"""mail_draft_send: a draft, sent as it stands."""

import asyncio
import time
from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.mail_named import places_named
from gk.actions.registry import action
from gk.actions.whose import whose
from gk.errors import Refused
from gk.message.address import Address, AddressError, parse_address
from gk.message.date import format_date
from gk.message.header import FIELDS as SEEN
from gk.message.header import filter_fields
from gk.message.scan import scan
from gk.outbound.batch import Result, To
from gk.sieve.mail import Mail
from gk.store.values import DELETED, Account, Flags

FIELDS = {b"bcc", b"resent-bcc", b"date", b"return-path", b"x-gk-reason", b"x-gk-verdict"}
"""Of the draft's header: what the recipients do not get, or get anew."""


@dataclass(frozen=True, slots=True)
class Input:
    id: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class _Letter:
    """A draft taken apart: the address in From, all who claim to write, whom it goes to, its bytes as they leave."""

    sender: Address
    authors: list[Address]
    recipients: list[Address]
    content: bytes


@action("mail_draft_send", scope="send")
async def mail_draft_send(context: Context, input: Input) -> Result:
    """Send a message that stands in Drafts (G12, Drafts/7), exactly as it is, to those in its To, Cc and Bcc.

    It is dated anew, a copy goes into Sent, and it leaves Drafts. The answer is that of mail_send.
    """
    account = whose(context, input.address)
    rooms = context.store.mailboxes
    box = rooms.with_use(account.id, "\\Drafts")
    places = [p for p in places_named(context, account, [input.id]) if box is not None and p.mailbox.id == box.id]
    if box is None or not places:
        raise Refused(f"{input.id!r} is no draft")
    message, leaving = places[0].message, context.batch.leaving
    if message in leaving:
        raise Refused(f"{input.id!r} is being sent already")
    leaving.add(message)
    try:
        result = await _left(context, account, message)
        uids = [place.uid for place in places]
        await rooms.store_flags(box, uids, "add", Flags(DELETED))
        await rooms.expunge(box, uids)
    finally:
        leaving.discard(message)
    return result


async def _left(context: Context, account: Account, message: int) -> Result:
    """Send it. Raises Refused."""
    content = await context.store.mailboxes.content_of(message)
    if content is None:
        raise Refused(f"the message G{message} is gone")
    try:
        raw = await asyncio.to_thread(content.read, 0, content.size)
    finally:
        content.close()
    letter = await asyncio.to_thread(_taken_apart, raw, context.store.limits.recipients)
    for author in letter.authors:
        if not context.directory.owns(account, author):
            raise Refused(f"{author} is not an address of {account.address}")
    return await _sent(context, account, letter, raw)


async def _sent(context: Context, account: Account, letter: _Letter, kept: bytes) -> Result:
    to = [To(address) for address in letter.recipients]
    queue_id = await context.batch.submit.submit(
        account, letter.sender, to, letter.content, origin="api", keep=kept
    )  # fmt: skip
    return Result("delivered") if queue_id == "delivered" else Result("queued", queue_id)


def _taken_apart(raw: bytes, most: int) -> _Letter:
    tree = scan(raw)
    mail = Mail(raw, tree)
    if len(mail.fields) >= SEEN:  # further ones are not seen: an author could hide there
        raise Refused("the draft has too many header fields")
    authors = _addresses(mail, "from")
    if len(authors) != 1:
        raise Refused("the draft has no author, or several")
    for name in ("sender", "resent-from", "resent-sender"):
        authors += _addresses(mail, name)
    recipients: dict[str, Address] = {}
    for name in ("to", "cc", "bcc"):
        for address in _addresses(mail, name):
            recipients.setdefault(address.key, address)
    if not 0 < len(recipients) <= most:
        raise Refused(f"a message has 1 to {most} recipients")
    header = filter_fields(raw[: tree.body], FIELDS, negate=True)
    return _Letter(
        authors[0],
        authors,
        list(recipients.values()),
        b"Date: " + format_date(int(time.time())) + b"\r\n" + header + raw[tree.body :],
    )


def _addresses(mail: Mail, name: str) -> list[Address]:
    """The addresses of a field. Raises Refused for what is none."""
    found = []
    for entry in mail.fields:
        for local, domain in entry.addresses if entry.name == name else ():
            if not local and not domain and not entry.text:
                continue
            if not domain and entry.text.rstrip().endswith(";"):
                continue  # a group without members
            try:
                found.append(parse_address(f"{local}@{domain}"))
            except AddressError:
                raise Refused(f"{name} has an address that is none") from None
    return found
