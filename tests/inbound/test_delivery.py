"""What a verdict does to a message: where it goes, what stands above it, what is kept, what is refused."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gk.accounts.aliases import Directory
from gk.bus import Bus
from gk.config import Config, Limits
from gk.inbound.accept import Accept
from gk.inbound.incoming import Incoming, Message
from gk.inbound.placing import Placed, as_junk
from gk.inbound.trace import Client
from gk.inbound.verdict import DeferredByVerdict, Finding, RefusedByVerdict, Verdict
from gk.message.address import parse_address
from gk.store.db import Store
from gk.store.values import Flags, Recipient
from gk.store.verdicts import LARGEST, packed

CLIENT = Client("client.example.org", "192.0.2.1", True, None, False)
TEXT = b"Subject: x\r\n\r\nbody\r\n"
FIELDS = b"Authentication-Results: mail.example.test; none\r\n"
JUNKED = Verdict("junk", fields=FIELDS, findings=(Finding("dmarc", "fail", 5.0, (0, 10)),), score=5.0)


class Fixed:
    """The same verdict on everything."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict

    async def judge(self, incoming: Incoming, message: Message) -> Verdict:
        return self.verdict


class Each:
    """Alice's goes to two mailboxes, one with a keyword; what is Bob's is junk; nobody else's is kept."""

    async def place(self, recipient: Recipient, verdict: Verdict, incoming: Incoming, message: Message) -> Placed:
        if recipient.address.startswith("alice"):
            flags = Flags(1, frozenset({"seen-by-a-rule"}))
            return Placed((recipient, Recipient(recipient.account, 0, recipient.address, flags, "\\Archive")))
        return Placed((as_junk(recipient),) if recipient.address.startswith("bob") else ())


@asynccontextmanager
async def opened(directory: Path, verdict: Verdict, placing: Each | None = None) -> AsyncIterator[tuple[Accept, Store]]:
    limits = Limits(free_space_bytes=1)
    config = Config(data=directory / "data", domains=("example.test",), limits=limits)
    async with Store.open(config, Bus()) as store:
        for name in ("alice", "bob", "carol"):
            await store.accounts.add(f"{name}@example.test", None)
        folders = Directory(store.accounts, store.mailboxes, config.domains, {})
        yield Accept(store, folders, "mail.example.test", limits, Fixed(verdict), placing), store


def incoming(accept: Accept, *names: str) -> Incoming:
    parsed = [parse_address(f"{name}@example.test") for name in names]
    found = [(address, accept.recipient(address) or []) for address in parsed]
    return Incoming("id1", CLIENT, parse_address("eve@example.org"), False, found)


def places(store: Store) -> list[tuple[str, str, frozenset[str]]]:
    """(account, mailbox, keywords) of every message."""
    rows = store.reader.execute(
        "SELECT a.address, m.name, k.words FROM entry e JOIN mailbox m ON m.id = e.mailbox"
        " JOIN account a ON a.id = m.account LEFT JOIN keyword_set k ON k.id = e.flags >> 8 ORDER BY 1, 2"
    )
    return [(address.partition("@")[0], name, frozenset((words or "").split())) for address, name, words in rows]


async def stored(store: Store) -> bytes:
    (message,) = store.reader.execute("SELECT max(id) FROM message").fetchone()
    content = await store.mailboxes.content_of(message)
    assert content is not None
    try:
        return content.whole()
    finally:
        content.close()


async def test_junk_goes_to_the_junk_mailbox_with_its_keyword_and_the_evidence_is_kept(tmp_path: Path) -> None:
    async with opened(tmp_path, JUNKED) as (accept, store):
        envelope = incoming(accept, "alice", "bob")
        top = accept.top(envelope)
        await accept.deliver(envelope, Message(top + TEXT, len(top)))
        assert places(store) == [("alice", "Junk", {"$Junk"}), ("bob", "Junk", {"$Junk"})]
        message = await stored(store)
        assert message.startswith(b"Return-Path: <eve@example.org>\r\n" + FIELDS + b"Received: ")
        assert message.endswith(TEXT)
        (number,) = store.reader.execute("SELECT id FROM message").fetchone()
        kept = store.verdicts.of(number)
        assert kept is not None and kept["action"] == "junk"
        at, length = kept["findings"][0]["where"]
        assert message[at : at + length] == b"Subject: x"


async def test_a_junk_mailbox_is_made_where_there_is_none(tmp_path: Path) -> None:
    async with opened(tmp_path, JUNKED) as (accept, store):
        alice = store.accounts.get("alice@example.test")
        await store.mailboxes.delete(alice.id, "Junk")
        envelope = incoming(accept, "alice")
        await accept.deliver(envelope, Message(TEXT))
        junk = store.mailboxes.get(alice.id, "Junk")
        assert junk.special_use == "\\Junk" and "Junk" in store.mailboxes.subscribed(alice.id)
        assert places(store) == [("alice", "Junk", {"$Junk"})]


async def test_each_recipient_has_mailboxes_and_flags_of_its_own(tmp_path: Path) -> None:
    async with opened(tmp_path, Verdict(), Each()) as (accept, store):
        await accept.deliver(incoming(accept, "alice", "bob", "carol"), Message(TEXT))
        assert places(store) == [
            ("alice", "Archive", {"seen-by-a-rule"}),
            ("alice", "INBOX", frozenset()),
            ("bob", "Junk", {"$Junk"}),
        ]
        assert store.reader.execute("SELECT count(*) FROM message").fetchone() == (1,)


async def test_a_spooled_message_gets_the_fields_above_it_too(tmp_path: Path) -> None:
    async with opened(tmp_path, JUNKED) as (accept, store):
        envelope = incoming(accept, "alice")
        top, body = accept.top(envelope), b"x" * 70 + b"\r\n"
        spooled = accept.spool()
        await spooled.write(top + TEXT)
        await spooled.write(body * 40_000)
        await accept.deliver(envelope, Message(spooled, len(top)))
        message = await stored(store)
        assert FIELDS + b"Received: " in message[:400]
        assert message.endswith(TEXT + body * 40_000)
        assert len(list((store.data / "spool").iterdir())) <= 1


@pytest.mark.parametrize("action", ["refuse", "defer"])
async def test_what_is_refused_leaves_nothing(tmp_path: Path, action: str) -> None:
    verdict = Verdict(action, "550 5.7.1 No")  # type: ignore[arg-type]
    async with opened(tmp_path, verdict) as (accept, store):
        spooled = accept.spool()
        await spooled.write(TEXT)
        with pytest.raises(RefusedByVerdict if action == "refuse" else DeferredByVerdict) as caught:
            await accept.deliver(incoming(accept, "alice"), Message(spooled))
        assert caught.value.reply == "550 5.7.1 No"
        assert places(store) == [] and list((store.data / "spool").iterdir()) == []


async def test_the_verdict_goes_with_the_message(tmp_path: Path) -> None:
    async with opened(tmp_path, JUNKED) as (accept, store):
        await accept.deliver(incoming(accept, "alice"), Message(TEXT))
        junk = store.mailboxes.get(store.accounts.get("alice@example.test").id, "Junk")
        await store.mailboxes.store_flags(junk, [1], "add", Flags(8))
        await store.mailboxes.expunge(junk, None)
        assert store.reader.execute("SELECT count(*) FROM verdict").fetchone() == (0,)


def test_a_verdict_is_never_stored_larger_than_its_limit() -> None:
    findings = [{"rule": "x", "text": secrets.token_hex(150)} for _ in range(1000)]
    assert len(packed({"action": "junk", "findings": findings})) <= LARGEST
