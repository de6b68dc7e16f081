"""NOTIFY, METADATA, QUOTA, COMPRESS, BINARY, PREVIEW, QRESYNC and large LISTs by somebody who means harm."""

import asyncio
import base64
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from tests.attacks.conftest import Target
from tests.attacks.test_search import append_all
from tests.attacks.wire import Imap, imap

MIB = 1 << 20
BOXES = 2_500
EVENTS = "(MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange)"
HEAD = b"From: a@example.org\r\nSubject: x\r\n"
BASE64 = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"


def names(kind: str, groups: int = 20) -> str:
    """Filters of 500 names each."""
    return " ".join([f"({kind} ({' '.join(f'q{n}' for n in range(500))}) {EVENTS})"] * groups)


@pytest.fixture(scope="module")
def boxes(attacked: Target) -> Iterator[str]:
    """Very many mailboxes of alice below one, all subscribed to."""

    async def pipeline(*commands: str) -> None:
        async with imap(attacked.server, "alice") as client:
            for command in commands:
                client.send("".join(f"c {command.format(n)}\r\n" for n in range(BOXES)).encode())
                await client.ok("NOOP")

    asyncio.run(pipeline("CREATE Top/{:04}" + "a" * 100, "SUBSCRIBE Top/{:04}" + "a" * 100))
    yield "Top"
    asyncio.run(pipeline("DELETE Top/{:04}" + "a" * 100, "UNSUBSCRIBE Top/{:04}" + "a" * 100))


async def test_many_patterns_over_many_mailboxes_while_many_watch_keep_nobody_waiting(
    target: Target, boxes: str
) -> None:
    patterns = " ".join(["%".join("a" * 60)] * 20 + ["*"])
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(imap(target.server, "alice"))
        for number, kind in enumerate(("SUBTREE", "MAILBOXES", "SUBTREE", "MAILBOXES") * 3, 1):
            watcher = await stack.enter_async_context(imap(target.server, "alice", source=f"127.5.1.{number}"))
            async with target.attack(f"NOTIFY SET STATUS {kind}"):
                await watcher.ok(f"NOTIFY SET STATUS {names(kind)}")
            assert target.seen[-1].noop < 0.5
        before = target.memory("VmRSS")
        async with target.attack("LIST with 21 patterns over 2,500 mailboxes"):
            assert len(await client.ok(f'LIST "" ({patterns}) RETURN (STATUS (MESSAGES DELETED-STORAGE))')) >= 2 * BOXES
            await client.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" (%) RETURN (CHILDREN)')
        assert target.seen[-1].noop < 0.5
        async with target.attack("RENAME of 2,500 mailboxes before 12 watchers"):
            await client.ok("RENAME Top Else")
            await client.ok("RENAME Else Top")
        assert target.seen[-1].noop < 5.0
        assert (target.memory("VmHWM") - before) / 1024 < 96


async def test_a_rename_of_very_many_names_is_told_or_said_to_be_too_much(target: Target, boxes: str) -> None:
    async with imap(target.server, "alice") as client, imap(target.server, "alice", source="127.5.2.1") as watcher:
        await watcher.ok(f"NOTIFY SET (PERSONAL {EVENTS})")
        await client.ok("RENAME Top Else")
        told = [line for line in await watcher.ok("NOOP") if b"OLDNAME" in line]
        while len(told) < BOXES:
            line = await watcher.response()
            assert line
            told.append(line)
        await watcher.ok("NOTIFY NONE")
        await client.ok("RENAME Else Top")


async def test_watchers_end_with_their_connections(target: Target) -> None:
    async with imap(target.server, "alice") as client:

        async def watch(number: int) -> None:
            source = f"127.5.{3 + number // 200}.{number % 200 + 1}"
            async with imap(target.server, "alice", "INBOX", source=source) as watcher:
                await watcher.ok(f"NOTIFY SET {names('SUBTREE', 4)} (SELECTED (MessageNew (PREVIEW) MessageExpunge))")
                if number % 3 == 0:
                    watcher.send(b"i IDLE\r\n")
                elif number % 3 == 1:
                    await watcher.ok("LOGOUT")
                    return
                watcher.writer.transport.abort()

        for first in range(0, 100, 20):  # what every first session costs is not counted
            await asyncio.gather(*(watch(number) for number in range(first, first + 20)))
        before = target.memory("VmRSS")
        for first in range(0, 900, 20):
            await asyncio.gather(*(watch(number) for number in range(first, first + 20)))
        async with target.attack("a message after 1,000 watchers that are gone"):
            await client.append(HEAD + b"\r\nnews\r\n")
            await client.ok("NOOP")
        assert (target.memory("VmRSS") - before) / 1024 < 96


async def test_a_watcher_that_does_not_read_is_told_no_more_than_fits(target: Target) -> None:
    async with imap(target.server, "alice") as client, imap(target.server, "alice", source="127.5.9.1") as watcher:
        await watcher.ok("NOTIFY SET (PERSONAL (MailboxMetadataChange MessageNew MessageExpunge)) (INBOXES NONE)")
        watcher.writer.transport.pause_reading()  # type: ignore[attr-defined]
        before = target.memory("VmRSS")
        names_ = [f"/private/{n}/" + "x" * 200 for n in range(100)]
        change = " ".join(f'{name} "x"' for name in names_)
        async with target.attack("20,000 notes for a watcher that does not read"):
            client.send(f"m SETMETADATA Drafts ({change})\r\n".encode() * 200)
            await client.ok("NOOP")
        assert (target.memory("VmRSS") - before) / 1024 < 96
        watcher.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await watcher.ok("NOOP")
        nothing = " ".join(f"{name} NIL" for name in names_)
        await client.ok(f"SETMETADATA Drafts ({nothing})")


async def test_entries_below_each_other_are_told_once(target: Target) -> None:
    async with imap(target.server, "alice") as client:
        entries = ["/private" + "/a" * (n + 1) for n in range(110)]
        value = b"x" * 63_000
        for entry in entries[-16:]:
            client.send(b"m SETMETADATA INBOX (%b {63000+}\r\n%b)\r\n" % (entry.encode(), value))
            assert (await client.until(b"m"))[-1].startswith(b"m OK")
        client.send(b"m SETMETADATA INBOX (/private/b {63000+}\r\n%b)\r\n" % value)
        assert (await client.until(b"m"))[-1].startswith(b"m NO [METADATA TOOMANY]")
        before = target.memory("VmRSS")
        async with target.attack("GETMETADATA of 90 entries above the same 16"):
            told = b"".join(await client.ok(f"GETMETADATA INBOX (DEPTH infinity) ({' '.join(entries[:90])})"))
        assert len(told) < 2 * MIB
        assert (target.memory("VmHWM") - before) / 1024 < 96
        await client.ok(f"SETMETADATA INBOX ({' '.join(f'{entry} NIL' for entry in entries[-16:])})")


async def test_names_of_entries_cannot_break_a_response(target: Target) -> None:
    async with imap(target.server, "alice") as client, imap(target.server, "alice", source="127.5.9.2") as watcher:
        await watcher.ok("NOTIFY SET (PERSONAL (ServerMetadataChange MailboxMetadataChange))")
        for box in ('""', "INBOX"):
            await client.ok(f'SETMETADATA {box} ("/private/a b\\"(c" "x")')
            assert b'"/private/a b\\"(c"\r\n' in b"".join([await watcher.response()])
            await client.ok(f'SETMETADATA {box} ("/private/a b\\"(c" NIL)')
            await watcher.response()


async def test_metadata_goes_with_its_mailbox_and_is_its_owners(target: Target) -> None:
    async with imap(target.server, "alice") as alice, imap(target.server, "bob") as bob:
        await alice.ok("CREATE Noted")
        await alice.ok('SETMETADATA Noted (/private/comment "canary")')
        await alice.ok('SETMETADATA "" (/private/comment "canary")')
        await bob.ok(f"NOTIFY SET STATUS (PERSONAL {EVENTS}) (SUBTREE (Noted Top alice) {EVENTS})")
        assert await bob.say("GETMETADATA Noted /private/comment") == await bob.say("GETMETADATA None /private/comment")
        assert await bob.say('SETMETADATA Noted (/private/x "y")') == await bob.say('SETMETADATA None (/private/x "y")')
        assert await bob.say("GETQUOTAROOT Noted") == await bob.say("GETQUOTAROOT None")
        assert await bob.say("GETQUOTA alice@example.test") == await bob.say("GETQUOTA nobody")
        assert b"canary" not in b"".join(await bob.ok('GETMETADATA "" (DEPTH infinity) /private/comment'))
        await alice.ok('SETMETADATA Noted (/private/other "canary")')
        await alice.ok("RENAME Noted Renamed")
        await alice.ok("SUBSCRIBE Renamed")
        await alice.append(HEAD + b"\r\nx\r\n", "Renamed")
        await alice.ok("DELETE Renamed")
        await alice.ok("UNSUBSCRIBE Renamed")
        await alice.ok("CREATE Noted")
        told = b"".join(await alice.ok("GETMETADATA Noted (/private/comment /private/other)"))
        assert b"canary" not in told
        await alice.ok("DELETE Noted")
        await alice.ok('SETMETADATA "" (/private/comment NIL)')
        heard = b"".join(await bob.ok("NOOP"))
        assert not re.search(rb"Noted|Renamed|canary|METADATA", heard)


async def expanded(client: Imap, last: bytes) -> bytes:
    """What comes compressed, up to the answer that begins so; of much only the end."""
    stream, told = zlib.decompressobj(-15), b""
    async with asyncio.timeout(30):
        while last not in told:
            piece = await client.reader.read(1 << 16)
            if not piece:
                break
            told = (told + stream.decompress(piece))[-4096:]
    return told


BOMBS = {
    "199 MiB that are refused": (b"x APPEND INBOX {%d+}\r\n" % (199 * MIB), 199, b"x NO [TOOBIG]"),
    "20 MiB of zeros": (b"x APPEND Drafts {%d+}\r\n" % (20 * MIB), 20, b"x OK [APPENDUID"),
    "a line of 20 MiB": (b"x NOOP ", 20, b"x BAD"),
    "a literal of 99 MiB": (b"x SEARCH BODY {%d+}\r\n" % (99 * MIB), 99, b"x BAD"),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_a_little_that_stands_for_much_is_expanded_little_by_little(target: Target, name: str) -> None:
    begin, size, expected = BOMBS[name]
    async with imap(target.server, "alice", "INBOX", source="127.5.9.3") as client:
        await client.ok("COMPRESS DEFLATE")
        packing = zlib.compressobj(9, zlib.DEFLATED, -15)
        data = packing.compress(begin) + b"".join(packing.compress(bytes(MIB)) for _ in range(size))
        data += packing.compress(b"\r\ny NOOP\r\n") + packing.flush(zlib.Z_SYNC_FLUSH)
        before = target.memory("VmRSS")
        async with target.attack(f"compressed: {name}"):
            client.send(data)
            assert expected in await expanded(client, b"y OK")
        assert target.seen[-1].noop < 0.25
        assert (target.memory("VmHWM") - before) / 1024 < 96


async def test_previews_of_large_html_keep_nobody_waiting(target: Target) -> None:
    kinds = [
        b"<div style='x'>&amp;&#1234;&hellip; text </div>" * 1400, (b"<a <b <!-- " * 90 + b"\r\n") * 70,
        (b"&#x0;&amp" * 7 + b"\r\n") * 1000, b"<script><style>" * 4300, "\ufdfa".encode() * 20_000,
    ]  # fmt: skip
    bodies = [b"\r\n".join(kind[at : at + 900] for at in range(0, len(kind), 900)) for kind in kinds]
    html = HEAD + b"Content-Type: text/html; charset=utf-8\r\n\r\n"
    async with imap(target.server, "alice") as client:
        await client.ok("CREATE Html")
        for _ in range(4):
            await append_all(client, "Html", [html + bodies[n % 5] + b"\r\n" for n in range(75)])
        await client.ok("SELECT Html")
        before = target.memory("VmRSS")
        async with target.attack("previews of 300 large HTML messages"):
            assert len(await client.ok("FETCH 1:* PREVIEW")) >= 300
            await client.ok("SEARCH BODY zzzz FUZZY BODY zzzz")
        assert target.seen[-1].noop < 0.5
        assert (target.memory("VmHWM") - before) / 1024 < 96
        await client.ok("UNSELECT")
        await client.ok("DELETE Html")


async def test_encoded_parts_are_decoded_piece_by_piece_and_for_as_long_as_somebody_reads(target: Target) -> None:
    nested = b"yolk"
    for _ in range(20):
        nested = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(
            nested
        ).replace(b"\n", b"\r\n")
    async with imap(target.server, "alice") as client:
        await client.ok("CREATE Encoded")
        await client.append(HEAD + BASE64 + (b"QUJD" * 19 + b"\r\n") * (20 * MIB // 78), "Encoded")
        await client.append(HEAD + nested, "Encoded")
        await client.ok("SELECT Encoded")
        before = target.memory("VmRSS")
        async with target.attack("BINARY of 20 MiB and of nested encodings"):
            await client.ok("FETCH 1 BINARY.PEEK[1]")
            for item in ("BINARY.SIZE[1]", "BINARY.PEEK[1.1.1]", "BINARY.PEEK[1]<100.10>"):
                await client.command(f"FETCH 1:* {item}")
        assert target.seen[-1].noop < 0.5
        assert (target.memory("VmHWM") - before) / 1024 < 96
        descriptors = f"/proc/{target.server.process.pid}/fd" if target.server.process else ""
        opened = len(os.listdir(descriptors))
        for item in ("BINARY.PEEK[1]", "BODY.PEEK[]", "(BODY.PEEK[1] BINARY.SIZE[1] PREVIEW)") * 4:
            async with imap(target.server, "alice", "Encoded", source="127.5.9.4") as reader:
                reader.send(f"r FETCH 1:* {item}\r\n".encode())
                await reader.reader.read(1000)
                reader.writer.transport.abort()
        async with target.attack("after readers that are gone"):
            await client.ok("NOOP")
        assert len(os.listdir(descriptors)) <= opened + 2
        await client.ok("UNSELECT")
        await client.ok("DELETE Encoded")


async def test_what_vanished_by_the_thousand_is_told_while_nobody_waits(target: Target) -> None:
    async with imap(target.server, "alice") as client, imap(target.server, "alice", source="127.5.9.5") as other:
        await client.ok("CREATE Vanishing")
        await append_all(client, "Vanishing", [HEAD + b"\r\ny\r\n"] * 500)
        await client.ok("SELECT Vanishing")
        for _ in range(3):
            await client.ok("COPY 1:* Vanishing")
            await client.ok("NOOP")
        told = b"".join(await other.ok("STATUS Vanishing (MESSAGES UIDVALIDITY HIGHESTMODSEQ)"))
        count, validity, modseq = map(int, re.findall(rb"\d+", told[told.index(b"(") :]))
        odd = [str(uid) for uid in range(1, count + 1, 2)]
        for start in range(0, len(odd), 8000):
            await client.ok(f"UID STORE {','.join(odd[start : start + 8000])} +FLAGS.SILENT (\\Deleted)")
        async with target.attack("SAVE and $"):
            await client.ok("UID SEARCH RETURN (SAVE) DELETED")
            for command in (
                "SEARCH RETURN (ALL COUNT SAVE) $", "FETCH $ FLAGS", "UID SORT (SUBJECT) UTF-8 $", "SEARCH NOT $",
                "STORE $ +FLAGS.SILENT ($x)", "THREAD REFERENCES UTF-8 $",
            ):  # fmt: skip
                await client.ok(command)
        assert target.seen[-1].noop < 0.5
        await client.ok("EXPUNGE")
        await other.ok("ENABLE QRESYNC")
        async with target.attack("what vanished"):
            gone = b"".join(await other.ok(f"SELECT Vanishing (QRESYNC ({validity} {modseq}))"))
            await other.ok("UID FETCH 1:* (UID) (CHANGEDSINCE 1 VANISHED)")
        assert len(re.findall(rb"[ ,]\d+(?=[,\r])", gone)) >= count // 2
        assert target.seen[-1].noop < 0.5
        assert b"* SEARCH\r\n" in await client.ok("SEARCH $")
        await other.ok("UNSELECT")
        await client.ok("UNSELECT")
        await client.ok("DELETE Vanishing")
