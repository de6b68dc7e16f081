"""mail_triage: what a message is about, how urgent it is, and whether somebody waits for an answer."""

import asyncio
from dataclasses import asdict, dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.mail_named import message_named
from gk.actions.registry import action
from gk.ai.triage import Triage, triage
from gk.ai.view import view
from gk.errors import Refused
from gk.store.content import Content

READ = 1 << 20  # octets of a message that are looked at; its text stands at the beginning


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


@action("mail_triage", scope="read")
async def mail_triage(context: Context, input: Input) -> Output:
    """Say what a message is about, how urgent it is and whether an answer is awaited, with the words that tell.

    `id` and `address` are as in mail_why. Judged when asked, by the weights of this version. `start` and `end` of
    evidence and entities are octets in the UTF-8 form of the subject or of the decoded text, as `where` says.
    """
    message, _ = message_named(context, input.address, input.id)
    content = await context.store.mailboxes.content_of(message)
    if content is None:
        raise Refused(f"the message {input.id!r} is gone")
    try:
        found = await asyncio.to_thread(_judged, content)
    finally:
        content.close()
    plain = asdict(found)
    for name in ("bant", "keywords", "entities", "evidence"):
        plain[name] = list(plain[name])
    return Output(f"G{message}", **plain)


def _judged(content: Content) -> Triage:
    return triage(view(content.read(0, READ)))
