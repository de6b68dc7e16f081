"""Several clients work on one mailbox at once, and every message number stays what each of them was told."""

import asyncio
import random
import re

import pytest

from tests.imap.client import Client, message
from tests.imap.conftest import House

_FETCH = re.compile(rb"\* (\d+) FETCH \((?:.* )?UID (\d+)")
_PLAIN = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE)\r\n")
KINDS = ["append", "append", "fetch", "fetch", "store", "delete", "noop", "search", "idle", "expunge", "copy", "move"]


class Mirror:
    """A client and its idea of the mailbox: the uid of each message number, None where it has not asked."""

    def __init__(self, client: Client, chance: int) -> None:
        self.client, self.random = client, random.Random(chance)
        self.uids: list[int | None] = []
        self.knows_work = False

    @classmethod
    async def open(cls, port: int, chance: int) -> "Mirror":
        mirror = cls(await Client.login(port), chance)
        await mirror.say("SELECT INBOX")
        return mirror

    async def say(self, text: str | bytes, *, expunges: bool = True) -> bytes:
        responses = await self.client.command(text)
        for response in responses[:-1]:
            self.hear(response, expunges)
        return responses[-1]

    def hear(self, response: bytes, expunges: bool = True) -> None:
        if plain := _PLAIN.fullmatch(response):
            number = int(plain[1])
            if plain[2] == b"EXISTS":
                assert number >= len(self.uids)
                self.uids += [None] * (number - len(self.uids))
            else:
                assert expunges, "EXPUNGE where message numbers are in use"
                del self.uids[number - 1]
        elif fetch := _FETCH.match(response):
            place, uid = int(fetch[1]) - 1, int(fetch[2])
            assert self.uids[place] in (None, uid), f"number {place + 1} is {self.uids[place]}, not {uid}"
            self.uids[place] = uid
            assert b"$Work" not in response or self.knows_work, "a keyword that FLAGS did not tell"
        elif response.startswith(b"* FLAGS") and b"$Work" in response:
            self.knows_work = True

    def some(self) -> str:
        first = self.random.randint(1, len(self.uids))
        return f"{first}:{min(len(self.uids), first + self.random.randint(0, 5))}"

    async def step(self, count: int) -> None:
        kinds = [
            "append",
            "append",
            "fetch",
            "fetch",
            "store",
            "delete",
            "noop",
            "search",
            "idle",
            "expunge",
            "copy",
            "move",
        ]
        kind = self.random.choice(kinds)
        if not self.uids and kind not in ("append", "noop", "idle"):
            kind = "noop"
        match kind:
            case "append":
                body = message(f"m{count}")
                answer = await self.say(b"APPEND INBOX {%d+}\r\n" % len(body) + body)
            case "fetch":
                answer = await self.say(f"FETCH {self.some()} (FLAGS UID)", expunges=False)
            case "store":
                word = self.random.choice(["\\Seen", "\\Flagged", "$Work", "\\Answered"])
                answer = await self.say(f"STORE {self.some()} +FLAGS ({word})", expunges=False)
            case "delete":
                answer = await self.say(f"STORE {self.some()} +FLAGS.SILENT (\\Deleted)", expunges=False)
            case "search":
                answer = await self.say("SEARCH UNDELETED", expunges=False)
            case "idle":
                answer = await self.idle()
            case "expunge":
                answer = await self.say("EXPUNGE")
            case "copy":
                answer = await self.say(f"COPY {self.some()} INBOX")
            case "move":
                answer = await self.say(f"MOVE {self.some()} Archive")
            case _:
                answer = await self.say("NOOP")
        assert b" OK" in answer or b"[EXPUNGEISSUED]" in answer, answer

    async def idle(self) -> bytes:
        self.client.send(b"i IDLE\r\n")
        while not (response := await self.client.response()).startswith(b"+"):
            self.hear(response)
        self.client.send(b"DONE\r\n")
        responses = await self.client.until(b"i")
        for response in responses[:-1]:
            self.hear(response)
        return responses[-1]


@pytest.mark.parametrize("chance", range(3))
async def test_numbers_hold_while_everybody_works(imap: House, chance: int) -> None:
    mirrors = [await Mirror.open(imap.port, chance * 10 + n) for n in range(5)]

    async def work(mirror: Mirror) -> None:
        for count in range(60):
            await mirror.step(count)

    await asyncio.gather(*map(work, mirrors))
    for mirror in mirrors:
        await mirror.say("NOOP")
    held = imap.store.mailboxes.find(1, "INBOX")
    assert held is not None
    there = list((await imap.store.mailboxes.open(held)).uids)
    for mirror in mirrors:
        await mirror.say("UID FETCH 1:* FLAGS")
        assert mirror.uids == there
        assert await mirror.client.ok("UID SEARCH ALL") == [" ".join(["* SEARCH", *map(str, there)]).encode() + b"\r\n"]
