"""`gk reports` shows what others reported, for a person and for a program."""

import asyncio
import gzip
from pathlib import Path

from gk.bus import Bus
from gk.config import Config, Limits
from gk.store.db import Store
from gk.store.values import Recipient
from tests.mailauth.test_reports import JSON, XML, mailed
from tests.site import ALICE, Site


async def _deliver(data: Path, *messages: bytes) -> None:
    config = Config(data=data, domains=("example.test",), limits=Limits(free_space_bytes=0))
    async with Store.open(config, Bus()) as store:
        account = store.accounts.get(ALICE)
        inbox = store.mailboxes.get(account.id, "INBOX")
        for message in messages:
            await store.deliver(await store.prepare(message), [Recipient(account.id, inbox.id, ALICE)])


def test_reports_are_listed_and_shown(site: Site) -> None:
    site.add_alice()
    site.append(f'[reports]\naddress = "{ALICE}"\n')
    assert site.click("reports", "list").stdout == "there are no reports\n"
    asyncio.run(_deliver(site.data, mailed(gzip.compress(XML)), mailed(JSON, "application/tlsrpt+json")))
    assert site.click("reports", "list").stdout.splitlines() == [
        "id  day         kind   from       domains  passed  failed",
        "2   2026-11-19  tls    Us         a.test   11      2",
        "1   2026-11-19  dmarc  Us <& Co>  a.test   1       3",
    ]
    shown = site.click("reports", "show", "1").stdout.splitlines()
    assert shown[0] == "dmarc report 1 from Us <& Co> about a.test, 2026-11-19T00:00:00Z to 2026-11-19T23:59:59Z"
    assert shown[1] == "policy: domain=a.test, p=reject, sp=none, np=reject, adkim=r, aspf=s, testing=n"
    assert shown[3].split() == [
        "2001:db8::1", "3", "reject", "a.test", "nothing", "c.test=pass", "a.test=fail", "b.test=softfail",
        "local_policy",
    ]  # fmt: skip
    assert site.click("reports", "show", "2").stdout.splitlines()[1:3] == [
        "a.test sts: 10 sessions succeeded, 2 failed",
        "  2 certificate-expired mx.a.test",
    ]
    assert site.json("reports", "show", "2")["report"]["policies"][1]["successes"] == 1
