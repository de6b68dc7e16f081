"""What is remembered of messages that were not taken."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gk.accounts.aliases import Directory
from gk.bus import Bus
from gk.config import Config, Limits
from gk.errors import ReadOnly
from gk.inbound.accept import Accept
from gk.inbound.incoming import Incoming, Message
from gk.inbound.trace import Client
from gk.inbound.verdict import Action, DeferredByVerdict, Finding, RefusedByVerdict, Verdict
from gk.message.address import parse_address
from gk.store import rejects as module
from gk.store.db import Store

CLIENT = Client("client.example.org", "192.0.2.1", True, None, False)
ALICE = "alice@example.test"
FOUND = (Finding("dmarc", "pass for example.org", where=(0, 9)), Finding("shouting", "VERIFY NOW", 3.5, (10, 4)))


@dataclasses.dataclass
class Strict:
    """A judge that takes nothing."""

    action: Action = "refuse"
    findings: tuple[Finding, ...] = FOUND

    async def judge(self, incoming: Incoming, message: Message) -> Verdict:
        reply = "550 5.7.1 no" if self.action == "refuse" else "451 4.7.1 later"
        return Verdict(self.action, reply, score=3.5, findings=self.findings, results={"spf": ("pass",)})


@asynccontextmanager
async def door(tmp_path: Path, judge: Strict, **limits: Any) -> AsyncIterator[tuple[Accept, Store]]:
    bounds = dataclasses.replace(Limits(free_space_bytes=1), **limits)
    config = Config(data=tmp_path / "data", domains=("example.test",), limits=bounds)
    async with Store.open(config, Bus()) as store:
        if store.accounts.by_address(ALICE) is None:
            await store.accounts.add(ALICE, None)
        directory = Directory(store.accounts, store.mailboxes, config.domains, {})
        yield Accept(store, directory, "mail.example.test", bounds, judge), store


async def bring(accept: Accept, number: int = 1, recipients: int = 1) -> None:
    addresses = [parse_address(f"alice+{n}@example.test") for n in range(recipients)]
    behind = [(address, accept.recipient(address) or []) for address in addresses]
    incoming = Incoming(f"id{number}", CLIENT, parse_address("eve@example.org"), False, behind)
    await accept.deliver(incoming, Message(b"Subject: secret\r\n\r\nWords.\r\n"))


@pytest.mark.parametrize(("action", "error"), [("refuse", RefusedByVerdict), ("defer", DeferredByVerdict)])
async def test_envelope_and_findings_are_kept_and_the_content_is_not(
    tmp_path: Path, action: Action, error: type[Exception]
) -> None:
    async with door(tmp_path, Strict(action)) as (accept, store):
        with pytest.raises(error):
            await bring(accept, recipients=30)
        (kept,) = store.rejects.latest(1 << 62, 10)
        told = kept.told
        assert (told["action"], told["client"], told["sender"]) == (action, "192.0.2.1", "eve@example.org")
        assert told["recipients"][0] == "alice+0@example.test"
        assert (len(told["recipients"]), told["recipient_count"], told["size"]) == (20, 30, 27)
        assert [(f["rule"], f["score"], f["where"]) for f in told["findings"]] == [
            ("dmarc", 0.0, None), ("shouting", 3.5, None),
        ]  # fmt: skip
        assert "secret" not in str(told)
        assert store.rejects.get(kept.id) == kept and store.rejects.get(kept.id + 1) is None


async def test_only_the_last_ones_are_kept_and_none_where_that_is_off(tmp_path: Path) -> None:
    async with door(tmp_path, Strict(), rejects=3) as (accept, store):
        for number in range(6):
            with pytest.raises(RefusedByVerdict):
                await bring(accept, number)
        kept = store.rejects.latest(1 << 62, 10)
        assert [one.told["message"] for one in kept] == ["id5", "id4", "id3"]
        assert [one.told["message"] for one in store.rejects.latest(kept[0].id, 1)] == ["id4"]
    async with door(tmp_path, Strict(), rejects=0) as (accept, store):
        with pytest.raises(RefusedByVerdict):
            await bring(accept, 7)
        assert store.rejects.latest(1 << 62, 10)[0].told["message"] == "id5"


async def test_old_ones_are_not_shown_and_go_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with door(tmp_path, Strict(), rejects_days=2) as (accept, store):
        with pytest.raises(RefusedByVerdict):
            await bring(accept, 1)
        now = module.time.time()
        monkeypatch.setattr(module.time, "time", lambda: now + 3 * module.DAY)
        assert store.rejects.latest(1 << 62, 10) == []
        with pytest.raises(RefusedByVerdict):
            await bring(accept, 2)
        assert store.reader.execute("SELECT count(*) FROM reject").fetchone() == (1,)


async def test_a_verdict_of_any_size_is_kept_in_bounds(tmp_path: Path) -> None:
    many = tuple(Finding(f"rule{n}", "\N{SNOWMAN}" * 10_000, 0.1, asked="a" * 9_999) for n in range(500))
    async with door(tmp_path, Strict(findings=many)) as (accept, store):
        with pytest.raises(RefusedByVerdict):
            await bring(accept)
        assert store.rejects.latest(1 << 62, 1)[0].told["findings"]
        assert store.reader.execute("SELECT max(length(content)) FROM reject").fetchone()[0] <= 16 << 10


async def test_a_message_is_refused_all_the_same_where_that_cannot_be_noted(tmp_path: Path) -> None:
    async with door(tmp_path, Strict()) as (accept, store):
        store.commits.fail(OSError("the disk is gone"))
        with pytest.raises(ReadOnly):
            await store.rejects.add({"findings": []})
        with pytest.raises(RefusedByVerdict):
            await bring(accept)
