"""clamd and rspamd beside a whole server: what they say decides, and what becomes of mail when they are not there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.flows.conftest import House, house
from tests.flows.test_judged import deliver
from tests.inbound.spam.beside import VIRUS, FakeClamd, FakeRspamd, serving
from tests.inbound.spam.test_rules import message


@pytest.fixture
async def clamd() -> AsyncIterator[tuple[str, FakeClamd]]:
    fake = FakeClamd()
    async with serving(fake.talk) as there:
        yield there, fake


def tables(clamd: str, rspamd: str, fail: str = "open") -> str:
    return (
        f'[judge]\ntrusted = []\n[clamd]\naddress = "{clamd}"\nfail = "{fail}"\n'
        f'[rspamd]\naddress = "{rspamd}"\nweight = 1.0'
    )


async def found(gk: House) -> dict[str, float]:
    """The rules of the verdict on the first message, with their points."""
    why = await gk.act("mail_why", id="INBOX/1", address="alice@example.test")
    return {one["rule"]: one["score"] for one in why["findings"]}


async def test_a_virus_is_refused_and_points_are_added_up(tmp_path: Path, clamd: tuple[str, FakeClamd]) -> None:
    rspamd = FakeRspamd(score=1.5)
    async with serving(rspamd.talk) as there, house(tmp_path, judge=tables(clamd[0], there)) as gk:
        code, reply = await deliver(gk, message(VIRUS.decode()))
        assert (code, reply) == (550, b"5.7.1 The message holds a virus: Eicar-Signature")
        (refused,) = (await gk.act("rejects_list"))["rejects"]
        assert refused["reason"] == "clamd: Eicar-Signature was found"
        assert (await deliver(gk, message("Minutes.")))[0] == 250
        rules = await found(gk)
        assert (rules["clamd"], rules["rspamd"]) == (0.0, 1.5)
        rspamd.score = 50.0
        assert (await deliver(gk, message("Minutes.")))[0] == 250
        assert len(await gk.inbox("alice@example.test", "Junk")) == 1


@pytest.mark.parametrize(("fail", "code"), [("open", 250), ("closed", 451)])
async def test_a_scanner_that_is_not_there_defers_mail_or_does_not(tmp_path: Path, fail: str, code: int) -> None:
    nowhere = str(tmp_path / "nobody.ctl")
    async with house(tmp_path, judge=tables(nowhere, "127.0.0.1:1", fail)) as gk:
        assert (await deliver(gk, message("Minutes.")))[0] == code
        assert len(await gk.inbox()) == (code == 250)
