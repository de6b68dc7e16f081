"""ManageSieve and scripts: strangers are soon out, and what users make the server do keeps nobody waiting."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from gk.control.client import call
from gk.errors import Refused
from tests.attacks.conftest import Target
from tests.attacks.watch import watching
from tests.attacks.wire import LIMIT, PATIENCE, imap, smtp
from tests.managesieve.conftest import Client
from tests.server import running

ALICE = "alice@example.test"
MIB = 1 << 20


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server of its own: scripts stay."""
    with (
        running(tmp_path_factory.mktemp("ruled"), "free_space_bytes = 1") as server,
        watching(server) as watch,
    ):
        yield Target(server, watch)
        log = server.log.read_text()
    assert "Traceback" not in log, log[-5000:]


@asynccontextmanager
async def sieve(target: Target, user: str = "") -> AsyncIterator[Client]:
    """A ManageSieve connection, logged in where there is a user."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.server.ports["managesieve"], limit=LIMIT)
    client = Client(reader, writer)
    try:
        assert (await client.read())[-1].startswith(b"OK")
        if user:
            await client.log_in(user)
        yield client
    finally:
        writer.close()
        try:
            async with asyncio.timeout(PATIENCE):
                await writer.wait_closed()
        except OSError:
            pass  # the server was faster


async def all_of(client: Client) -> bytes:
    """What the server says until it ends the connection."""
    async with asyncio.timeout(PATIENCE):
        try:
            return await client.reader.read()
        except OSError:
            return b""


STRANGERS = {
    "a literal of 4 GiB": b'AUTHENTICATE "PLAIN" {4294967295+}\r\n' + b"x" * MIB,
    "a literal of 16 EiB": b'AUTHENTICATE "PLAIN" {18446744073709551616+}\r\n' + b"x" * MIB,
    "a literal of sixty digits": b'AUTHENTICATE "PLAIN" {' + b"9" * 60 + b"+}\r\nx\r\n" * 20,
    "a literal below zero": b'AUTHENTICATE "PLAIN" {-1+}\r\nx\r\n' * 20,
    "a script of 4 GiB": b'PUTSCRIPT "x" {4294967295+}\r\n' + b"x" * MIB,
    "a quote that stays open": b'AUTHENTICATE "' + b"x" * MIB,
    "backslashes in an open quote": b'AUTHENTICATE "' + b"\\" * MIB,
    "a name of 1 MiB": b"A" * MIB,
    "1 MiB of line ends": b"\r\n" * (MIB // 2),
    "1 MiB of LF": b"\n" * MIB,
    "1 MiB of NUL": b"\0" * MIB,
    "1 MiB of blanks": b" " * MIB,
    "1 MiB of 0xFF": b"\xff" * MIB,
    "all bytes": bytes(range(256)) * 4096,
    "100,000 commands": b"NOOP\r\n" * 100_000,
    "100,000 capabilities": b"CAPABILITY\r\n" * 100_000,
    "100,000 literals": b"NOOP {0+}\r\n\r\n" * 100_000,
    "bad base64": b'AUTHENTICATE "PLAIN" "!!!!"\r\n' * 30,
    "an answer of 1 MiB": b'AUTHENTICATE "PLAIN"\r\n"' + b"A" * MIB + b'"\r\n',
    "for somebody else": b'AUTHENTICATE "PLAIN" "' + base64.b64encode(b"bob@example.test\0alice\0x") + b'"\r\n' * 30,
}


@pytest.mark.parametrize("name", STRANGERS)
async def test_what_strangers_send_ends_soon_and_opens_nothing(ruled: Target, name: str) -> None:
    async with ruled.attack(f"ManageSieve: {name}"), sieve(ruled) as client:
        client.send(STRANGERS[name])
        try:
            client.writer.write_eof()
        except OSError:
            pass  # it has heard enough already
        answers = await all_of(client)
    assert b"logged in" not in answers
    assert len(answers) < 64 << 10


async def test_strangers_who_say_nothing_leave_room_for_others(ruled: Target) -> None:
    async with ruled.attack("200 silent ManageSieve connections"):
        doors = [
            await asyncio.open_connection(
                "127.0.0.1", ruled.server.ports["managesieve"], local_addr=(f"127.40.0.{n + 1}", 0)
            )
            for n in range(200)
        ]
        async with sieve(ruled, ALICE) as client:
            assert (await client.last(b"LISTSCRIPTS")).startswith(b"OK")
        for _, writer in doors:
            writer.close()


def put(script: bytes) -> bytes:
    return b'PUTSCRIPT "evil" {%d+}\r\n%b' % (len(script), script)


REQUIRE = b'require ["variables", "body", "fileinto", "editheader", "vacation", "duplicate"];\r\n'
REFUSED = {
    "blocks in blocks": b"if true {" * 7000,
    "blocks in blocks, closed": b"if true {" * 6000 + b"}" * 6000,
    "tests in tests": b"if " + b"not " * 16_000 + b"true {}",
    "parentheses in parentheses": b"if " + b"allof(" * 10_000,
    "brackets": b"keep " + b"[" * 60_000,
    "comments that stay open": b"/*" * 30_000,
    "a quote that stays open": b'keep "' + b"\\" * 60_000,
    "a text that stays open": b"keep text:\r\n" + b"..\r\n" * 15_000,
    "a number of 60,000 digits": b"if size :over " + b"9" * 60_000 + b" {}",
    "30,000 tags": b"keep" + b" :a" * 20_000 + b";",
    "a list of 30,000 names": b"require [" + b'"",' * 20_000 + b'""];',
    "200 variables": REQUIRE + b"".join(b'set "v%d" "x";' % n for n in range(200)),
    "no text at all": bytes(range(256)) * 200,
    "one octet too many": b"#" * (64 << 10) + b"\n",
}


@pytest.mark.parametrize("name", REFUSED)
async def test_scripts_that_are_no_scripts_are_refused_with_the_place(ruled: Target, name: str) -> None:
    async with ruled.attack(f"script: {name}"), sieve(ruled, ALICE) as client:
        answer = await client.last(put(REFUSED[name]))
        assert answer.startswith((b'NO "line ', b"NO (QUOTA/MAXSIZE)")), answer[:200]
        assert len(answer) < 1000
        assert await client.ask(b"LISTSCRIPTS") == [b"OK\r\n"]


@pytest.mark.parametrize("size", [b"4294967295", b"4294967295+", b"18446744073709551616+", b"1048577+"])
async def test_a_literal_larger_than_any_script_ends_the_session_of_a_user(ruled: Target, size: bytes) -> None:
    async with ruled.attack(f"a literal of {size.decode()} after login"), sieve(ruled, ALICE) as client:
        before = ruled.memory("VmRSS")
        client.send(b'PUTSCRIPT "x" {' + size + b"}\r\n" + b"x" * (8 * MIB))
        answers = await all_of(client)
        assert b"OK" not in answers
        assert ruled.memory("VmRSS") - before < 64 << 10


async def test_names_of_scripts_that_are_none_are_refused(ruled: Target) -> None:
    async with sieve(ruled, ALICE) as client:
        for name in (b"x" * 129, b"a\0b", b"a\nb", b"\xff", "\u2028".encode(), b""):
            answer = await client.last(b"PUTSCRIPT {%d+}\r\n%b {5+}\r\nkeep;" % (len(name), name))
            assert answer.startswith((b"NO", b"BYE")), (name, answer)


HEAVY = {
    "every test on every field": b"".join(b'if header :contains "x-many" "q%d" {keep;}\n' % n for n in range(1400)),
    "stars": REQUIRE + b"".join(b'if body :raw :matches "%b%d" {keep;}\n' % (b"*a" * 40, n) for n in range(300)),
    "stars on the subject": b"".join(
        b'if header :matches "subject" "%bb" {keep;}\n' % (b"*a" * 60) for _ in range(300)
    ),
    "a text that doubles": REQUIRE + b'set "a" "xxxxxxxxxxxxxxxx";' + b'set "a" "${a}${a}";' * 2500,
    "a body read in many ways": REQUIRE
    + b"".join(b'if body :content "t%d" :contains "x" {keep;}\n' % n for n in range(1000)),
    "a thousand fields": REQUIRE + b'addheader "X-A" "${1}";' * 2000,
    "a thousand mailboxes": REQUIRE + b"".join(b'fileinto "m%d";' % n for n in range(2000)),
    "a thousand redirections": b"".join(b'redirect "a%d@far.test";' % n for n in range(1500)),
    "duplicates": REQUIRE + b"".join(b'if duplicate :uniqueid "%d" {keep;}\n' % n for n in range(1500)),
}


async def deliver(target: Target, message: bytes) -> str:
    async with smtp(target.server) as client:
        for line in ("MAIL FROM:<zoe@far.test>", f"RCPT TO:<{ALICE}>", "DATA"):
            assert (await client.say(line))[0] in "23"
        client.writer.write(message.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
        return await client.reply()


@pytest.mark.parametrize("name", HEAVY)
async def test_scripts_that_work_too_much_are_stopped_and_their_mail_is_in_the_inbox(ruled: Target, name: str) -> None:
    header = b"".join(b"X-Many: %b%d\r\n" % (b"a" * 60, n) for n in range(1900))
    subject = b"Subject: " + b"a" * 900 + b"\r\n"
    message = b"From: zoe@far.test\r\n" + subject + header + b"\r\n" + (b"a" * 78 + b"\r\n") * 12_000
    script = HEAVY[name]
    assert len(script) <= 64 << 10
    async with sieve(ruled, ALICE) as client:
        assert (await client.last(put(script))).startswith(b"OK")
        assert (await client.last(b'SETACTIVE "evil"')).startswith(b"OK")
    try:
        async with imap(ruled.server, "alice") as reader:
            before = await count(reader)
            async with ruled.attack(f"script at work: {name}"):
                answers = await asyncio.gather(*(deliver(ruled, message) for _ in range(4)))
            assert all(answer.startswith("250") for answer in answers), answers
            assert await count(reader) >= before + 4
    finally:
        async with sieve(ruled, ALICE) as client:
            assert (await client.last(b'SETACTIVE ""')).startswith(b"OK")
            assert (await client.last(b'DELETESCRIPT "evil"')).startswith(b"OK")


async def count(client: object) -> int:
    """Messages in INBOX."""
    (line,) = await client.ok("STATUS INBOX (MESSAGES)")  # type: ignore[attr-defined]
    return int(line.rpartition(b"MESSAGES ")[2].split(b")")[0])


async def test_as_many_rules_as_there_may_be_decide_about_mail_and_no_more_are_taken(ruled: Target) -> None:
    conditions = " or ".join(f'body contains "{"é" * 5}{n}"' for n in range(40))

    def fill() -> int:
        for number in range(10_000):
            try:
                text = f'if {conditions} then file "Rule {number}"'
                call(ruled.server.data, "rule_add", {"address": ALICE, "text": text})
            except Refused as error:
                assert "at most" in str(error)
                return number
        return 10_000

    rules = await asyncio.to_thread(fill)
    assert 20 <= rules <= 200
    async with ruled.attack(f"{rules} rules"):
        answers = await asyncio.gather(*(deliver(ruled, b"Subject: x\r\n\r\n" + b"y" * 900) for _ in range(10)))
    assert all(answer.startswith("250") for answer in answers)
    for _ in range(rules):
        await asyncio.to_thread(call, ruled.server.data, "rule_remove", {"address": ALICE, "number": 1})
