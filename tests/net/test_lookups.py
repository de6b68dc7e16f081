"""Texts and records of any type."""

import pytest

from gk.net.dns import DnsFailed, NoSuchName, SystemResolver
from tests.strangers import zone


async def test_the_strings_of_a_text_are_joined() -> None:
    async with zone() as names:
        names.add("far.test", "TXT", '"v=spf1 " "-all"', '"other \\195\\169"')
        resolver = SystemResolver([f"127.0.0.1:{names.port}"])
        assert sorted(await resolver.texts("far.test")) == ["other é".encode(), b"v=spf1 -all"]


async def test_any_type_comes_as_a_zone_file_has_it() -> None:
    async with zone() as names:
        names.add("1.2.0.192.in-addr.arpa", "PTR", "host.far.test.")
        names.add("far.test", "CAA", '0 issue "ca.test"')
        names.add("_imap._tcp.far.test", "SRV", "0 1 143 host.far.test.")
        resolver = SystemResolver([f"127.0.0.1:{names.port}"])
        assert await resolver.records("1.2.0.192.in-addr.arpa", "PTR") == ["host.far.test."]
        assert await resolver.records("far.test", "CAA") == ['0 issue "ca.test"']
        assert await resolver.records("_imap._tcp.far.test", "SRV") == ["0 1 143 host.far.test."]
        assert await resolver.records("far.test", "SRV") == []
        with pytest.raises(NoSuchName):
            await resolver.texts("nowhere.test")
        names.faults["broken.test"] = "servfail"
        with pytest.raises(DnsFailed):
            await resolver.records("broken.test", "TXT")


async def test_without_a_memory_every_question_is_asked_anew() -> None:
    async with zone() as names:
        names.add("far.test", "TXT", '"one"')
        resolver = SystemResolver([f"127.0.0.1:{names.port}"], remember=False)
        await resolver.texts("far.test")
        names.add("far.test", "TXT", '"two"')
        assert sorted(await resolver.texts("far.test")) == [b"one", b"two"]
