"""Searches made to be expensive, or to find another's mail: SEARCH, SORT and THREAD over many hostile messages."""

import asyncio
import random
import re
import time
from collections.abc import Iterator

import pytest

from gk.imap.threading import Mail, references
from tests.attacks.conftest import Target
from tests.attacks.wire import Imap, imap, smtp

COUNT = 5_000
MOST_MEMORY = 64  # MiB more than before
SECRET = "zirkonium4711"


async def append_all(client: Imap, box: str, messages: list[bytes]) -> None:
    """All of them, 500 with a command."""
    for start in range(0, len(messages), 500):
        client.send(b"m APPEND %b" % box.encode())
        for message in messages[start : start + 500]:
            client.send(b" {%d+}\r\n%b" % (len(message), message))
        client.send(b"\r\n")
        assert b" OK" in (await client.until(b"m"))[-1][:6]


async def found(client: Imap, keys: str) -> list[int]:
    """The uids a search finds."""
    told = await client.ok(f"UID SEARCH {keys}")
    return [int(uid) for line in told if line.startswith(b"* SEARCH") for uid in line.split()[2:]]


def hostile(number: int) -> bytes:
    """A message whose references go round in circles, are a deep chain, or are long."""
    picked = random.Random(number)
    match number % 4:
        case 0:
            ids = [f"<{(number + n * 7919) % COUNT}@x>" for n in range(20)]
        case 1:
            ids = [f"<{number - 1}@x>"]
        case 2:
            ids = [f"<{'z' * 900}{number}.{n}@x>" for n in range(20)]
        case _:
            ids = [f"<{picked.randrange(COUNT)}@x>" for n in range(20)]
    subject = "long subject " * 150 + str(number % 977)
    return (
        f"From: {'s' * 300}{number}@x\r\nSubject: {subject}\r\nMessage-ID: <{number}@x>\r\n"
        f"References: {' '.join(ids)}\r\n\r\nbody {number}\r\n"
    ).encode()


@pytest.fixture(scope="module")
def crowd(attacked: Target) -> Iterator[str]:
    """A mailbox of alice with many such messages."""

    async def fill() -> None:
        async with imap(attacked.server, "alice") as client:
            await client.ok("CREATE Crowd")
            await append_all(client, "Crowd", [hostile(number) for number in range(COUNT)])

    async def remove() -> None:
        async with imap(attacked.server, "alice") as client:
            await client.ok("DELETE Crowd")

    asyncio.run(fill())
    yield "Crowd"
    asyncio.run(remove())


EXPENSIVE = [
    "UID THREAD REFERENCES UTF-8 ALL",
    "UID THREAD ORDEREDSUBJECT UTF-8 ALL",
    "UID SORT (SUBJECT FROM TO CC DISPLAYFROM DISPLAYTO DATE REVERSE SIZE) UTF-8 ALL",
    "SEARCH BODY 7",
    "SEARCH BODY 77",
    "SEARCH NOT TEXT qq NOT HEADER X-Nothing q",
    "SEARCH FUZZY TEXT (" + "word " * 5_000 + ")",
    "SEARCH " + " ".join(f"NOT SUBJECT w{n}" for n in range(300)),
    "SEARCH " + " ".join(["NOT KEYWORD nothing", "SINCE 1-Jan-2020", "LARGER 5", "UNSEEN"] * 250),
]


@pytest.mark.parametrize("command", EXPENSIVE, ids=lambda command: command[:30])
async def test_an_expensive_search_keeps_nobody_waiting_and_gives_its_memory_back(
    target: Target, crowd: str, command: str
) -> None:
    if "FUZZY" in command:
        command = command.replace("(", '"').replace(")", '"')
    async with imap(target.server, "alice", crowd) as client:
        grown = []
        while not grown or (
            grown[-1] >= MOST_MEMORY and len(grown) < 3
        ):  # an attack before it may still be cleared away
            before = target.memory("VmRSS")
            async with target.attack(f"search: {command[:40]}"):
                await client.ok(command)
            assert target.seen[-1].noop < 0.5, target.seen[-1]
            grown.append((target.memory("VmHWM") - before) / 1024)
        assert grown[-1] < MOST_MEMORY, grown


async def test_one_users_searches_at_once_leave_room_for_those_of_another(target: Target, crowd: str) -> None:
    async with asyncio.TaskGroup() as group, imap(target.server, "bob", "INBOX") as bob:

        async def search(number: int) -> None:
            async with imap(target.server, "alice", crowd, source=f"127.4.1.{number}") as alice:
                await alice.ok("UID THREAD REFERENCES UTF-8 NOT BODY q NOT BODY w NOT TEXT v")

        working = [group.create_task(search(number)) for number in range(1, 9)]
        longest = 0.0
        while not all(task.done() for task in working):
            begun = time.perf_counter()
            await bob.ok("SEARCH TEXT anything BODY else")
            longest = max(longest, time.perf_counter() - begun)
        assert longest < 20  # and not as long as all of the others' searches


QUESTIONS = [
    '"',
    "NEAR",
    "NEAR(a b)",
    "*",
    "a*",
    "-",
    "^a",
    "(",
    ")",
    'a" OR "b',
    "subject:x",
    "{a}",
    "a AND",
    "NOT",
    "''",
]


@pytest.mark.parametrize("question", QUESTIONS)
async def test_the_signs_of_the_index_are_letters_like_others(target: Target, question: str) -> None:
    text = question.replace("\\", "\\\\").replace('"', '\\"')
    async with imap(target.server, "bob", "INBOX") as bob:
        await bob.append(f"Subject: all {question} of it\r\n\r\nand {question} in it\r\n".encode())
        for key in ("SUBJECT", "BODY", "TEXT"):
            assert await found(bob, f'{key} "{text}"') != [], key
            await bob.ok(f'SEARCH FUZZY {key} "{text}"')
        bob.send(b"n SEARCH FUZZY TEXT {5+}\r\n\0a\0*\0\r\n")
        assert (await bob.until(b"n"))[-1].startswith(b"n ")
        await bob.ok("STORE * +FLAGS.SILENT (\\Deleted)")
        await bob.ok("EXPUNGE")


async def test_long_names_of_header_fields_cost_nothing(target: Target) -> None:
    async with imap(target.server, "alice") as client:
        await client.ok("CREATE Named")
        await client.append(b"Subject: foo\r\n\r\nfoo\r\n", "Named")
        await client.ok("SELECT Named")
        before = target.memory("VmRSS")
        async with target.attack("header names of 900 KB"):
            for letter in b"abcd":
                client.send(b"h SEARCH HEADER {900000+}\r\n%b foo\r\n" % (bytes([letter]) * 900_000))
                assert (await client.until(b"h"))[-1].startswith(b"h BAD")
            for letter in b"abcd":
                names = b" ".join(b"{990+}\r\n" + b"%c%02d" % (letter, n) * 330 for n in range(99))
                client.send(b"h FETCH 1 BODY.PEEK[HEADER.FIELDS (subject " + names + b")]\r\n")
                answers = await client.until(b"h")
                assert answers[-1].startswith(b"h OK") or b"literals" in answers[-1], answers[-1]
        assert target.seen[-1].noop < 0.5
        assert (target.memory("VmRSS") - before) / 1024 < 96
        await client.ok("CLOSE")
        await client.ok("DELETE Named")


async def test_a_search_ends_soon_after_its_client_has_gone(target: Target, crowd: str) -> None:
    keys = " ".join(f"NOT BODY {chr(97 + n % 26)}{n}" for n in range(500))
    for command in (f"SEARCH {keys}", *EXPENSIVE[:3]):
        for _ in range(3):
            async with imap(target.server, "alice", crowd, source="127.4.2.1") as client:
                client.send(f"x {command}\r\n".encode())
                await client.writer.drain()
                client.writer.transport.abort()
    async with imap(target.server, "bob", "INBOX") as bob, target.attack("after searches of clients that are gone"):
        await bob.ok("SEARCH TEXT anything")


async def test_messages_that_go_during_a_search_are_left_out(target: Target) -> None:
    async with imap(target.server, "bob") as owner:
        await owner.ok("CREATE Going")
        await append_all(owner, "Going", [hostile(number)[-3000:] for number in range(2000)])
        async with imap(target.server, "bob", "Going") as reader, imap(target.server, "bob", "Going") as remover:

            async def remove() -> None:
                for start in range(1, 2000, 100):
                    await remover.ok(f"UID STORE {start}:{start + 49} +FLAGS.SILENT (\\Deleted)")
                    await remover.ok("EXPUNGE")

            removing = asyncio.create_task(remove())
            while not removing.done():
                for command in (
                    "THREAD REFERENCES UTF-8 ALL", "SORT (SUBJECT) UTF-8 ALL", "SEARCH BODY 7", "UID SEARCH NOT BODY 7",
                    "UID SORT RETURN (SAVE) (SIZE) UTF-8 ALL", "UID FETCH $ (UID BINARY.SIZE[1] PREVIEW)",
                ):  # fmt: skip
                    answers = await reader.command(command)
                    assert re.match(rb"\S+ (OK|NO \[(EXPUNGEISSUED|UNKNOWN-CTE)\])", answers[-1]), (
                        command,
                        answers[-1],
                    )
            await removing
            await reader.ok("NOOP")
            left = set(await found(reader, "ALL"))
            threaded = {int(n) for n in re.findall(rb"\d+", (await reader.ok("UID THREAD REFERENCES UTF-8 ALL"))[-1])}
            assert len(left) == 1000 and threaded == left
            await reader.ok("UNSELECT")
            await remover.ok("UNSELECT")
        await owner.ok("DELETE Going")


async def test_nobody_finds_what_only_another_has_and_both_find_what_both_have(target: Target) -> None:
    both = f"From: a@example.org\r\nSubject: {SECRET}both\r\n\r\n{SECRET}both\r\n".encode()
    async with imap(target.server, "alice", "INBOX") as alice, imap(target.server, "bob", "INBOX") as bob:
        async with smtp(target.server) as client:
            await client.envelope("bob@example.test", "alice@example.test")
            assert (await client.data(both + b".\r\n")).startswith("250")
        await alice.append(f"Subject: {SECRET}one\r\nMessage-ID: <{SECRET}@x>\r\n\r\n{SECRET}one\r\n".encode())
        await alice.ok("NOOP")
        await bob.ok("NOOP")
        ids = b"".join(await alice.ok("FETCH * (EMAILID THREADID)")).decode()
        email, thread = re.findall(r"\b([GT]\d+)\b", ids)
        for question in (
            f"TEXT {SECRET}one", f"BODY {SECRET}one", f"SUBJECT {SECRET}one", f"HEADER Message-ID {SECRET}",
            f"FUZZY TEXT {SECRET}one", f"FUZZY SUBJECT {SECRET}one", f"EMAILID {email}", f"THREADID {thread}",
            f"OR EMAILID {email} FUZZY BODY {SECRET}one",
        ):  # fmt: skip
            assert await found(bob, question) == [], question
            assert await found(alice, question) != [], question
        for user in (alice, bob):
            assert await found(user, f"TEXT {SECRET}both") != []
            assert SECRET.encode() + b"both" in b"".join(await user.ok("FETCH 1:* PREVIEW"))
        assert f"{SECRET}one".encode() not in b"".join(await bob.ok("FETCH 1:* (PREVIEW ENVELOPE)"))


def test_references_of_fifty_ids_in_circles_are_threaded_in_bounded_time() -> None:
    count = 20_000
    ids = [b"<%d@x>" % n for n in range(count)]
    circles = [[ids[(n + step * 7919) % count] for step in range(20)] for n in range(count)]
    begun = time.perf_counter()
    threads = references(Mail([0] * count, [""] * count, [False] * count, ids, circles))
    assert time.perf_counter() - begun < 10
    told = {*threads.roots, *(child for children in threads.children.values() for child in children)}
    assert told >= set(range(count))
