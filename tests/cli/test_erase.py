"""`gk erase` tells first and does it with --yes (person_erase), with a server and without one."""

import asyncio

import pytest

from tests.cli.test_reports import _deliver
from tests.inbound.spam.test_rules import message
from tests.site import ALICE, Site


@pytest.mark.parametrize("served", [False, True])
def test_a_person_is_erased(site: Site, served: bool) -> None:
    site.add_alice()
    asyncio.run(_deliver(site.data, message("x", Subject="Eve", From="eve@far.test"), message("y", Subject="Ann")))

    def check() -> None:
        told = site.click("erase", "eve@far.test").stdout
        assert told.startswith("would go: 1 messages, 0 in the queue\n") and "nothing was done" in told
        done = site.click("erase", "eve@far.test", "--yes").stdout
        assert "erased: 1 messages" in done and "is in no file of the data directory" in done, done
        assert [one["subject"] for one in site.json("search", ALICE)["messages"]] == ["Ann"]
        assert "not an address" in site.run("erase", "eve", "--yes").stderr

    if served:
        with site.served():
            check()
    else:
        check()
    assert not [p for p in site.data.rglob("*") if p.is_file() and b"eve@far.test" in p.read_bytes()]
