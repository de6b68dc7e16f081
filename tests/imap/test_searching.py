"""Searches of a real mailbox: every tree of keys finds what looking at each message finds, and long ones say so."""

import asyncio
import random
from collections.abc import Iterator

import pytest

from gk.imap import progress
from gk.service import supervise
from gk.store.search.indexer import Indexer
from tests.imap.client import Client
from tests.imap.conftest import House

WORDS = ["alpha", "beta", "gamma", "alphabet", "éta"]
FLAGS = {"SEEN": "\\Seen", "FLAGGED": "\\Flagged", "ANSWERED": "\\Answered", "KEYWORD $Work": "$Work"}
COUNT = 60


class Letter:
    """What a message of the test is made of."""

    def __init__(self, dice: random.Random, number: int) -> None:
        self.number = number
        self.flags = {flag for flag in FLAGS.values() if dice.random() < 0.4}
        self.sender, self.subject, self.extra, self.body = (
            " ".join(dice.choices(WORDS, k=dice.randrange(1, 3))) for _ in range(4)
        )
        self.day = dice.randrange(1, 29)

    def raw(self) -> bytes:
        return (
            f"From: {self.sender} <x@example.org>\r\nSubject: {self.subject}\r\nX-Extra: {self.extra}\r\n"
            f"Content-Type: text/plain; charset=utf-8\r\n\r\n{self.body}\r\n"
        ).encode()

    def meets(self, key: "str | tuple[object, ...]") -> bool:
        match key:
            case ("not", inner):
                return not self.meets(inner)
            case ("or", one, other):
                return self.meets(one) or self.meets(other)
            case ("and", *keys):
                return all(map(self.meets, keys))
            case "ALL":
                return True
            case str() if key in FLAGS:
                return FLAGS[key] in self.flags
        name, _, value = str(key).partition(" ")
        value = value.replace('"', "")
        match name:
            case "FROM":
                return value in f"{self.sender} <x@example.org>"
            case "SUBJECT":
                return value in self.subject
            case "HEADER":
                return value.removeprefix("X-Extra ") in self.extra
            case "BODY":
                return value in self.body
            case "TEXT":
                return value in self.raw().decode()
            case "ON":
                return self.day == int(value.partition("-")[0])
            case "SINCE":
                return self.day >= int(value.partition("-")[0])
            case "LARGER":
                return len(self.raw()) > int(value)
        low, _, high = name.removeprefix("UID ").partition(":")
        return int(low) <= self.number <= int(high)


def keys(dice: random.Random) -> Iterator["str | tuple[object, ...]"]:
    """Trees of keys, without end."""

    def tree(depth: int) -> "str | tuple[object, ...]":
        kind = dice.random()
        if depth and kind < 0.2:
            return ("not", tree(depth - 1))
        if depth and kind < 0.45:
            return ("or", tree(depth - 1), tree(depth - 1))
        if depth and kind < 0.7:
            return ("and", *(tree(depth - 1) for _ in range(dice.randrange(2, 4))))
        word = dice.choice([*WORDS, "alpha beta", "a", "zeta"])
        low = dice.randrange(1, COUNT)
        return dice.choice(
            [
                "ALL", *FLAGS, f'FROM "{word}"', f'SUBJECT "{word}"', f'HEADER X-Extra "{word}"', f'BODY "{word}"',
                f'TEXT "{word}"', f"ON {dice.randrange(1, 29)}-Jan-2026", f"SINCE {dice.randrange(1, 29)}-Jan-2026",
                f"LARGER {dice.randrange(130, 190)}", f"{low}:{dice.randrange(low, COUNT + 1)}",
            ]
        )  # fmt: skip

    while True:
        yield tree(3)


def written(key: object) -> str:
    match key:
        case ("not", inner):
            return f"NOT {written(inner)}"
        case ("or", one, other):
            return f"OR {written(one)} {written(other)}"
        case ("and", *several):
            return "(" + " ".join(map(written, several)) + ")"
    return str(key)


async def fill(client: Client, letters: list[Letter]) -> None:
    for letter in letters:
        flags = f'({" ".join(sorted(letter.flags))}) "{letter.day:02d}-Jan-2026 12:00:00 +0000"'
        await client.append(letter.raw(), flags=flags)


async def filled(imap: House, dice: random.Random) -> tuple[Client, list[Letter]]:
    client = await Client.login(imap.port)
    letters = [Letter(dice, number) for number in range(1, COUNT + 1)]
    await fill(client, letters)
    await client.ok("SELECT INBOX")
    return client, letters


async def agree(client: Client, letters: list[Letter], dice: random.Random) -> None:
    """Two hundred searches find what looking at each letter finds."""
    for key, _ in zip(keys(dice), range(200), strict=False):
        expected = [letter.number for letter in letters if letter.meets(key)]
        text = written(key)
        (line,) = await client.ok("UID SEARCH " + text)
        assert [int(n) for n in line.split()[2:]] == expected, text


async def test_every_tree_of_keys_finds_what_looking_at_each_message_finds(imap: House) -> None:
    dice = random.Random(7)
    client, letters = await filled(imap, dice)
    await agree(client, letters, dice)


async def test_a_mailbox_of_which_a_part_is_indexed_is_searched_as_one_that_is_not(imap: House) -> None:
    dice = random.Random(14)
    client = await Client.login(imap.port)
    letters = [Letter(dice, number) for number in range(1, COUNT + 1)]
    indexer = Indexer(imap.store)
    async with supervise(indexer):
        await fill(client, letters[:40])
        await indexer.rest()
        found = await imap.store.search.find(imap.store.mailboxes.get(1, "INBOX"), "alpha", "body")
        assert len(found.uids) and not len(found.unsure)
        await fill(client, letters[40:])
        await client.ok("SELECT INBOX")
        await agree(client, letters, dice)
        await indexer.rest()
        await agree(client, letters, dice)


async def test_fuzzy_texts_are_asked_of_the_index_and_scored(imap: House) -> None:
    client = await Client.login(imap.port)
    indexer = Indexer(imap.store)
    async with supervise(indexer):
        for subject, body in (
            ("lunch", "nothing of note"),
            ("quarterly figures", "figures"),
            ("x", "the figures of a quarter"),
        ):
            await client.append(f"Subject: {subject}\r\n\r\n{body}\r\n".encode())
        await indexer.rest()
        await client.ok("SELECT INBOX")
        (line,) = await client.ok("SEARCH RETURN (ALL RELEVANCY) FUZZY TEXT figures")
        assert b" ALL 2:3 RELEVANCY (" in line
        best, other = map(int, line.rpartition(b"(")[2].strip(b")\r\n").split())
        assert 100 >= best > other >= 1
        assert await client.ok("SORT (RELEVANCY) UTF-8 FUZZY TEXT figures") == [b"* SORT 2 3\r\n"]
        assert await client.ok("SORT (REVERSE RELEVANCY) UTF-8 FUZZY TEXT figures") == [b"* SORT 3 2\r\n"]


async def test_a_sort_by_every_column_is_stable_and_complete(imap: House) -> None:
    client, letters = await filled(imap, random.Random(8))
    (line,) = await client.ok("SORT (SUBJECT REVERSE ARRIVAL) UTF-8 ALL")
    plain = [letter for letter in letters if letter.subject.isascii()]
    order = [int(n) for n in line.split()[2:]]
    assert sorted(order) == list(range(1, COUNT + 1))
    expected = [m.number for m in sorted(plain, key=lambda m: (m.subject, -m.day, m.number))]
    assert [n for n in order if letters[n - 1].subject.isascii()] == expected


async def test_a_search_by_number_tells_no_expunge_and_one_by_uid_does(imap: House) -> None:
    client, _ = await filled(imap, random.Random(9))
    other = await Client.login(imap.port, box="INBOX")
    await other.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    await other.ok("EXPUNGE")
    for command in ("SEARCH ALL", "SORT (ARRIVAL) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL"):
        lines = await client.ok(command)
        assert len(lines) == 1 and b"59" in lines[0] and not any(b"EXPUNGE" in line for line in lines)
    # the numbers are still those the client knows: 1 and 2 name nothing
    assert await client.ok("SEARCH 1:4") == [b"* SEARCH 3 4\r\n"]
    lines = await client.ok("UID SEARCH 1:4")
    assert lines[0] == b"* SEARCH 3 4\r\n" and lines[1:] == [b"* 2 EXPUNGE\r\n", b"* 1 EXPUNGE\r\n"]
    assert await client.ok("UID SEARCH 1:2") == [b"* SEARCH 3 4\r\n"]


async def test_a_saved_result_is_of_one_session(imap: House) -> None:
    client, _ = await filled(imap, random.Random(10))
    other = await Client.login(imap.port, box="INBOX")
    await client.ok("SEARCH RETURN (SAVE) 2,4,6:8")
    assert await other.ok("SEARCH $") == [b"* SEARCH\r\n"]
    await other.ok("STORE 4 +FLAGS.SILENT (\\Deleted)")
    await other.ok("EXPUNGE")
    await client.ok("NOOP")
    assert await client.ok("SEARCH $") == [b"* SEARCH 2 5 6 7\r\n"]
    assert await client.ok("UID SEARCH UID $ NOT 5") == [b"* SEARCH 2 7 8\r\n"]
    client.send(b"p SEARCH RETURN (SAVE) 3\r\nq FETCH $ (UID)\r\n")  # a pipeline goes in its order
    assert (await client.until(b"p"))[-1].startswith(b"p OK")
    assert (await client.until(b"q"))[0] == b"* 3 FETCH (UID 3)\r\n"


async def test_a_search_that_takes_long_tells_how_far_it_is(imap: House, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = await filled(imap, random.Random(11))
    monkeypatch.setattr(progress, "FIRST", 0.0)
    monkeypatch.setattr(progress, "AGAIN", 0.0)
    for command in ('SEARCH TEXT "gamma"', "SORT (SUBJECT) UTF-8 BODY a", "THREAD REFERENCES UTF-8 NOT TEXT zeta"):
        client.send(b"long " + command.encode() + b"\r\n")
        *lines, result, tagged = await client.until(b"long")
        assert tagged.startswith(b"long OK")
        assert result.startswith(b"* " + command.partition(" ")[0].encode())
        assert lines and all(line.startswith(b'* OK [INPROGRESS ("long" ') for line in lines)
        amounts = [tuple(map(int, line.partition(b"]")[0].strip(b")").split()[-2:])) for line in lines]
        assert all(done < total for done, total in amounts) and amounts == sorted(amounts)
    assert await client.ok("NOOP") == []


async def test_a_search_that_is_quick_tells_nothing(imap: House) -> None:
    client, _ = await filled(imap, random.Random(12))
    assert len(await client.ok("SEARCH TEXT gamma")) == 1


def test_what_is_done_stays_below_what_there_is_to_do() -> None:
    assert progress.line(b"a", 7, 10) == b'* OK [INPROGRESS ("a" 7 10)] still searching\r\n'
    assert progress.line(b"a", 12, 10) == b'* OK [INPROGRESS ("a" 9 10)] still searching\r\n'
    assert progress.line(b"a", 0, 0) == b'* OK [INPROGRESS ("a" NIL NIL)] still searching\r\n'


async def test_a_message_that_vanishes_under_a_search_is_not_found(imap: House) -> None:
    client, letters = await filled(imap, random.Random(13))
    other = await Client.login(imap.port, box="INBOX")
    await other.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")
    client.send(b"s UID SEARCH TEXT a\r\n")
    expunged, found = await asyncio.gather(other.ok("EXPUNGE"), client.until(b"s"))
    assert len(expunged) == COUNT
    assert found[-1].startswith(b"s OK")
    numbers = {int(n) for n in found[0].split()[2:]}
    assert numbers <= {letter.number for letter in letters if letter.meets("TEXT a")}


async def test_keys_that_would_take_forever_are_refused(imap: House) -> None:
    client = await Client.login(imap.port, box="INBOX")
    limit = imap.server.limits.search_keys
    assert b" OK" in (await client.command("SEARCH " + "OR SEEN " * (limit // 2 - 1) + "SEEN"))[-1]
    assert b"too many" in (await client.command("SEARCH " + "SEEN " * (limit + 1)))[-1]
    assert b"too many" in (await client.command("SORT (DATE) UTF-8 " + "SEEN " * (limit + 1)))[-1]
