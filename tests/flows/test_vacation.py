"""Two servers whose users are all away: one answer each, then silence; and none to what programs send."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.flows.conftest import ALICE, HOSTS, House, house, mail

THERE = "alice@other.test"


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[House, House]]:
    """The server of example.test and that of other.test, with users who are away."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    judge = "[judge]\ntrusted = []"  # they are strangers to each other, although on one machine
    async with (
        house(tmp_path / "here", judge=judge) as here,
        house(tmp_path / "there", judge=judge, domain="other.test", host=HOSTS[2], beside=here) as there,
    ):
        here.zone.domain("example.test", HOSTS[0])
        here.zone.domain("other.test", HOSTS[2])
        for server, domain in ((here, "example.test"), (there, "other.test")):
            for name in ("alice", "bob"):
                await server.act("vacation_set", address=f"{name}@{domain}", text=f"{name} is away")
        yield here, there


async def test_two_who_are_away_answer_each_other_once_and_are_silent_then(pair: tuple[House, House]) -> None:
    here, there = pair
    for number in range(3):
        await here.submit(mail(f"a{number}", To=THERE), THERE)
        await there.submit(mail(f"b{number}", sender=THERE, To=ALICE), ALICE, sender=THERE)
    # An answer is queued before the message it answers is acknowledged: once all of these are sent, nothing comes.
    assert await asyncio.gather(here.outcomes(4), there.outcomes(4)) == [["sent"] * 4] * 2
    assert await here.queue() == await there.queue() == []
    for inbox in (await here.inbox(ALICE), await there.inbox(THERE)):
        assert len(inbox) == 4
        (answer,) = [raw for raw in inbox if b"Auto-Submitted: auto-replied (vacation)" in raw]
        assert b"Return-Path: <>" in answer
        assert b"alice is away" in answer
        assert b"In-Reply-To: <" in answer


async def test_answers_reports_and_lists_are_not_answered(pair: tuple[House, House]) -> None:
    here, there = pair
    kinds = ({"Auto_Submitted": "auto-replied"}, {"List_Id": "<x.example.test>"}, {"Precedence": "bulk"})
    for kind in kinds:
        await here.submit(mail("auto", To=THERE, **kind), THERE)
    await here.submit(mail("none", To="somebody"), THERE)
    await here.submit(mail("null", To=THERE), THERE, sender="", login=ALICE)
    assert await here.outcomes(5) == ["sent"] * 5
    assert len(await there.inbox(THERE)) == 5
    assert await there.queue() == []
    assert await here.inbox(ALICE) == []


async def test_two_who_forward_to_each_other_keep_one_copy_more_and_are_silent_then(pair: tuple[House, House]) -> None:
    here, there = pair
    await here.act("rule_add", address=ALICE, text=f"always forward {THERE}, keep")
    await there.act("rule_add", address=THERE, text=f"always forward {ALICE}, keep")
    await here.submit(mail("round", sender="bob@example.test"), ALICE, sender="bob@example.test")
    assert await here.outcomes() == ["sent"]
    assert await there.outcomes() == ["sent"]
    assert await here.queue() == await there.queue() == []
    assert (len(await here.inbox(ALICE)), len(await there.inbox(THERE))) == (2, 1)


async def test_what_two_forward_to_each_other_without_keeping_it_is_in_the_report_to_one_of_them(
    pair: tuple[House, House],
) -> None:
    here, there = pair
    await here.act("rule_add", address=ALICE, text=f"always forward {THERE}")
    await there.act("rule_add", address=THERE, text=f"always forward {ALICE}")
    await here.submit(mail("round", sender="bob@example.test"), ALICE, sender="bob@example.test")
    assert await here.outcomes() == ["sent"]
    assert await there.outcomes() == ["failed"]
    assert await here.inbox(ALICE) == []
    (report,) = await there.reports(THERE)  # whose rule could not be done
    assert report.recipients[0]["final-recipient"] == f"rfc822; {ALICE}"
    assert b"Subject: round" in report.raw and b"Hello." in report.raw
    assert await here.queue() == await there.queue() == []


async def test_what_was_answered_is_remembered_across_a_restart(tmp_path: Path) -> None:
    message = mail("hello", sender="zoe@far.test", To=ALICE)
    async with house(tmp_path) as gk:
        far = await gk.stranger("far.test")
        await gk.act("vacation_set", address=ALICE, text="Away")
        await gk.bring(message, ALICE)
        assert (await far.message()).rcpt == ["<zoe@far.test>"]
        assert await gk.outcomes() == ["sent"]
    async with house(tmp_path) as gk:
        await gk.bring(message, ALICE)
        assert await gk.queue() == []
        assert len(await gk.inbox(ALICE)) == 2
