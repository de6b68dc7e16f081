"""Passwords: argon2id off the loop, bounded."""

import asyncio
import unicodedata

import pytest

from gk.accounts import passwords
from gk.accounts.passwords import Passwords, app_digest, app_password
from gk.errors import Overloaded, Refused

GOOD = "correct horse"


async def test_a_password_verifies_against_its_own_digest_only() -> None:
    rooms = Passwords()
    digest = await rooms.hash(GOOD)
    assert digest.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await rooms.verify(digest, GOOD)
    assert not await rooms.verify(digest, GOOD + "!")
    assert not await rooms.verify(None, GOOD)
    assert not await rooms.verify("not a digest", GOOD)


async def test_two_digests_of_one_password_differ() -> None:
    rooms = Passwords()
    assert await rooms.hash(GOOD) != await rooms.hash(GOOD)


@pytest.mark.parametrize("password", ["", "short", "123456789", "é" * 4, "x" * 1025, "0123456789\0"])
async def test_a_password_out_of_bounds_is_refused(password: str) -> None:
    with pytest.raises(Refused):
        await Passwords().hash(password)


@pytest.mark.parametrize("password", ["0123456789", "é" * 5, "x" * 1024])
async def test_the_bounds_themselves_are_allowed(password: str) -> None:
    rooms = Passwords()
    assert await rooms.verify(await rooms.hash(password), password)


async def test_a_longer_password_is_not_the_one_it_begins_with() -> None:
    rooms = Passwords()
    assert not await rooms.verify(await rooms.hash("x" * 1024), "x" * 1025)


async def test_composed_and_decomposed_letters_are_the_same_password() -> None:
    rooms = Passwords()
    digest = await rooms.hash(unicodedata.normalize("NFD", "crème brûlée"))
    assert await rooms.verify(digest, unicodedata.normalize("NFC", "crème brûlée"))


async def test_a_digest_nobody_has_costs_as_much_as_a_real_one() -> None:
    rooms = Passwords()
    digest, loop = await rooms.hash(GOOD), asyncio.get_running_loop()
    times: dict[str | None, list[float]] = {digest: [], None: []}
    for _ in range(5):
        for which, taken in times.items():
            begun = loop.time()
            await rooms.verify(which, "wrong password")
            taken.append(loop.time() - begun)
    real, nobody = min(times[digest]), min(times[None])
    assert nobody > real / 2, (real, nobody)


async def test_more_waiting_logins_than_allowed_are_turned_away_at_once() -> None:
    rooms = Passwords()
    waiting = [asyncio.ensure_future(rooms.verify(None, GOOD)) for _ in range(passwords.WAITING + passwords.AT_ONCE)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await rooms.verify(None, GOOD)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_caller_that_goes_away_keeps_its_turn_until_the_hash_is_made() -> None:
    rooms = Passwords()
    tasks = [asyncio.ensure_future(rooms.verify(None, GOOD)) for _ in range(passwords.AT_ONCE)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert rooms._turns.locked()
    assert not await rooms.verify(None, GOOD)


def test_app_passwords_are_random_and_their_dashes_and_case_do_not_matter() -> None:
    made = {app_password()[0] for _ in range(200)}
    assert len(made) == 200
    text, digest = app_password()
    assert len(text.replace("-", "")) * 5 >= 80
    assert app_digest(text) == app_digest(text.upper().replace("-", " ")) == digest
