"""Gate and Failures, by an injected clock."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.accounts import limits as module
from gk.accounts.limits import Failures, Gate, Table, place
from gk.config import Limits
from gk.errors import LoginDelayed


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def gate(clock: Clock | None = None, **limits: int) -> Gate:
    return Gate(dataclasses.replace(Limits(), **limits), clock or Clock())


def failures(clock: Clock, **limits: int) -> Failures:
    return Failures(dataclasses.replace(Limits(), **limits), clock)


@pytest.mark.parametrize(
    ("peer", "address", "network", "loopback"),
    [
        ("192.0.2.77", "192.0.2.77", "192.0.2.0/24", False),
        ("::ffff:192.0.2.77", "192.0.2.77", "192.0.2.0/24", False),
        ("127.0.0.9", "127.0.0.9", "127.0.0.0/24", True),
        ("::1", "::1", "::/56", True),
        ("2001:db8:1:2ff::5", "2001:db8:1:2ff::5", "2001:db8:1:200::/56", False),
        ("fe80::1%eth0", "fe80::1", "fe80::/56", False),
        ("somewhere", "somewhere", "somewhere", False),
    ],
)
def test_a_peer_has_an_address_and_a_network(peer: str, address: str, network: str, loopback: bool) -> None:
    assert place(peer) == (address, network, loopback)


def test_one_address_has_so_many_connections_and_no_more() -> None:
    door = gate(connections_per_address=3)
    passes = [door.admit("192.0.2.1") for _ in range(3)]
    assert all(passes)
    assert door.admit("192.0.2.1") is None
    assert door.admit("192.0.2.2")
    passes[0].release()  # type: ignore[union-attr]
    assert door.admit("192.0.2.1")


def test_a_network_has_so_many_connections_and_no_more() -> None:
    door = gate(connections_per_network=4, connections_per_address=3)
    assert all(door.admit(f"192.0.2.{i}") for i in range(4))
    assert door.admit("192.0.2.200") is None
    assert door.admit("192.0.3.1")
    assert all(door.admit(f"2001:db8:0:{i}::1") for i in range(4))
    assert door.admit("2001:db8:0:ff::1") is None
    assert door.admit("2001:db8:0:100::1")


def test_all_connections_together_are_bounded_and_most_of_them_are_stress() -> None:
    door = gate(connections=10)
    passes = [door.admit(f"192.0.{i}.1") for i in range(8)]
    assert not door.stressed
    passes.append(door.admit("192.0.9.1"))
    assert door.stressed
    passes.append(door.admit("192.0.10.1"))
    assert door.admit("192.0.11.1") is None
    for held in passes:
        assert held
        held.release()
        held.release()
    assert door.total == 0
    assert not door._open


def test_new_connections_are_counted_by_the_minute_even_when_short() -> None:
    clock = Clock()
    door = gate(clock, new_connections_per_minute=5)
    for _ in range(5):
        held = door.admit("127.0.0.1")
        assert held
        held.release()
    assert door.admit("127.0.0.1") is None
    clock.now += 60
    assert door.admit("127.0.0.1")


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=60))
def test_a_gate_ends_as_empty_as_it_began(steps: list[tuple[int, bool]]) -> None:
    door, held = gate(connections=4, connections_per_address=2), []
    for number, leave in steps:
        if leave and held:
            held.pop().release()
        elif entered := door.admit(f"192.0.2.{number}"):
            held.append(entered)
        assert door.total == len(held) <= 4
    for last in held:
        last.release()
    assert door.total == 0
    assert not door._open


def test_five_failures_are_free_then_each_waits_longer() -> None:
    clock = Clock()
    guesses = failures(clock, login_failures_per_minute=100)
    assert [guesses.failed("192.0.2.1", "alice") for _ in range(12)] == [0, 0, 0, 0, 0, 1, 2, 4, 8, 15, 15, 15]


def test_the_eleventh_guess_of_a_minute_is_not_looked_at() -> None:
    clock = Clock()
    guesses = failures(clock)
    for _ in range(10):
        guesses.check("192.0.2.1", "alice")
        guesses.failed("192.0.2.1", "alice")
        clock.now += 1
    with pytest.raises(LoginDelayed):
        guesses.check("192.0.2.1", "alice")
    guesses.check("192.0.2.2", "alice")
    clock.now += 60
    guesses.check("192.0.2.1", "alice")


def test_a_network_guesses_three_times_as_often_as_an_address() -> None:
    clock = Clock()
    guesses = failures(clock)
    for i in range(30):
        guesses.check(f"192.0.2.{i}", "alice")
        guesses.failed(f"192.0.2.{i}", "alice")
    with pytest.raises(LoginDelayed):
        guesses.check("192.0.2.99", "alice")
    guesses.check("192.0.3.1", "alice")


def spend(guesses: Failures, clock: Clock, peer: str, name: str, count: int, guess: bytes = b"") -> None:
    for i in range(count):
        guesses.failed(peer, name, guess or b"%d" % i)
        clock.now += 30


def test_fifty_guesses_a_day_end_the_day_of_an_address() -> None:
    clock = Clock()
    guesses = failures(clock)
    spend(guesses, clock, "192.0.2.1", "alice", 50)
    with pytest.raises(LoginDelayed):
        guesses.check("192.0.2.1", "alice")
    clock.now += 86_400
    guesses.check("192.0.2.1", "alice")


def test_loopback_is_slowed_down_but_never_banned() -> None:
    clock = Clock()
    guesses = failures(clock)
    spend(guesses, clock, "127.0.0.1", "alice", 60)
    guesses.check("127.0.0.1", "bob")
    assert guesses.failed("127.0.0.1", "bob") == 15.0


def test_a_program_with_an_outdated_password_does_not_ban_its_house() -> None:
    clock = Clock()
    guesses = failures(clock)
    spend(guesses, clock, "192.0.2.1", "alice", 300, b"the old one")
    guesses.check("192.0.2.1", "bob")
    assert guesses.failed("192.0.2.1", "alice", b"the old one") == 15.0


def test_after_a_hundred_failures_only_known_addresses_get_at_an_account() -> None:
    clock = Clock()
    guesses = failures(clock)
    guesses.succeeded("198.51.100.7", "alice")
    for i in range(100):
        guesses.check(f"10.{i}.0.1", "alice")
        guesses.failed(f"10.{i}.0.1", "alice")
    with pytest.raises(LoginDelayed):
        guesses.check("203.0.113.9", "alice")
    guesses.check("198.51.100.7", "alice")  # the owner, at home
    guesses.check("203.0.113.9", "bob")
    clock.now += 900
    guesses.check("203.0.113.9", "alice")
    guesses.failed("203.0.113.9", "alice")
    with pytest.raises(LoginDelayed):
        guesses.check("203.0.113.10", "alice")


def test_tables_forget_the_least_used_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENTRIES", 3)
    table: Table[list[int]] = Table(list)
    for key in "abc":
        table.at(key)
    table.at("a")
    table.at("d")
    assert list(table) == ["c", "a", "d"]
