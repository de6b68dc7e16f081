"""mail_why: what led to the verdict on a message."""

import re
from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action
from gk.errors import Refused

BYTES = 300  # octets of the message shown for one finding
_ID = re.compile(r"G([1-9][0-9]{0,17})")
_PLACE = re.compile(r"(.+)/([1-9][0-9]{0,9})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Input:
    id: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    rule: str
    score: float
    text: str
    asked: str
    answer: str
    where: list[int] | None
    bytes: str


@dataclass(frozen=True, slots=True)
class Output:
    id: str
    places: list[dict[str, Any]]
    action: str
    score: float
    results: dict[str, Any]
    findings: list[Finding]


@action("mail_why", scope="read")
async def mail_why(context: Context, input: Input) -> Output:
    """Show why a message is where it is: each rule with its score, what the DNS said, and the bytes it is about.

    `id` is an EMAILID such as G12, or a mailbox and a uid such as INBOX/7; an administrator names the account in
    `address`, which an EMAILID can do without. `where` is [offset, length] in the message.
    """
    account = _account(context, input.address)
    message = _message(context, account, input.id)
    places = context.store.verdicts.places(message, account) if message else []
    if not message or not places:
        raise Refused(f"there is no message {input.id!r} here; name it by its EMAILID (G12) or as INBOX/7")
    kept = context.store.verdicts.of(message)
    if kept is None:
        raise Refused("nothing was decided about this message: it was sent or put here by a user, or came unjudged")
    named = []
    for owner, mailbox, uid in places:
        found = context.store.mailboxes.by_id(owner, mailbox)
        if found is not None:
            named.append({"account": owner, "mailbox": found.name, "uid": uid})
    findings = await _findings(context, message, kept["findings"])
    return Output(f"G{message}", named, kept["action"], kept["score"], kept["results"], findings)


def _account(context: Context, address: str) -> int | None:
    """Whose message it must be; None: anybody's, for administrators only."""
    if context.account is None:
        return context.store.accounts.get(address).id if address else None
    if address and address.lower() != context.account.address:
        raise Refused("that is another account")
    return context.account.id


def _message(context: Context, account: int | None, text: str) -> int | None:
    if found := _ID.fullmatch(text):
        return int(found[1])
    place = _PLACE.fullmatch(text)
    if place is None:
        return None
    if account is None:
        raise Refused("a mailbox and a uid need an address: whose mailbox?")
    mailbox = context.store.mailboxes.get(account, place[1])
    rows = context.store.mailboxes.rows(mailbox, [int(place[2])], ("message",)) if int(place[2]) < 1 << 32 else []
    return int(rows[0][1]) if rows else None


async def _findings(context: Context, message: int, kept: list[dict[str, Any]]) -> list[Finding]:
    content = await context.store.mailboxes.content_of(message)
    found = []
    try:
        for one in kept:
            where, shown = one["where"], ""
            if where and content is not None:
                octets = content.read(where[0], min(where[1], BYTES))
                shown = octets.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
            found.append(Finding(one["rule"], one["score"], one["text"], one["asked"], one["answer"], where, shown))
    finally:
        if content is not None:
            content.close()
    return found
