"""Greylisting through a whole server: who is not known is asked to come again, whom a user wrote to is not."""

import asyncio
from pathlib import Path

from tests.flows.conftest import ALICE, BOB, house
from tests.flows.test_judged import deliver
from tests.inbound.spam.test_rules import message
from tests.strangers import PATIENCE


async def test_a_stranger_is_deferred_and_a_correspondent_is_not(tmp_path: Path) -> None:
    async with house(tmp_path, judge="[judge]\ntrusted = []\n[greylist]\nenabled = true") as gk:
        letter = message("Minutes of the meeting.")
        assert await deliver(gk, letter) == (451, b"4.7.1 Not known here yet, try again in 5 min")
        async with asyncio.timeout(PATIENCE):
            while not (rejects := (await gk.act("rejects_list"))["rejects"]):  # written once the reply is out
                await asyncio.sleep(0.01)
        (deferred,) = rejects
        assert (deferred["action"], deferred["sender"], deferred["recipients"]) == ("defer", "ann@a.test", [ALICE])
        assert await gk.inbox() == []
        await gk.act("mail_send", account=ALICE, to=["ann@a.test"], text="Where are the minutes?")
        assert (await deliver(gk, letter))[0] == 250
        letters = [one for one in await gk.inbox() if one.startswith(b"Return-Path: <ann@a.test>")]
        assert len(letters) == 1  # beside the report that nobody takes mail for a.test, once it is there
        assert (await deliver(gk, letter, BOB))[0] == 451
