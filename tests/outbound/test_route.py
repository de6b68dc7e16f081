"""Where mail goes, decided from what the DNS says (RFC 5321 §5.1, RFC 7505)."""

import random

import pytest

from gk.config import Outbound
from gk.net.dns import DnsFailed, NoSuchName
from gk.outbound.relay import Relay
from gk.outbound.route import ADDRESSES, HOSTS, Route, Target, Undeliverable


class Names:
    """A DNS in two dictionaries; a value that is an exception is raised."""

    def __init__(self, mx: dict[str, object], hosts: dict[str, object]) -> None:
        self._mx, self._hosts = mx, hosts
        self.asked: list[str] = []

    async def mx(self, domain: str) -> list[tuple[int, str]]:
        return self._of(self._mx, domain)

    async def addresses(self, host: str) -> list[str]:
        self.asked.append(host)
        return self._of(self._hosts, host)

    def _of(self, table: dict[str, object], name: str) -> list:  # type: ignore[type-arg]
        found = table.get(name, NoSuchName(name))
        if isinstance(found, Exception):
            raise found
        return list(found)  # type: ignore[call-overload]


def route(names: Names, *own: str, **config: object) -> Route:
    return Route(names, Outbound(**config), "mail.example.test", lambda address, port: address in own, random.Random(1))  # type: ignore[arg-type]


async def undeliverable(found: Route, domain: str) -> str:
    with pytest.raises(Undeliverable) as caught:
        await found.targets(domain)
    return caught.value.status


async def test_exchangers_come_by_preference_with_all_their_addresses() -> None:
    names = Names(
        {"far.test": [(20, "b.far.test."), (10, "a.far.test.")]},
        {"a.far.test": ["2001:db8::1", "192.0.2.1"], "b.far.test": ["192.0.2.2"]},
    )
    assert await route(names).targets("far.test") == [
        Target("a.far.test", "2001:db8::1", 25),
        Target("a.far.test", "192.0.2.1", 25),
        Target("b.far.test", "192.0.2.2", 25),
    ]


async def test_a_thousand_exchangers_are_ten() -> None:
    names = Names(
        {"far.test": [(n, f"mx{n}.far.test.") for n in range(1000)]},
        {f"mx{n}.far.test": [f"192.0.2.{i}" for i in range(50)] for n in range(1000)},
    )
    assert len(await route(names).targets("far.test")) == ADDRESSES
    assert len(names.asked) == HOSTS


async def test_a_host_that_cannot_be_looked_up_now_does_not_hide_the_others() -> None:
    names = Names({"far.test": [(1, "a."), (2, "b.")]}, {"a": DnsFailed("later"), "b": ["192.0.2.2"]})
    assert [t.host for t in await route(names).targets("far.test")] == ["b"]


async def test_no_host_that_can_be_looked_up_now_is_a_reason_to_wait() -> None:
    names = Names({"far.test": [(1, "a."), (2, "b.")]}, {"a": DnsFailed("later")})
    with pytest.raises(DnsFailed):
        await route(names).targets("far.test")


async def test_one_fault_at_a_host_that_might_be_preferred_to_us_is_no_loop() -> None:
    names = Names({"far.test": [(1, "a."), (2, "us.")]}, {"a": DnsFailed("later"), "us": ["192.0.2.9"]})
    with pytest.raises(DnsFailed):
        await route(names, "192.0.2.9").targets("far.test")


async def test_our_own_name_among_the_exchangers_cuts_the_list() -> None:
    names = Names(
        {"far.test": [(1, "a."), (2, "MAIL.example.test."), (2, "c."), (3, "d.")]},
        {"a": ["192.0.2.1"], "MAIL.example.test": ["192.0.2.9"], "c": ["192.0.2.3"], "d": ["192.0.2.4"]},
    )
    assert [t.host for t in await route(names).targets("far.test")] == ["a"]


@pytest.mark.parametrize(
    ("domain", "status"),
    [("null.test", "5.1.10"), ("nowhere.test", "5.1.2"), ("empty.test", "5.4.4"), ("us.test", "5.4.6")],
)
async def test_what_can_never_be_delivered_has_its_own_code(domain: str, status: str) -> None:
    names = Names(
        {"null.test": [(0, ".")], "empty.test": [], "us.test": [(10, "mail.us.test.")]},
        {"empty.test": [], "mail.us.test": ["192.0.2.9"]},
    )
    assert await undeliverable(route(names, "192.0.2.9"), domain) == status


async def test_a_null_mx_beside_others_is_ignored() -> None:
    names = Names({"far.test": [(0, "."), (10, "a.")]}, {"a": ["192.0.2.1"]})
    assert [t.host for t in await route(names).targets("far.test")] == ["a"]


@pytest.mark.parametrize(("literal", "address"), [("[192.0.2.1]", "192.0.2.1"), ("[IPv6:2001:DB8::1]", "2001:db8::1")])
async def test_an_address_in_brackets_is_taken_as_it_is(literal: str, address: str) -> None:
    assert await route(Names({}, {})).targets(literal) == [Target(literal, address, 25)]


@pytest.mark.parametrize("literal", ["[]", "[192.0.2]", "[IPv6:zz]", "[x400:c=fr]", "[192.0.2.1.1]"])
async def test_what_is_no_address_in_brackets_is_undeliverable(literal: str) -> None:
    assert await undeliverable(route(Names({}, {})), literal) == "5.1.2"


SMART = Relay("smart.test", 587, "none", None)


async def test_a_smarthost_takes_everything() -> None:
    names = Names({}, {"smart.test": ["192.0.2.7"]})
    for domain in ("far.test", "[192.0.2.1]"):
        assert await route(names).targets(domain, SMART) == [Target("smart.test", "192.0.2.7", 587)]


async def test_a_smarthost_that_is_not_found_is_a_reason_to_wait() -> None:
    with pytest.raises(DnsFailed):
        await route(Names({}, {})).targets("far.test", SMART)


async def test_a_smarthost_that_is_this_server_is_a_reason_to_wait() -> None:
    names = Names({}, {"smart.test": ["192.0.2.7"]})
    with pytest.raises(DnsFailed, match="this server"):
        await route(names, "192.0.2.7").targets("far.test", SMART)
