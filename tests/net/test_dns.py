"""Names looked up over the wire: an answer, "there is none", or "not now"."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from gk.net import dns as dns_module
from gk.net.dns import DnsFailed, NoSuchName, SystemResolver
from tests.strangers import Zone, zone


@pytest.fixture
async def names() -> AsyncIterator[Zone]:
    async with zone() as opened:
        yield opened


def resolver(names: Zone) -> SystemResolver:
    return SystemResolver([f"127.0.0.1:{names.port}"])


async def test_exchangers_come_with_their_preferences(names: Zone) -> None:
    names.add("far.test", "MX", "20 b.far.test.", "10 a.far.test.")
    assert sorted(await resolver(names).mx("far.test")) == [(10, "a.far.test."), (20, "b.far.test.")]


async def test_a_name_without_exchangers_has_none_and_an_absent_one_is_absent(names: Zone) -> None:
    names.add("far.test", "A", "192.0.2.1")
    assert await resolver(names).mx("far.test") == []
    with pytest.raises(NoSuchName):
        await resolver(names).mx("nowhere.test")
    with pytest.raises(NoSuchName):
        await resolver(names).addresses("nowhere.test")


async def test_both_families_of_addresses_are_found(names: Zone) -> None:
    names.add("host.test", "A", "192.0.2.1")
    names.add("host.test", "AAAA", "2001:db8::1")
    assert await resolver(names).addresses("host.test") == ["2001:db8::1", "192.0.2.1"]


async def test_an_address_is_its_own_answer(names: Zone) -> None:
    assert await resolver(names).addresses("192.0.2.1") == ["192.0.2.1"]
    assert names.asked == []


async def test_an_answer_is_remembered(names: Zone) -> None:
    names.domain("far.test", "192.0.2.1")
    found = resolver(names)
    await found.mx("far.test")
    await found.mx("far.test")
    assert names.asked == [("far.test", "MX")]


async def test_a_fault_of_the_server_is_not_an_answer(names: Zone) -> None:
    names.faults["far.test"] = "servfail"
    with pytest.raises(DnsFailed):
        await resolver(names).mx("far.test")
    with pytest.raises(DnsFailed):
        await resolver(names).addresses("far.test")


async def test_a_server_that_says_nothing_is_given_up_in_time(names: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_module, "LIFETIME", 0.1)
    names.faults["far.test"] = "silent"
    began = time.monotonic()
    with pytest.raises(DnsFailed):
        await resolver(names).mx("far.test")
    assert time.monotonic() - began < 20


async def test_aliases_in_a_circle_are_a_fault(names: Zone) -> None:
    names.add("a.test", "CNAME", "b.test.")
    names.add("b.test", "CNAME", "a.test.")
    with pytest.raises(DnsFailed):
        await resolver(names).addresses("a.test")


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 64 + ".test", "é" * 300, "a\0b", "\udcff.test"])
async def test_no_name_raises_anything_else(names: Zone, name: str) -> None:
    try:
        await resolver(names).mx(name)
    except (NoSuchName, DnsFailed):
        pass


async def test_answers_that_make_no_sense_are_a_fault() -> None:
    class Babble(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, source: object) -> None:
            self.transport.sendto(data[:2] + b"\xff" * 50, source)  # type: ignore[attr-defined]

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Babble, local_addr=("127.0.0.1", 0))
    found = SystemResolver([f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"])
    found._resolver.lifetime = 0.2
    with pytest.raises(DnsFailed):
        await found.mx("far.test")
    transport.close()


async def test_a_machine_without_resolvers_says_not_now(monkeypatch: pytest.MonkeyPatch) -> None:
    found = SystemResolver([])
    found._resolver.nameservers = []
    with pytest.raises(DnsFailed):
        await found.mx("far.test")


async def test_those_who_ask_the_same_at_once_share_one_question(names: Zone) -> None:
    names.domain("far.test", "192.0.2.1")
    found = resolver(names)
    assert len({str(answer) for answer in await asyncio.gather(*(found.mx("far.test") for _ in range(50)))}) == 1
    assert names.asked == [("far.test", "MX")]
    names.faults["bad.test"] = "servfail"
    answers = await asyncio.gather(*(found.mx("bad.test") for _ in range(50)), return_exceptions=True)
    assert all(isinstance(answer, DnsFailed) for answer in answers)


async def test_one_who_stops_waiting_takes_the_answer_from_nobody(names: Zone) -> None:
    names.domain("far.test", "192.0.2.1")
    found = resolver(names)
    gone, stays = asyncio.ensure_future(found.mx("far.test")), asyncio.ensure_future(found.mx("far.test"))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == [(10, "mx0.far.test.")]
    assert gone.cancelled()


async def test_what_is_known_is_said_at_once_until_its_time_is_over(
    names: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    names.domain("far.test", "192.0.2.1")
    found = resolver(names)
    assert found.remembered("far.test", "MX") is None
    await found.mx("far.test")
    (record,) = found.remembered("far.test", "MX") or []
    assert record.preference == 10
    later = time.time() + 61  # the zone's answers are good for a minute
    monkeypatch.setattr(dns_module.time, "time", lambda: later)
    assert found.remembered("far.test", "MX") is None


async def test_that_a_name_does_not_exist_is_remembered_where_the_zone_says_for_how_long(names: Zone) -> None:
    found = resolver(names)
    for authority, times in ((False, 2), (True, 1)):  # RFC 2308 §5
        names.authority = authority
        names.asked.clear()
        for _ in range(2):
            with pytest.raises(NoSuchName):
                await found.mx("nowhere.test")
        assert len(names.asked) == times
    with pytest.raises(NoSuchName):
        found.remembered("nowhere.test", "MX")


async def test_the_memory_has_an_end(names: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_module, "CACHE", 3)
    names.authority = True
    found = resolver(names)
    for number in range(5):
        with pytest.raises(NoSuchName):
            await found.mx(f"{number}.test")
    assert [name for name, _ in found._known or {}] == ["2.test", "3.test", "4.test"]
