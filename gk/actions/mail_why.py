"""mail_why: what led to the verdict on a message."""

from dataclasses import dataclass
from typing import Any

from gk.actions.ai_replies import told
from gk.actions.context import Context
from gk.actions.mail_named import message_named
from gk.actions.registry import action

BYTES = 300  # octets of the message shown for one finding


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
    replies: list[dict[str, Any]]


@action("mail_why", scope="read")
async def mail_why(context: Context, input: Input) -> Output:
    """Show why a message is where it is: each rule with its score, what the DNS said, and the bytes it is about.

    `id` is an EMAILID such as G12, or a mailbox and a uid such as INBOX/7; an administrator names the account in
    `address`, which an EMAILID can do without. `where` is [offset, length] in the message. `action` is unjudged where
    nothing was decided: a user sent it or put it here, or it came unjudged. `replies` say whether GK answered it, or
    why not, for each account that has it: as ai_replies tells them.
    """
    message, places = message_named(context, input.address, input.id)
    kept = context.store.verdicts.of(message)
    if kept is None:
        kept = {"action": "unjudged", "score": 0.0, "results": {}, "findings": []}
    named = []
    for owner, mailbox, uid in places:
        found = context.store.mailboxes.by_id(owner, mailbox)
        if found is not None:
            named.append({"account": owner, "mailbox": found.name, "uid": uid})
    findings = await _findings(context, message, kept["findings"])
    account = context.account.id if context.account else None
    if account is None and input.address:
        account = context.store.accounts.get(input.address).id
    replies = [told(row) for row in context.store.replies.of(message, account)]
    return Output(f"G{message}", named, kept["action"], kept["score"], kept["results"], findings, replies)


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
