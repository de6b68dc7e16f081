"""Lists of addresses are asked as RFC 5782 says, and what does not answer says nothing."""

from collections.abc import AsyncIterator

import pytest

from gk.inbound.spam import lists
from gk.inbound.spam.lists import Lists, reversed_name
from gk.net.dns import SystemResolver
from tests.strangers import Zone, zone


@pytest.fixture
async def names() -> AsyncIterator[Zone]:
    async with zone() as opened:
        yield opened


def asking(names: Zone, **points: float) -> Lists:
    resolver = SystemResolver([f"127.0.0.1:{names.port}"], remember=False)
    return Lists(resolver, {name.replace("_", "."): value for name, value in points.items()})


async def test_a_listed_address_has_the_points_of_its_list(names: Zone) -> None:
    names.add("2.2.0.192.bad.test", "A", "127.0.0.2")
    names.add("2.2.0.192.good.test", "A", "127.0.10.1")
    found = await asking(names, bad_test=3.0, good_test=-2.0, other_test=9.0).ask("192.0.2.2")
    assert {(hit.rule, hit.points) for hit in found} == {("list:bad.test", 3.0), ("list:good.test", -2.0)}
    assert "127.0.0.2" in next(hit.text for hit in found if hit.points > 0)


async def test_a_refusal_of_the_list_is_no_listing(names: Zone) -> None:
    names.add("2.2.0.192.bad.test", "A", "127.255.255.254")
    names.add("2.2.0.192.sold.test", "A", "198.51.100.7")
    assert await asking(names, bad_test=3.0, sold_test=3.0).ask("192.0.2.2") == []


async def test_a_list_that_does_not_answer_says_nothing(names: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "PATIENCE", 0.1)
    names.faults["2.2.0.192.silent.test"] = "silent"
    names.faults["2.2.0.192.broken.test"] = "servfail"
    names.add("2.2.0.192.bad.test", "A", "127.0.0.2")
    (hit,) = await asking(names, silent_test=3.0, broken_test=3.0, bad_test=1.0).ask("192.0.2.2")
    assert hit.points == 1.0


async def test_nothing_is_asked_without_a_list_or_about_what_is_no_address(names: Zone) -> None:
    assert await asking(names).ask("192.0.2.2") == []
    assert await asking(names, bad_test=3.0).ask("nonsense") == []


def test_addresses_are_turned_around() -> None:
    assert reversed_name("192.0.2.99") == "99.2.0.192"
    assert reversed_name("::ffff:192.0.2.99") == "99.2.0.192"
    assert reversed_name("2001:db8::1") == "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
