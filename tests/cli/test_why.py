"""`gk why` says for a person and for a program what led to a verdict."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gk.bus import Bus
from gk.config import Config, Limits
from gk.errors import Refused
from gk.store.db import Store
from gk.store.values import Recipient
from tests.actions.test_why import CONTENT, EVIDENCE
from tests.site import ALICE, Site


async def _deliver(data: Path, verdict: dict[str, Any] | None = EVIDENCE) -> None:
    config = Config(data=data, domains=("example.test",), limits=Limits(free_space_bytes=0))
    async with Store.open(config, Bus()) as store:
        account = store.accounts.get(ALICE)
        inbox = store.mailboxes.get(account.id, "INBOX")
        arrival = await store.prepare(CONTENT, verdict)
        await store.deliver(arrival, [Recipient(account.id, inbox.id, ALICE)])


def test_a_verdict_is_explained(site: Site) -> None:
    site.add_alice()
    asyncio.run(_deliver(site.data))
    told = site.click("why", "G1").stdout.splitlines()
    assert told[:6] == [
        "G1 (INBOX/1): junk, score 2.5",
        "  dmarc=fail",
        "dmarc_decides +2.5: fail for a.test",
        "  asked _dmarc.a.test TXT: v=DMARC1; p=reject",
        "  bytes 20 to 42:",
        "    From: Ann <ann@a.test>",
    ]
    assert told[6].startswith("triage: ")
    assert told[7] == f"  judged now, by weights {site.json('why', 'G1')['triage']['version']}"
    assert site.json("why", "INBOX/1", "--as", ALICE)["findings"][0]["answer"] == "v=DMARC1; p=reject"
    assert site.json("why", "G1")["triage"]["id"] == "G1"
    with pytest.raises(Refused, match="no message"):
        site.click("why", "G7")


def test_a_message_without_a_verdict_is_told_what_it_is_about(site: Site) -> None:
    site.add_alice()
    asyncio.run(_deliver(site.data, None))
    told = site.click("why", "G1").stdout.splitlines()
    assert told[0] == "G1 (INBOX/1): unjudged: a user sent it or put it here, or it came unjudged"
    assert told[1].startswith("triage: ")
