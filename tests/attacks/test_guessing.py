"""Guessing passwords: slow from one address and from many, telling nothing, and never keeping the owner out."""

import asyncio
import base64
import statistics
import time
from collections.abc import Iterator

import pytest

from tests.attacks.conftest import Target, note
from tests.attacks.watch import watching
from tests.attacks.wire import imap, smtp
from tests.server import PASSWORD, running

ALICE = "alice@example.test"


@pytest.fixture(scope="module")
def guessed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server of their own for guesses: failures are remembered for a day."""
    with running(tmp_path_factory.mktemp("guessed"), "free_space_bytes = 1") as server, watching(server) as watch:
        yield Target(server, watch)


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server where nothing was guessed yet."""
    with running(tmp_path_factory.mktemp("fresh"), "free_space_bytes = 1") as server, watching(server) as watch:
        yield Target(server, watch)


async def guess(target: Target, source: str, name: str = ALICE, password: str = "wrong-password") -> str:
    """The answer to one login by IMAP."""
    async with imap(target.server, source=source) as client:
        return await client.say(f"LOGIN {name} {password}")


async def guess_by_smtp(target: Target, source: str, name: str = ALICE, password: str = "wrong-password") -> str:
    async with smtp(target.server, "submissions", source=source) as client:
        token = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
        return await client.say(f"AUTH PLAIN {token}")


@pytest.mark.slow
async def test_a_hundred_guesses_side_by_side_from_one_address_are_not_looked_at(fresh: Target) -> None:
    async with fresh.attack("100 guesses from one address"):
        work = [asyncio.create_task(guess(fresh, "127.20.0.1", password=f"guess-{n:05}")) for n in range(60)]
        work += [
            asyncio.create_task(guess_by_smtp(fresh, "127.20.0.1", password=f"guess-{n:05}")) for n in range(60, 100)
        ]
        owner = await asyncio.create_task(guess(fresh, "127.21.0.1", password=PASSWORD))
        assert owner.startswith("OK")
        done, late = await asyncio.wait(work, timeout=6)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
    looked = [a for a in (task.result() for task in done) if "AUTHENTICATIONFAILED" in a or a.startswith("535")]
    assert 1 <= len(looked) <= 10
    delayed = await guess(fresh, "127.20.0.1", password=PASSWORD)
    assert delayed.startswith("NO") and "OK" not in delayed  # right or wrong: not now


async def test_an_account_guessed_at_from_everywhere_still_lets_its_owner_in(fresh: Target) -> None:
    assert (await guess(fresh, "127.22.0.1", password=PASSWORD)).startswith("OK")
    async with fresh.attack("120 guesses from 40 networks"):
        answers = await asyncio.gather(
            *(guess(fresh, f"127.23.{n % 40}.1", password=f"guess-{n:05}") for n in range(120))
        )
    assert not [answer for answer in answers if answer.startswith("OK")]
    assert len([answer for answer in answers if "AUTHENTICATIONFAILED" in answer]) <= 100
    assert (await guess(fresh, "127.24.0.1", password=PASSWORD)).startswith("NO")  # a stranger to this account
    assert (await guess(fresh, "127.22.0.1", password=PASSWORD)).startswith("OK")
    assert (await guess_by_smtp(fresh, "127.22.0.1", password=PASSWORD)).startswith("235")
    assert (await guess(fresh, "127.24.0.1", "bob@example.test", PASSWORD)).startswith("OK")


NAMES = {
    "a wrong password": ALICE,
    "an unknown user": "nobody@example.test",
    "an unknown domain": "alice@elsewhere.example",
    "no address": "x" * 300,
    "an alias of nobody": "postmaster",
}


@pytest.mark.parametrize("way", [guess, guess_by_smtp])
async def test_who_exists_is_not_told_by_words_or_time(guessed: Target, way: object) -> None:
    assert callable(way)
    answers, times = set(), {kind: [] for kind in NAMES}  # type: ignore[var-annotated]
    for turn in range(5):
        for number, (kind, name) in enumerate(NAMES.items()):
            source = f"127.{25 + number}.{turn}.{1 + (way is guess)}"
            begun = time.perf_counter()
            answers.add(await way(guessed, source, name))
            times[kind].append(time.perf_counter() - begun)
    assert len(answers) == 1, answers
    medians = {kind: statistics.median(spent) for kind, spent in times.items()}
    note("guesses differ in time by a factor of", max(medians.values()) / min(medians.values()), str(medians))
    assert max(medians.values()) < 3 * min(medians.values()), medians


async def test_a_flood_of_logins_costs_a_bounded_amount_of_memory_and_those_who_are_in_stay_served(
    guessed: Target,
) -> None:
    async with imap(guessed.server, "alice", "INBOX", source="127.30.0.1") as client:
        async with guessed.attack("300 logins of strangers at once"):
            before = guessed.memory("VmRSS")
            flood = [
                asyncio.create_task(guess(guessed, f"127.31.{n // 4}.{n % 4 + 1}", f"user{n}@example.test"))
                for n in range(300)
            ]
            while not all(task.done() for task in flood):
                await client.ok("NOOP")
                await asyncio.wait(flood, timeout=0.1)
            assert guessed.memory("VmHWM") - before < 112 << 10  # two hashes of 19 MiB and the connections
        answers = {task.result() for task in flood}
    assert len(answers) <= 2 and not [answer for answer in answers if not answer.startswith("NO")], answers


async def test_long_and_odd_passwords_are_refused_at_the_same_price(guessed: Target) -> None:
    async with guessed.attack("odd passwords"):
        for number, password in enumerate(["x" * 1025, "x" * 7000, '""', '"a b"', "é" * 500, "\ufdfa" * 500]):
            answer = await guess(guessed, f"127.32.{number}.1", password=password)
            assert answer.startswith(("NO [AUTHENTICATIONFAILED]", "BAD")), password
