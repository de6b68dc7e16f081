"""mail_triage: what a message is about, how urgent it is, and whether somebody waits for an answer."""

import asyncio
from dataclasses import asdict, dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.mail_named import message_named
from gk.actions.registry import action
from gk.ai.judged import READ, told
from gk.ai.triage import triage
from gk.ai.view import view
from gk.errors import Refused


@dataclass(frozen=True, slots=True)
class Input:
    id: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    id: str
    language: str
    category: str
    urgency: str
    urgency_value: float
    sentiment: str
    sentiment_value: float
    needs_response: bool
    notification: bool
    spam: float
    bant: list[str]
    keywords: list[str]
    entities: list[dict[str, Any]]
    summary: str
    confidence: dict[str, float]
    evidence: list[dict[str, Any]]
    reason: str
    version: int
    stored: bool
    routed: list[dict[str, Any]]


@action("mail_triage", scope="read")
async def mail_triage(context: Context, input: Input) -> Output:
    """Say what a message is about, how urgent it is and whether an answer is awaited, with the words that tell.

    `id` and `address` are as in mail_why. `stored`: it was judged when it was delivered, by the weights `version`; else
    it is judged now, by those there are. `start` and `end` of evidence and entities are octets in the UTF-8 form of the
    subject or of the decoded text, as `where` says. `routed`: what a route of the configuration made of it, in which
    account.
    """
    message, places = message_named(context, input.address, input.id)
    routed = _routed(context, message, {account for account, _, _ in places})
    kept = context.store.triages.of(message)
    content = await context.store.mailboxes.content_of(message)
    if content is None:
        raise Refused(f"the message {input.id!r} is gone")
    try:
        found, stored = await asyncio.to_thread(lambda: _told(content.read(0, READ), kept))
    finally:
        content.close()
    return Output(f"G{message}", **found, stored=stored, routed=routed)


def _told(raw: bytes, kept: dict[str, Any] | None) -> tuple[dict[str, Any], bool]:
    """What is known of a message as plain values, and whether it was stored."""
    seen = view(raw)
    stored = told(kept, seen) if kept is not None else None
    found = stored or asdict(triage(seen))
    for name in ("bant", "keywords", "entities", "evidence"):
        found[name] = list(found[name])
    return found, stored is not None


def _routed(context: Context, message: int, accounts: set[int]) -> list[dict[str, Any]]:
    """What routes made of a message in these accounts."""
    return [
        {
            "account": context.store.accounts.by_id(one.account).address, "route": one.route, "folder": one.folder,
            "flags": one.flags.split(), "priority": one.priority,
        }
        for one in context.store.triages.routed(message)
        if one.account in accounts
    ]  # fmt: skip
