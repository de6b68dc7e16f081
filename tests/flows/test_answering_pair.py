"""Two servers that answer mail by themselves: one answer each, then silence; and none to absences and lists."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.flows.answering import settled
from tests.flows.conftest import ALICE, HOSTS, House, house, mail
from tests.mailauth.test_spf import txt

THERE = "alice@other.test"
ASKS = "Hello,\r\n\r\nCould you please send me the signed contract by Thursday?\r\n\r\nAlice\r\n"
RULE = """\
[judge]
trusted = []
[[replies.rules]]
name = "all"
senders = ["@{}"]
action = "send"
template = "acknowledgement"
"""


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[House, House]]:
    """The servers of example.test and other.test, which answer each other's users at once."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    async with (
        house(tmp_path / "here", judge=RULE.format("other.test")) as here,
        house(
            tmp_path / "there", judge=RULE.format("example.test"), domain="other.test", host=HOSTS[2], beside=here
        ) as there,
    ):
        for domain, host in (("example.test", HOSTS[0]), ("other.test", HOSTS[2])):
            here.zone.domain(domain, host)
            for name in (domain, f"mail.{domain}"):
                here.zone.add(name, "TXT", txt("v=spf1 ip4:127.0.0.0/8 -all"))
        yield here, there


async def test_two_that_answer_by_themselves_answer_each_other_once_and_are_silent_then(
    pair: tuple[House, House],
) -> None:
    here, there = pair
    for number in range(3):
        await here.submit(mail(f"a{number}", ASKS, To=THERE), THERE)
        await there.submit(mail(f"b{number}", ASKS, sender=THERE, To=ALICE), ALICE, sender=THERE)
    # Each side: three mails and one answer are sent.
    assert await asyncio.gather(here.outcomes(4), there.outcomes(4)) == [["sent"] * 4] * 2
    for server, address in ((here, ALICE), (there, THERE)):
        rows = await settled(server, 4)
        states = sorted((row["state"], row["reason"].partition(":")[0].partition(",")[0]) for row in rows)
        assert [state for state, _ in states] == ["completed", "skipped", "skipped", "skipped"], rows
        assert ("skipped", "it has no sender") in states, "the answer of the other"
        inbox = await server.inbox(address)
        assert sum(b"Auto-Submitted: auto-replied\r\n" in raw for raw in inbox) == 1 and len(inbox) == 4
        assert await server.queue() == []


async def test_an_absence_is_not_answered_and_an_answer_meets_no_absence(pair: tuple[House, House]) -> None:
    here, there = pair
    await there.act("vacation_set", address=THERE, text="I am away, could you please write again on Monday?")
    await here.submit(mail("first", ASKS, To=THERE), THERE)
    # The mail here, the absence there; and no answer of the other kind, for one program answered already.
    assert await asyncio.gather(here.outcomes(1), there.outcomes(1)) == [["sent"]] * 2
    (row,) = await settled(there)
    assert row["state"] == "skipped", row
    (row,) = await settled(here)
    assert row["reason"] == "it has no sender"
    assert await here.queue() == await there.queue() == []
