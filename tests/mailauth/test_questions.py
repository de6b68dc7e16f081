"""The questions of one message: asked once, answered at once where the answer is known, and never without an end."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from gk.mailauth import questions as module
from gk.mailauth.questions import FAILED, MISSING, NOTHING, Questions
from gk.net.dns import NoSuchName, SystemResolver
from tests.strangers import Zone


@pytest.fixture
def remembering(dns: Zone) -> SystemResolver:
    dns.authority = True
    dns.add("a.test", "TXT", '"v=spf1" " -all"', '"x"')
    dns.add("a.test", "MX", "10 MX.a.test.")
    dns.add("mx.a.test", "A", "192.0.2.1")
    dns.add("1.2.0.192.in-addr.arpa", "PTR", "MX.a.test.")
    return SystemResolver([f"127.0.0.1:{dns.port}"])


ALL: Sequence[tuple[str, Any]] = [
    ("a.test", "TXT"), ("A.test.", "MX"), ("mx.a.test", "A"), ("mx.a.test", "AAAA"), ("1.2.0.192.in-addr.arpa", "PTR"),
    ("gone.test", "TXT"), ("é.test", "TXT"), ("a..test", "TXT"), ("", "TXT"), ("x" * 64 + ".test", "TXT"),
]  # fmt: skip


async def test_what_is_remembered_reads_as_what_was_just_asked(dns: Zone, remembering: SystemResolver) -> None:
    first = await Questions(remembering, 5).every(ALL)
    count = len(dns.asked)
    again = Questions(remembering, 5)
    assert await again.every(ALL) == first
    assert [await again.ask(name, kind) for name, kind in ALL] == first
    assert len(dns.asked) == count == 6
    assert set(first[0].records) == {b"v=spf1 -all", b"x"} and first[1].records == ((10, "mx.a.test"),)
    assert first[2].records == ("192.0.2.1",) and first[3] == NOTHING and first[4].records == ("mx.a.test",)
    assert first[5] == MISSING and first[6:] == [NOTHING] * 4


async def test_one_question_asked_by_many_is_asked_once(dns: Zone, resolver: SystemResolver) -> None:
    dns.add("a.test", "TXT", '"x"')
    questions = Questions(resolver, 5)
    found = await asyncio.gather(*(questions.every([("a.test", "TXT"), ("A.TEST", "TXT")]) for _ in range(20)))
    assert {answer.records for answers in found for answer in answers} == {(b"x",)}
    assert dns.asked == [("a.test", "TXT")]


async def test_a_message_has_so_many_questions_and_no_more(
    dns: Zone, resolver: SystemResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    found = await Questions(resolver, 5).every([(f"{n}.test", "TXT") for n in range(10)])
    assert found[:3] == [MISSING] * 3 and found[3:] == [FAILED] * 7
    assert len(dns.asked) == 3


async def test_a_cancelled_question_leaves_nobody_waiting() -> None:
    class Silent:
        async def texts(self, name: str) -> list[bytes]:
            await asyncio.get_running_loop().create_future()
            raise NoSuchName(name)

    questions = Questions(Silent(), 5)  # type: ignore[arg-type]
    first = asyncio.ensure_future(questions.ask("a.test", "TXT"))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(questions.ask("a.test", "TXT"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == FAILED
