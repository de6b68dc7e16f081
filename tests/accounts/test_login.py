"""Logins over a real store."""

import asyncio
import dataclasses

import pytest

from gk.accounts import login as module
from gk.accounts.limits import Failures
from gk.accounts.login import REMEMBERED, Logins
from gk.accounts.passwords import Passwords, app_digest, app_password
from gk.config import Limits
from gk.errors import LoginDelayed, LoginFailed
from gk.store.db import Store
from tests.accounts.conftest import ALICE, PASSWORD

PEER = "192.0.2.1"
FREE = dataclasses.replace(
    Limits(), login_failures_before_delay=1000, login_failures_per_minute=1000, login_failures_per_day=1000
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Counted(Passwords):
    """Counts the hashes it makes."""

    verified = 0

    async def verify(self, digest: str | None, password: str) -> bool:
        self.verified += 1
        return await super().verify(digest, password)


def logins(store: Store, *domains: str, limits: Limits = FREE, clock: Clock | None = None) -> tuple[Logins, Counted]:
    clock = clock or Clock()
    passwords = Counted()
    failures = Failures(limits, clock)
    return Logins(store.accounts, passwords, failures, domains or ("example.test",), clock), passwords


@pytest.mark.parametrize("name", [ALICE, "Alice@EXAMPLE.test", "alice", " alice "])
async def test_the_login_is_the_address_in_any_case_or_its_local_part(store: Store, name: str) -> None:
    door, _ = logins(store)
    assert (await door.check(name, PASSWORD, PEER, "test")).address == ALICE


async def test_the_bare_local_part_is_nobody_where_there_are_two_domains(store: Store) -> None:
    door, _ = logins(store, "example.test", "example.org")
    with pytest.raises(LoginFailed):
        await door.check("alice", PASSWORD, PEER, "test")


@pytest.mark.parametrize("name", ["", "@", "nobody", "alice+tag@example.test", "a\0lice", "x" * 400, "é@\ud800"])
async def test_unknown_names_fail_like_wrong_passwords(store: Store, name: str) -> None:
    door, passwords = logins(store)
    with pytest.raises(LoginFailed) as unknown:
        await door.check(name, PASSWORD, PEER, "test")
    with pytest.raises(LoginFailed) as wrong:
        await door.check(ALICE, "wrong password", PEER, "test")
    assert str(unknown.value) == str(wrong.value)
    assert passwords.verified == 2


async def test_a_verified_password_is_known_again_without_hashing_for_a_quarter_of_an_hour(store: Store) -> None:
    clock = Clock()
    door, passwords = logins(store, clock=clock)
    for _ in range(5):
        await door.check(ALICE, PASSWORD, PEER, "test")
    assert passwords.verified == 1
    clock.now += REMEMBERED
    await door.check(ALICE, PASSWORD, PEER, "test")
    assert passwords.verified == 2


async def test_a_remembered_password_belongs_to_its_account(store: Store) -> None:
    door, passwords = logins(store)
    await store.accounts.set_password(2, await passwords.hash("bobs own word"))
    await door.check(ALICE, PASSWORD, PEER, "test")
    with pytest.raises(LoginFailed):
        await door.check("bob", PASSWORD, PEER, "test")


async def test_a_changed_password_ends_what_was_remembered(store: Store) -> None:
    door, passwords = logins(store)
    await door.check(ALICE, PASSWORD, PEER, "test")
    await store.accounts.set_password(1, await passwords.hash("another word"))
    with pytest.raises(LoginFailed):
        await door.check(ALICE, PASSWORD, PEER, "test")
    await door.check(ALICE, "another word", PEER, "test")


async def test_the_memory_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENTRIES", 2)
    verified = module.Verified(Clock())
    digests = [verified.digest(i, b"pw") for i in range(3)]
    assert not verified.knows(digests[0], 1)
    for digest in digests:
        verified.add(digest, 1)
    assert [verified.knows(digest, 1) for digest in digests] == [False, True, True]
    verified.add(digests[0], 0)
    assert not verified.knows(digests[0], 1)


async def test_an_app_password_opens_without_argon2_until_it_is_removed(store: Store) -> None:
    door, passwords = logins(store)
    text, digest = app_password()
    number = await store.accounts.add_app_password(1, "phone", digest)
    await door.check(ALICE, text, PEER, "test")
    await door.check(ALICE, text.upper(), PEER, "test")
    assert passwords.verified == 0
    with pytest.raises(LoginFailed):
        await door.check("bob", text, PEER, "test")
    await store.accounts.remove_app_password(1, number)
    with pytest.raises(LoginFailed):
        await door.check(ALICE, text, PEER, "test")


async def test_an_account_without_a_password_is_opened_by_nothing(store: Store) -> None:
    await store.accounts.add("carol@example.test", None)
    door, _ = logins(store)
    for guess in ("", "None", "wrong password"):
        with pytest.raises(LoginFailed):
            await door.check("carol", guess, PEER, "test")
    assert app_digest("") != b""


async def test_guesses_sent_side_by_side_are_counted_one_by_one(store: Store) -> None:
    limits = dataclasses.replace(FREE, login_failures_per_minute=3)
    door, passwords = logins(store, limits=limits)
    guesses = [door.check(ALICE, f"wrong password {i}", PEER, "test") for i in range(12)]
    results = await asyncio.gather(*guesses, return_exceptions=True)
    assert [type(result) for result in results].count(LoginDelayed) == 9
    assert passwords.verified == 3


async def test_logins_sent_side_by_side_with_the_right_password_all_succeed(store: Store) -> None:
    limits = dataclasses.replace(FREE, login_failures_per_minute=3)
    door, passwords = logins(store, limits=limits)
    accounts = await asyncio.gather(*(door.check(ALICE, PASSWORD, PEER, "test") for _ in range(40)))
    assert {account.address for account in accounts} == {ALICE}
    assert passwords.verified == 1


async def test_a_right_password_is_not_looked_at_from_where_too_much_was_guessed(store: Store) -> None:
    limits = dataclasses.replace(FREE, login_failures_per_minute=2)
    door, _ = logins(store, limits=limits)
    await door.check(ALICE, PASSWORD, PEER, "test")
    for i in range(2):
        with pytest.raises(LoginFailed):
            await door.check(ALICE, f"wrong password {i}", PEER, "test")
    with pytest.raises(LoginDelayed):
        await door.check(ALICE, PASSWORD, PEER, "test")
    await door.check(ALICE, PASSWORD, "198.51.100.1", "test")


async def test_two_thousand_remembered_logins_take_less_than_a_second(store: Store) -> None:
    door, _ = logins(store)
    await door.check(ALICE, PASSWORD, PEER, "test")
    begun = asyncio.get_running_loop().time()
    for _ in range(2000):
        await door.check(ALICE, PASSWORD, PEER, "test")
    assert asyncio.get_running_loop().time() - begun < 1.0
