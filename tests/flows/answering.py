"""A server that answers mail, and a scripted model beside it: what flows about answers have in common."""

import asyncio
import email
import email.message
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.ai.endpoint import Endpoint, Play, answers, endpoint, said
from tests.flows.conftest import ALICE, House, house
from tests.mailauth.test_spf import txt
from tests.strangers import PATIENCE

ZOE = "zoe@far.test"
ASKS = (
    "Hello,\r\n\r\nCould you please send me the signed contract by Thursday? I need it for the notary.\r\n\r\nZoe\r\n"
)
REPLY = "Thank you for your message. I will send you the signed contract on Wednesday."
DRAFTS = '[[replies.rules]]\nname = "all"\n'
SENDS = '[[replies.rules]]\nname = "known"\nsenders = ["@far.test"]\naction = "send"\n'


def good(reply: str = REPLY, **more: Any) -> dict[str, Any]:
    """The fields of an answer."""
    return {"reply": reply, "language": "en", "confidence": 0.9, "needs_person": False} | more


def says(reply: str = REPLY, **more: Any) -> Play:
    return answers(200, said(good(reply, **more)))


def letter(body: str = ASKS, number: int = 1, **fields: str) -> bytes:
    """A mail from Zoe to Alice."""
    head = {
        "From": f"Zoe Lane <{ZOE}>", "To": ALICE, "Subject": "The contract", "Message-ID": f"<{number}@far.test>"
    } | fields  # fmt: skip
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in head.items() if value)
    return f"{lines}Date: Fri, 30 Jan 2026 12:00:00 +0000\r\n\r\n{body}".encode()


@asynccontextmanager
async def answering(
    directory: Path, rules: str = DRAFTS, play: Play | None = None, *, ai: str = "", seconds: int = 5, **more: Any
) -> AsyncIterator[tuple[House, Endpoint]]:
    """A house with these rules and a model that says this; far.test proves its mail by SPF, or strangers are judged."""
    async with endpoint(play or says()) as model:
        models = (
            f'[ai]\n{ai}\n[[ai.models]]\nurl = "{model.url}"\nmodel = "scripted"\nseconds = {seconds}\n' if play else ""
        )
        tables = f"[judge]\ntrusted = []\n{models}{rules}"
        async with house(directory, judge=tables, **more) as gk:
            for name in ("far.test", "mx.far.test"):  # the second is what says HELO
                gk.zone.add(name, "TXT", txt("v=spf1 ip4:127.0.0.0/8 -all"))
            gk.zone.add("_dmarc.far.test", "TXT", txt("v=DMARC1; p=reject"))
            yield gk, model


def prompts(model: Endpoint) -> list[tuple[str, str]]:
    """(what it was to do, what it was given) of each call; probes are none."""
    return [tuple(one["content"] for one in asked["messages"]) for asked in model.asked if asked]


async def befriended(gk: House, address: str = ZOE) -> None:
    """Alice has written to this address before; its server is one of the test's."""
    account = gk.rooms.store.accounts.get(ALICE)
    sending = gk.rooms.store.sending
    mark = sending.hash(account.id, address)
    await gk.rooms.store.commits.do(lambda db, facts: sending.count(db, account.id, [mark], time.time()))


async def settled(gk: House, count: int = 1, address: str = "") -> list[dict[str, Any]]:
    """What became of so many messages, the oldest first, once none is open."""
    async with asyncio.timeout(PATIENCE * 2):
        while True:
            rows = (await gk.act("ai_replies", address=address, limit=500))["replies"]
            if len(rows) >= count and all(row["state"] in ("completed", "failed", "skipped") for row in rows):
                return rows[::-1]
            await asyncio.sleep(0.02)  # nobody is told of silence


async def drafts(gk: House, address: str = ALICE) -> list[email.message.Message]:
    return [email.message_from_bytes(raw) for raw in await gk.inbox(address, "Drafts")]


def text_of(message: email.message.Message, kind: str = "text/plain") -> str:
    """The text of one form of a message."""
    for part in message.walk():
        if part.get_content_type() == kind:
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            return payload.decode().replace("\r\n", "\n")
    return ""
