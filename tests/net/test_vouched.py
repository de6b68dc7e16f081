"""Whose word on DNSSEC counts, and what it covers (RFC 4035 §3.2.3, RFC 7672 §2.1)."""

from collections.abc import AsyncIterator

import dns.flags
import pytest

from gk.net.dns import DnsFailed, NoSuchName, SystemResolver, Tlsa
from tests.strangers import Zone, zone

DIGEST = "ab" * 32


@pytest.fixture
async def names() -> AsyncIterator[Zone]:
    async with zone() as opened:
        opened.signed.add("far.test")
        opened.domain("far.test", "192.0.2.1")
        opened.domain("plain.test", "192.0.2.2")
        opened.add("_25._tcp.mx0.far.test", "TLSA", f"3 1 1 {DIGEST}")
        opened.add("_25._tcp.mx0.plain.test", "TLSA", f"3 1 1 {DIGEST}")
        yield opened


def resolver(names: Zone, **more: bool) -> SystemResolver:
    return SystemResolver([f"127.0.0.1:{names.port}"], **more)


async def test_a_marked_answer_is_vouched_for_and_another_is_not(names: Zone) -> None:
    found = resolver(names)
    for _ in range(2):  # asked, and remembered
        assert await found.vouched("far.test", "MX") == "far.test"
        assert await found.vouched("plain.test", "MX") is None


async def test_that_there_is_none_is_vouched_for_too(names: Zone) -> None:
    assert await resolver(names).vouched("mx0.far.test", "AAAA") == "mx0.far.test"
    assert await resolver(names).vouched("mx0.plain.test", "AAAA") is None
    with pytest.raises(NoSuchName):
        await resolver(names).vouched("nowhere.far.test", "MX")


async def test_an_alias_leads_to_where_the_records_are(names: Zone) -> None:
    names.add("alias.far.test", "CNAME", "mx0.far.test.")
    assert await resolver(names).vouched("alias.far.test", "A") == "mx0.far.test"


async def test_tlsa_records_come_as_values_where_they_are_vouched_for(names: Zone) -> None:
    assert await resolver(names).tlsa("_25._tcp.mx0.far.test") == [Tlsa(3, 1, 1, bytes.fromhex(DIGEST))]
    assert await resolver(names).tlsa("_25._tcp.mx0.plain.test") == []


async def test_a_look_up_that_fails_is_not_an_answer(names: Zone) -> None:
    names.faults["_25._tcp.mx0.far.test"] = "servfail"
    with pytest.raises(DnsFailed):
        await resolver(names).tlsa("_25._tcp.mx0.far.test")


async def test_a_resolver_elsewhere_is_believed_only_where_the_configuration_says_so(names: Zone) -> None:
    far = SystemResolver(["192.0.2.53:53"])
    assert await far.vouched("far.test", "MX") is None
    assert far._resolver.flags is None
    mixed = SystemResolver(["127.0.0.1:53", "192.0.2.53:53"])
    assert not mixed._trusted
    assert SystemResolver(["192.0.2.53:53"], validating=True)._trusted


async def test_a_believed_resolver_is_asked_to_say_what_it_validated(names: Zone) -> None:
    assert resolver(names)._resolver.flags == dns.flags.RD | dns.flags.AD
