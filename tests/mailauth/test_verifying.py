"""Large messages are verified in a process of their own, and whatever becomes of it is survived."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gk.mailauth.authentic import Authenticator, Sent
from gk.mailauth.letter import Letter
from gk.mailauth.verifying import IN_LOOP, Verifying
from gk.net.dns import SystemResolver
from gk.service import supervise
from tests.mailauth.signed import TEXT, Author
from tests.mailauth.table import Table
from tests.mailauth.test_spf import txt
from tests.strangers import Zone

LARGE = TEXT + b"A line that makes the message large, again and again.\r\n" * (2 * IN_LOOP // 50)
SENT = Sent("192.0.2.1", "mx.a.test", "ann@a.test")


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory) -> Author:
    return Author(tmp_path_factory.mktemp("keys"))


@pytest.fixture
async def verifying() -> AsyncIterator[Verifying]:
    service = Verifying()
    async with supervise(service):
        yield service
    assert service.pid is None


async def verified(verifying: Verifying, author: Author, content: bytes | Path, message: bytes) -> list[str]:
    letter = Letter(message, 0, len(message))
    signatures, _ = await verifying.verify(letter, content, 0, len(message), author.published)
    return [one.result for one in signatures]


async def test_a_small_message_needs_no_process(verifying: Verifying, author: Author) -> None:
    message = author.sign()
    assert await verified(verifying, author, message, message) == ["pass", "pass"]
    assert verifying.pid is None


async def test_a_large_one_goes_there_by_its_bytes_or_its_file(
    verifying: Verifying, author: Author, tmp_path: Path
) -> None:
    message = author.sign(LARGE)
    path = tmp_path / "message"
    path.write_bytes(message)
    assert await verified(verifying, author, message, message) == ["pass", "pass"]
    first = verifying.pid
    assert first is not None
    assert await verified(verifying, author, path, message) == ["pass", "pass"]
    assert await verified(verifying, author, message, message.replace(b"again\r\n", b"agein\r\n")) == ["pass", "pass"]
    changed = message[:-3] + b"!\r\n"
    assert await verified(verifying, author, changed, changed) == ["fail", "fail"]
    assert verifying.pid == first


async def test_a_killed_process_is_replaced_and_nobody_hears_of_it(verifying: Verifying, author: Author) -> None:
    message = author.sign(LARGE)
    assert await verified(verifying, author, message, message) == ["pass", "pass"]
    for _ in range(3):
        pid = verifying.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        waiting = asyncio.ensure_future(verified(verifying, author, message, message))
        await asyncio.sleep(0)
        os.kill(pid, signal.SIGKILL)
        assert await waiting == ["pass", "pass"]
        assert verifying.pid != pid


async def test_a_process_that_cannot_work_makes_a_temporary_error(
    verifying: Verifying, author: Author, tmp_path: Path
) -> None:
    message = author.sign(LARGE)
    assert await verified(verifying, author, tmp_path / "gone", message) == ["temperror", "temperror"]
    assert await verified(verifying, author, message, message) == ["pass", "pass"]


async def test_who_gives_up_waiting_spoils_nobody_elses_answer(verifying: Verifying, author: Author) -> None:
    message = author.sign(LARGE)
    others = [asyncio.ensure_future(verified(verifying, author, message, message)) for _ in range(4)]
    await asyncio.sleep(0)
    others[0].cancel()
    found = await asyncio.gather(*others, return_exceptions=True)
    assert found[1:] == [["pass", "pass"]] * 3


async def test_everything_is_found_out_at_once(verifying: Verifying, author: Author) -> None:
    names = Table()
    for name, record in author.published.items():
        names.txt(name, record)
    names.txt("a.test", "v=spf1 ip4:192.0.2.1 -all")
    names.txt("_dmarc.a.test", "v=DMARC1; p=reject")
    authenticator = Authenticator(names, verifying, "mail.example.test", 5)
    for text in (TEXT, LARGE):
        message = author.sign(text)
        found = await authenticator.of(SENT, message, 0, len(message))
        assert (found.spf.result, [one.result for one in found.dkim]) == ("pass", ["pass", "pass"])
        assert [(one.result, one.policy, len(one.aligned)) for one in found.dmarc] == [("pass", "reject", 2)]
        assert found.answers["_dmarc.a.test", "TXT"].records == (b"v=DMARC1; p=reject",)


async def test_what_the_resolver_knows_already_is_found_the_same_without_a_question(
    verifying: Verifying, author: Author, dns: Zone
) -> None:
    dns.authority = True
    for name, record in author.published.items():
        dns.add(name, "TXT", txt(record.decode()))
    dns.add("a.test", "TXT", txt("v=spf1 include:b.test -all"))
    dns.add("b.test", "TXT", txt("v=spf1 mx -all"))
    dns.add("_dmarc.a.test", "TXT", txt("v=DMARC1; p=reject"))
    dns.add("1.2.0.192.in-addr.arpa", "PTR", "mx.b.test.")
    dns.domain("b.test", "192.0.2.1")
    authenticator = Authenticator(SystemResolver([f"127.0.0.1:{dns.port}"]), verifying, "mail.example.test", 5)
    message = author.sign()
    first = await authenticator.of(SENT, message, 0, len(message))
    asked = len(dns.asked)
    assert await authenticator.of(SENT, message, 0, len(message)) == first
    assert len(dns.asked) == asked


async def test_a_header_of_a_megabyte_is_taken_apart(verifying: Verifying) -> None:
    fields = b"X-Long: " + b"x" * 60 + b"\r\n"
    forged = b"DKIM-Signature: v=1; a=rsa-sha256; d=b.test; s=x; h=from; bh=AA==; b=AA==\r\n"
    message = fields * 10_000 + forged * 1000 + TEXT
    authenticator = Authenticator(Table(), verifying, "mail.example.test", 5)
    found = await authenticator.of(SENT, message, 0, len(message))
    assert found.spf.result == "none" and [one.result for one in found.dmarc] == ["permerror"]  # From is not among


async def test_without_a_dns_everything_is_open_and_in_time(verifying: Verifying, author: Author) -> None:
    class Silent(Table):
        async def texts(self, name: str) -> list[bytes]:
            await asyncio.get_running_loop().create_future()
            return []

        async def records(self, name: str, kind: str) -> list[str]:
            await asyncio.get_running_loop().create_future()
            return []

    message = author.sign()
    found = await Authenticator(Silent(), verifying, "mail.example.test", 0).of(SENT, message, 0, len(message))
    assert (found.spf.result, found.iprev.result) == ("temperror", "temperror")
    assert [one.result for one in found.dkim] == ["temperror", "temperror"]
    assert [one.result for one in found.dmarc] == ["temperror"]
