"""Bans, by an injected clock."""

import asyncio
import dataclasses
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.accounts import bans as module
from gk.accounts.bans import LOOPBACK, Bans, network
from gk.accounts.limits import Failures, Gate
from gk.config import Bans as Rules
from gk.config import Limits
from gk.errors import ReadOnly, Refused
from gk.store.bans import Ban

RULES = Rules(logins=4, errors=4, relays=2, recipients=3, overruns=2, first_minutes=10, longest_minutes=60)
CLIENT = "192.0.2.1"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def pass_minutes(self, minutes: float) -> None:
        self.now += minutes * 60


class Rows:
    """What a store would have kept."""

    def __init__(self) -> None:
        self.bans: dict[str, Ban] = {}
        self.broken = False

    async def keep(self, bans: Iterable[Ban], gone: Iterable[str]) -> None:
        if self.broken:
            raise ReadOnly("the disk is gone")
        for name in gone:
            self.bans.pop(name, None)
        self.bans.update({ban.network: ban for ban in bans})


def made(clock: Clock | None = None, rules: Rules = RULES, **more: Any) -> Bans:
    return Bans(rules, clock=clock or Clock(), **more)


def provoke(bans: Bans, peer: str, times: int = 4) -> bool:
    return [bans.offence(peer, "errors") for _ in range(times)][-1]


def test_enough_offences_of_one_kind_are_a_ban_and_fewer_are_not() -> None:
    bans = made()
    assert not provoke(bans, CLIENT, 3)
    assert not bans.offence(CLIENT, "logins")  # of another kind
    assert not bans.banned(CLIENT)
    assert bans.offence(CLIENT, "errors")
    assert bans.banned(CLIENT) and bans.banned(f"::ffff:{CLIENT}")
    assert not bans.banned("192.0.2.2")


def test_a_ban_expires_and_the_next_ones_last_twice_as_long_up_to_a_bound() -> None:
    clock = Clock()
    bans = made(clock)
    for minutes in (10, 20, 40, 60, 60):
        assert provoke(bans, CLIENT)
        clock.pass_minutes(minutes - 0.1)
        assert bans.banned(CLIENT)
        clock.pass_minutes(0.2)
        assert not bans.banned(CLIENT) and bans.every() == []
    clock.pass_minutes(8 * 1440)
    assert provoke(bans, CLIENT)
    assert [ban.times for ban in bans.every()] == [1]


def test_offences_are_forgotten_with_their_window() -> None:
    clock = Clock()
    bans = made(clock)
    provoke(bans, CLIENT, 3)
    clock.pass_minutes(61)
    assert not provoke(bans, CLIENT, 3)


def test_of_ipv6_the_64_is_banned() -> None:
    bans = made()
    for host in range(4):
        bans.offence(f"2001:db8:0:1::{host:x}", "errors")
    assert bans.banned("2001:db8:0:1:ffff::1")
    assert not bans.banned("2001:db8:0:2::1")
    assert [ban.network for ban in bans.every()] == ["2001:db8:0:1::/64"]


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "198.51.100.7", "203.0.113.9"])
async def test_loopback_own_addresses_and_spared_networks_are_never_hit(peer: str) -> None:
    bans = made(spared=(*LOOPBACK, "198.51.100.0/24"), own=lambda address: address == "203.0.113.9")
    assert not provoke(bans, peer, 100)
    assert bans.late(peer) == 0.0
    for wide in ("0.0.0.0/8", "126.0.0.0/8", "198.0.0.0/8", "203.0.113.0/24"):
        await bans.add(wide, 60, "by hand")
    assert not bans.banned(peer)
    assert bans.banned("203.0.113.10") and bans.banned("198.51.99.1")


async def test_what_is_never_banned_cannot_be_banned_by_hand_either() -> None:
    bans = made(spared=(*LOOPBACK, "198.51.100.0/24"))
    for refused in ("127.0.0.1", "::1/128", "198.51.100.128/25", "0.0.0.0/0", "nonsense", "", "192.0.2.0/40"):
        with pytest.raises(Refused):
            await bans.add(refused, 60, "")
    assert bans.every() == []


async def test_bans_by_hand_cover_networks_and_are_lifted() -> None:
    clock, rows = Clock(), Rows()
    bans = made(clock, keep=rows.keep)
    await bans.add("203.0.113.77/24", 3600, "noise")
    await bans.add("2001:db8::1", 3600, "noise")
    assert bans.banned("203.0.113.1") and bans.banned("2001:db8::ffff")
    assert set(rows.bans) == {"203.0.113.0/24", "2001:db8::/64"}
    with pytest.raises(Refused, match=r"it is banned with 203\.0\.113\.0/24"):
        await bans.remove("203.0.113.1")
    assert (await bans.remove("203.0.113.0/24")).reason == "noise"
    assert not bans.banned("203.0.113.1") and set(rows.bans) == {"2001:db8::/64"}
    with pytest.raises(Refused, match="is not banned"):
        await bans.remove("203.0.113.0/24")


async def test_who_was_let_off_begins_anew() -> None:
    bans = made(keep=Rows().keep)
    provoke(bans, CLIENT)
    bans.offence(CLIENT, "relays")
    await bans.remove(CLIENT)
    assert not provoke(bans, CLIENT, 3) and not bans.offence(CLIENT, "relays")


async def test_bans_survive_a_restart_with_their_number() -> None:
    clock, rows = Clock(), Rows()
    first = made(clock, keep=rows.keep)
    provoke(first, CLIENT)
    await first.write()
    second = made(clock, keep=rows.keep, kept=list(rows.bans.values()))
    assert second.banned(CLIENT)
    clock.pass_minutes(11)
    assert not second.banned(CLIENT)
    provoke(second, CLIENT)
    assert second.every()[0].times == 2
    clock.pass_minutes(9 * 1440)
    await second.write()
    assert rows.bans == {} and not second.banned(CLIENT)


async def test_what_cannot_be_written_holds_and_is_written_later() -> None:
    rows = Rows()
    bans = made(keep=rows.keep)
    rows.broken = True
    provoke(bans, CLIENT)
    await bans.write()
    assert bans.banned(CLIENT) and not rows.bans
    rows.broken = False
    await bans.write()
    assert set(rows.bans) == {f"{CLIENT}/32"}


async def test_the_service_writes_soon_after_a_ban() -> None:
    rows, written = Rows(), asyncio.Event()

    async def keep(bans: Iterable[Ban], gone: Iterable[str]) -> None:
        await rows.keep(bans, gone)
        written.set()

    bans = made(keep=keep)
    task = asyncio.create_task(bans.run(asyncio.Event()))
    provoke(bans, CLIENT)
    await asyncio.wait_for(written.wait(), 30)
    task.cancel()
    assert set(rows.bans) == {f"{CLIENT}/32"}


async def test_bans_and_counts_are_bounded_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENTRIES", 50)
    clock, rows = Clock(), Rows()
    bans = made(clock, dataclasses.replace(RULES, addresses=10), keep=rows.keep)
    for n in range(200):
        bans.offence(f"198.51.100.{n}", "errors")
    assert len(bans._counts) == 50
    for n in range(20):
        provoke(bans, f"203.0.113.{n}")
        clock.pass_minutes(0.1)
        await bans.write()
    assert len(bans.every()) == len(rows.bans) == 10
    assert bans.banned("203.0.113.19") and not bans.banned("203.0.113.0")  # what ended first made room


async def test_before_a_ban_a_client_waits_and_only_so_many_do() -> None:
    waits: list[float] = []
    going_on = asyncio.Event()

    async def pause(seconds: float) -> None:
        waits.append(seconds)
        await going_on.wait()

    bans = made(rules=dataclasses.replace(RULES, delays=1), pause=pause)
    bans.offence(CLIENT, "errors")
    assert await bans.slow(CLIENT) and not waits
    provoke(bans, CLIENT, 2)
    held = asyncio.create_task(bans.slow(CLIENT))
    await asyncio.sleep(0)
    assert waits == [0.75 * module.LONGEST_WAIT]
    assert not await bans.slow(CLIENT)
    assert await bans.slow("192.0.2.2")
    going_on.set()
    assert await held
    assert await bans.slow(CLIENT)


def test_nobody_is_banned_where_that_is_off_or_a_threshold_is_zero() -> None:
    assert not provoke(made(rules=dataclasses.replace(RULES, enabled=False)), CLIENT, 1000)
    assert not provoke(made(rules=dataclasses.replace(RULES, errors=0)), CLIENT, 1000)


def test_different_wrong_passwords_count_and_one_that_is_repeated_does_not() -> None:
    bans = made()
    failures = Failures(Limits(), bans=bans)
    for _ in range(20):
        failures.failed(CLIENT, "alice@example.test", b"outdated")
    assert not bans.banned(CLIENT)
    for guess in range(4):
        failures.failed(CLIENT, "alice@example.test", str(guess).encode())
    assert bans.banned(CLIENT)


def test_who_connects_too_often_is_banned_and_who_finds_the_server_full_is_not() -> None:
    bans = made()
    gate = Gate(dataclasses.replace(Limits(), new_connections_per_minute=2, connections=2), bans=bans)
    for _ in range(10):
        gate.admit("198.51.100.1")
    assert bans.banned("198.51.100.1")
    for n in range(10):
        assert gate.admit(f"203.0.113.{n}") is None  # full, which is nobody's fault
        assert not bans.banned(f"203.0.113.{n}")


@given(st.text(max_size=60))
def test_any_text_is_a_network_or_refused(text: str) -> None:
    bans = made()
    assert not bans.offence(text, "errors") and not bans.banned(text)
    try:
        covered = network(text)
    except Refused:
        return
    assert covered.prefixlen >= 8
