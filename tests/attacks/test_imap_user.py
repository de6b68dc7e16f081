"""IMAP after login: a user whose program went mad, or whose password was stolen, harms nobody else."""

import asyncio
import re
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest

from tests.attacks.conftest import Target
from tests.attacks.wire import Imap, imap
from tests.imap.client import message

KIB, MIB = 1 << 10, 1 << 20


def searched(keys: str) -> bytes:
    return f"a SEARCH {keys}\r\n".encode()


# What is sent, and how the tagged answer to `a` begins; "" where the session ends instead.
COMMANDS: dict[str, tuple[bytes, str]] = {
    "51 brackets": (searched("(" * 51 + "ALL" + ")" * 51), "BAD"),
    "50 brackets": (searched("(" * 50 + "ALL" + ")" * 50), "OK"),
    "60,000 brackets": (searched("(" * 60_000), "BAD"),
    "brackets and ORs in turn": (searched("(OR SEEN " * 45 + "ALL" + ")" * 45), "OK"),
    "brackets over literals": (b"a SEARCH " + b"(SUBJECT {1+}\r\nx " * 60 + b"ALL" + b")" * 60 + b"\r\n", "BAD"),
    "1,001 search keys": (searched("SEEN " * 1001), "BAD"),
    "1,000 search keys": (searched(" ".join(["SEEN"] * 1000)), "OK"),
    "1,000 ORs": (searched("OR SEEN " * 1000 + "SEEN"), "BAD"),
    "12,000 NOTs": (searched("NOT " * 12_000 + "SEEN"), "OK"),
    "1,000 texts": (searched(" ".join(["NOT TEXT x"] * 1000)), "OK"),
    "400 headers of one letter": (searched(" ".join(f"NOT HEADER {chr(97 + n % 26)}{n} z" for n in range(400))), "OK"),
    "a search of 40 KiB": (searched("TEXT " + "x" * 40_000), "OK"),
    "a search of 900 KiB": (b"a SEARCH TEXT {900000+}\r\n" + b"x" * 900_000 + b"\r\n", "OK"),
    "a search of 1 MiB and a byte": (b"a SEARCH TEXT {1048577+}\r\n" + b"x" * (MIB + 1) + b"\r\n", "BAD"),
    "a search that folds to 18 times": (b"a SEARCH TEXT {900000+}\r\n" + "\ufdfa".encode() * 300_000 + b"\r\n", "OK"),
    "an unknown charset": (searched("CHARSET zlib_codec ALL"), "NO"),
    "a header name of expressions": (searched('HEADER "(a+)+$|.*" x'), "OK"),
    "dates that are none": (searched("SINCE 99-Jan-9999"), "BAD"),
    "a number of 60,000 digits": (searched("LARGER " + "9" * 60_000), "BAD"),
    "a set of 9,000 ranges": (b"a FETCH " + b",".join([b"1:*"] * 9000) + b" UID\r\n", "OK"),
    "a set of 9,000 large ranges": (b"a UID FETCH " + b",".join([b"1:4294967295"] * 4500) + b" UID\r\n", "OK"),
    "a set of colons": (b"a FETCH " + b"1:" * 30_000 + b" UID\r\n", "BAD"),
    "a set of commas": (b"a FETCH 1" + b"," * 60_000 + b" UID\r\n", "BAD"),
    "a set of stars": (b"a FETCH " + b"*," * 30_000 + b"* UID\r\n", "OK"),
    "number 0": (b"a FETCH 0 UID\r\n", "BAD"),
    "number 4294967296": (b"a FETCH 4294967296 UID\r\n", "BAD"),
    "201 items": (b"a FETCH 1 (" + b" ".join([b"UID"] * 201) + b")\r\n", "BAD"),
    "a path of 101 numbers": (b"a FETCH 1 BODY.PEEK[" + b".".join([b"1"] * 101) + b"]\r\n", "BAD"),
    "a part number of 60,000 digits": (b"a FETCH 1 BODY.PEEK[" + b"9" * 60_000 + b"]\r\n", "BAD"),
    "201 header fields": (b"a FETCH 1 BODY.PEEK[HEADER.FIELDS (" + b" ".join([b"x"] * 201) + b")]\r\n", "BAD"),
    "a header field of expressions": (b'a FETCH 1 BODY.PEEK[HEADER.FIELDS ("(a+)+$")]\r\n', "OK"),
    "a header field of NUL": (b"a FETCH 1 BODY.PEEK[HEADER.FIELDS ({3+}\r\n\0\0\0)]\r\n", "BAD"),
    "a header field of two lines": (b"a FETCH 1 BODY.PEEK[HEADER.FIELDS ({8+}\r\nx]\r\n* 9 )]\r\n", "BAD"),
    "bytes behind the end": (b"a FETCH 1 BODY.PEEK[]<9223372036854775807.9223372036854775807>\r\n", "OK"),
    "bytes beyond 64 bits": (b"a FETCH 1 BODY.PEEK[]<99999999999999999999.1>\r\n", "BAD"),
    "a modseq beyond 63 bits": (b"a FETCH 1 (FLAGS) (CHANGEDSINCE 9223372036854775808)\r\n", "BAD"),
    "501 keywords": (b"a STORE 1 +FLAGS (" + b" ".join(b"k%d" % n for n in range(501)) + b")\r\n", "BAD"),
    "a keyword of 65 bytes": (b"a STORE 1 +FLAGS (" + b"k" * 65 + b")\r\n", "BAD"),
    "a keyword with a bracket": (b"a STORE 1 +FLAGS (k])\r\n", "BAD"),
    "a keyword in UTF-8": ("a STORE 1 +FLAGS (é)\r\n".encode(), "BAD"),
    "the flag \\Recent": (b"a STORE 1 +FLAGS (\\Recent)\r\n", "BAD"),
    "an unknown system flag": (b"a STORE 1 +FLAGS (\\Root)\r\n", "BAD"),
    "51 patterns": (b'a LIST "" (' + b" ".join([b"*"] * 51) + b")\r\n", "BAD"),
    "50 patterns of wildcards": (b'a LIST "" (' + b" ".join([b"%*a" * 300] * 50) + b")\r\n", "OK"),
    "a pattern of 60,000 wildcards": (b'a LIST "" "' + b"%*" * 30_000 + b'"\r\n', "NO"),
    "a pattern of stars and letters": (b'a LIST "" "' + b"*a" * 30_000 + b'"\r\n', "NO"),
    "a pattern of 8 KiB": (b'a LIST "" "' + b"*a" * 4096 + b'"\r\n', "OK"),
    "a pattern of 900 KiB": (b'a LIST "" {900000+}\r\n' + b"%a" * 450_000 + b"\r\n", "NO"),
    "a reference of 60 KiB": (b'a LIST "' + b"x/" * 30_000 + b'" *\r\n', "NO"),
    "a pattern with NUL": (b'a LIST "" {3+}\r\na\0b\r\n', ""),
    "21 status items": (b"a STATUS INBOX (" + b" ".join([b"MESSAGES"] * 21) + b")\r\n", "BAD"),
    "an ID of 5,000 pairs": (b"a ID (" + b" ".join([b'"a" "b"'] * 5000) + b")\r\n", "BAD"),
    "an ENABLE of 10,000 words": (b"a ENABLE" + b" X" * 10_000 + b"\r\n", "OK"),
    "a line of 64 KiB and one byte": (b"a NOOP " + b"x" * (64 * KIB) + b"\r\n", "end"),
    "a line of 10 MiB": (b"a NOOP " + b"x" * 10 * MIB + b"\r\n", "end"),
    "101 literals": (b"a SEARCH" + b" SUBJECT {1+}\r\nx" * 101 + b"\r\n", "BAD"),
    "a literal of 4 GiB": (b"a SEARCH SUBJECT {4294967295}\r\n", "BAD"),
    "a literal of 4 GiB that does not wait": (b"a SEARCH SUBJECT {4294967295+}\r\n", "end"),
    "a literal of 99 MiB that does not wait": (b"a SEARCH BODY {103809024+}\r\n" + bytes(99 * MIB) + b"\r\n", "BAD"),
    "a message of 51 MiB": (b"a APPEND INBOX {53477376}\r\n", "NO"),
    "a message of 51 MiB that does not wait": (b"a APPEND INBOX {53477376+}\r\n" + b"x" * 53_477_376 + b"\r\n", "NO"),
    "a message of 1 GiB that does not wait": (b"a APPEND INBOX {1073741824+}\r\n" + b"x" * MIB, "end"),
    "a message of 16 EiB": (b"a APPEND INBOX {9999999999999999999}\r\n", "NO"),
    "a message of no bytes": (b"a APPEND INBOX {0+}\r\n\r\n", "NO"),
    "a message into nowhere": (b"a APPEND nowhere {5+}\r\nhello\r\n", "NO"),
    "a message and junk": (b"a APPEND INBOX {5+}\r\nhello junk\r\n", "BAD"),
    "a message of the year 0": (b'a APPEND INBOX "01-Jan-0000 00:00:00 +0000" {5+}\r\nhello\r\n', "BAD"),
    "a message of the year 9999": (b'a APPEND Drafts "31-Dec-9999 23:59:59 -2359" {5+}\r\nhello\r\n', "OK"),
    "1,001 messages at once": (b"a APPEND Drafts" + b" {1+}\r\nx" * 1001 + b"\r\n", "NO"),
    "a name of 60 KiB": (b"a CREATE " + b"x" * 60_000 + b"\r\n", "NO"),
    "a name of 30,000 levels": (b"a CREATE " + b"x/" * 30_000 + b"x\r\n", "NO"),
    "a name of 900 KiB": (b"a CREATE {900000+}\r\n" + b"x" * 900_000 + b"\r\n", "NO"),
    "a login again": (b"a LOGIN bob@example.test demo-password\r\n", "BAD"),
    "STARTTLS after login": (b"a STARTTLS\r\n", "BAD"),
    "an unknown command": (b"a XYZZY\r\n", "BAD"),
    "only a tag": (b"a\r\n", "BAD"),
    "only UID": (b"a UID\r\n", "BAD"),
    "a command in UTF-8": ("a NÖÖP\r\n".encode(), "BAD"),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_command_beyond_the_bounds_is_refused_and_one_within_them_is_quick(target: Target, name: str) -> None:
    sent, expected = COMMANDS[name]
    async with imap(target.server, "alice") as client, target.attack(f"IMAP user: {name}"):
        await client.append(message("one"))
        await client.ok("SELECT INBOX")
        for at in range(0, len(sent), MIB):
            client.send(sent[at : at + MIB])
            try:
                await client.writer.drain()
            except OSError:
                break
        if expected == "end":
            rest = await client.rest()
            assert b"* BYE" in rest or rest == b""
            return
        answer = (await client.until(b"a"))[-1].decode()
        assert answer.startswith(f"a {expected}" if expected else "a "), answer[:200]
        assert "SERVERBUG" not in answer and len(answer) < 1000
        assert (await client.say("NOOP")).startswith("OK")


async def test_the_twentieth_bad_command_is_the_last(target: Target) -> None:
    async with imap(target.server, "alice") as client:
        for _ in range(19):
            assert (await client.say("XYZZY")).startswith("BAD")
        answers = await client.command("XYZZY")
        assert answers[0].startswith(b"t21 BAD")
        assert (await client.rest()).startswith(b"* BYE too many bad commands")


async def test_a_mailbox_has_five_hundred_keywords(target: Target) -> None:
    async with imap(target.server, "bob") as client:
        await client.ok("CREATE Keywords")
        await client.append(message("one"), "Keywords")
        await client.ok("SELECT Keywords")
        words = [f"word{n}" for n in range(600)]
        assert (await client.say(f"STORE 1 +FLAGS.SILENT ({' '.join(words[:500])})")).startswith("OK")
        assert (await client.say(f"STORE 1 +FLAGS.SILENT ({words[500]})")).startswith("NO [LIMIT]")
        assert (await client.say(f"APPEND Keywords ({words[501]}) {{5+}}\r\nhello")).startswith("NO [LIMIT]")
        assert (await client.say("NOOP")).startswith("OK")
        flags = (await client.ok("FETCH 1 FLAGS"))[-1]
        assert len(re.findall(rb"word\d+", flags)) == 500
        await client.ok("CLOSE")
        await client.ok("DELETE Keywords")


async def test_a_hundred_thousand_pipelined_commands_wait_their_turn(target: Target) -> None:
    async with imap(target.server, "alice", "INBOX") as client, target.attack("100,000 pipelined commands"):
        client.send(b"p NOOP\r\n" * 100_000 + b"last NOOP\r\n")
        answers = await client.until(b"last")
        assert len(answers) == 100_001
        assert answers[-1].startswith(b"last OK")


def large(client: Imap) -> bytes:
    return b"r FETCH * (" + b" ".join(b"BODY.PEEK[]<%d.9000000>" % n for n in range(100)) + b")\r\n"


def many(client: Imap) -> bytes:
    return b"r UID FETCH 1:* (UID BODY.PEEK[] ENVELOPE)\r\n" * 300


@pytest.mark.parametrize("greed", [large, many])
async def test_those_who_ask_for_much_and_read_nothing_cost_little(
    target: Target, greed: Callable[[Imap], bytes]
) -> None:
    async with AsyncExitStack() as stack:
        owner = await stack.enter_async_context(imap(target.server, "alice"))
        await owner.ok("CREATE Large")
        for number in range(5):
            await owner.append(message(f"large{number}", 8 * MIB), "Large")
        before = target.memory("VmRSS")
        try:
            async with target.attack(f"20 clients that do not read: {greed.__name__}"):
                for number in range(20):
                    client = await stack.enter_async_context(
                        imap(target.server, "alice", "Large", source=f"127.2.1.{number + 1}")
                    )
                    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
                    client.send(greed(client))
                for _ in range(50):  # the server has all the time it wants
                    await owner.ok("NOOP")
                    await asyncio.to_thread(target.watch.waits)
                grown = (target.memory("VmHWM") - before) / 1024
            assert grown < 150, f"{grown} MiB"
        finally:
            await owner.ok("DELETE Large")


async def test_an_idler_who_does_not_read_is_told_no_more_than_fits(target: Target) -> None:
    async with imap(target.server, "alice", "INBOX") as idler, imap(target.server, "alice", "INBOX") as busy:
        await busy.append(message("one"))
        idler.send(b"i IDLE\r\n")
        assert (await idler.until(b"+"))[-1].startswith(b"+")
        idler.writer.transport.pause_reading()  # type: ignore[attr-defined]
        before = target.memory("VmRSS")
        async with target.attack("news for an idler who does not read"):
            for _ in range(12):
                busy.send(b"".join(b"s STORE 1:* %cFLAGS.SILENT ($word)\r\n" % sign for sign in b"+-" * 50))
                busy.send(b"last NOOP\r\n")
                assert (await busy.until(b"last"))[-1].startswith(b"last OK")
            assert target.memory("VmRSS") - before < 64 << 10
        idler.writer.transport.resume_reading()  # type: ignore[attr-defined]
        idler.send(b"DONE\r\n")
        assert (await idler.until(b"i"))[-1].startswith(b"i OK")


async def test_names_and_subscriptions_by_the_thousand_are_listed_while_others_do_not_wait(target: Target) -> None:
    async with imap(target.server, "bob") as client:
        names = [f"{n:04}{'a' * 200}" for n in range(500)]
        async with target.attack("500 long names and 50 patterns"):
            client.send(b"".join(f"c CREATE {name}\r\nc SUBSCRIBE {name}\r\n".encode() for name in names))
            await client.ok("NOOP")
            patterns = " ".join(["*a%a*a" * 40] * 49 + ["*"])
            listed = await client.ok(f'LIST "" ({patterns}) RETURN (SUBSCRIBED STATUS (MESSAGES UNSEEN SIZE))')
            assert len(listed) >= 1000
            assert len(await client.ok('LSUB "" "*a*a*a*a*a*a*a*b"')) == 0
            assert len(await client.ok('LSUB "" "*"')) >= 500
        client.send(b"".join(f"d DELETE {name}\r\nd UNSUBSCRIBE {name}\r\n".encode() for name in names))
        await client.ok("NOOP")
        assert not re.search(rb"aaaa", b"".join(await client.ok('LIST "" "*"')))
