"""SMTP from strangers: no relaying, no second message, nothing from before TLS, and nobody else kept waiting."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from gk.control.client import call
from tests.attacks.conftest import Target
from tests.attacks.wire import Smtp, imap, smtp, trusting
from tests.smtp.test_end_of_data import SMUGGLED, VARIANTS
from tests.smtp.test_relay import OUT, TRICKS
from tests.smtp.test_starttls import INJECTED

KIB, MIB = 1 << 10, 1 << 20
HERE = b"MAIL FROM:<eve@example.org>\r\nRCPT TO:<alice@example.test>\r\n"


@pytest.fixture
async def unmoved(target: Target) -> AsyncIterator[Target]:
    """The target, whose outgoing queue stays empty."""
    yield target
    assert call(target.server.data, "queue_list", {})["total"] == 0


# -- relaying


@pytest.mark.parametrize("sender", ["eve@example.org", "alice@example.test", "", "root@[127.0.0.1]"])
async def test_no_spelling_of_an_address_is_relayed(unmoved: Target, sender: str) -> None:
    for start in range(0, len(TRICKS), 4):  # few enough for refusals without delay
        async with smtp(unmoved.server, source="127.3.1.1") as client:
            for trick in TRICKS[start : start + 4]:
                assert (await client.say(f"MAIL FROM:<{sender}>")).startswith("250")
                reply = await client.say(f"RCPT TO:{trick}")
                assert reply.startswith(("550 5.7.1", "550 5.1.1", "501 5.1.3", "501 5.5.4")), (trick, reply)
                assert (await client.say("DATA")).startswith("503"), trick
                assert (await client.say("RSET")).startswith("250")


@pytest.mark.parametrize("role", ["mx", "submission", "submissions"])
@pytest.mark.parametrize(
    "first",
    [
        "MAIL FROM:<alice@example.test> AUTH=alice@example.test",
        "MAIL FROM:<alice@example.test> AUTH=<>",
        "XCLIENT LOGIN=alice@example.test ADDR=127.0.0.1",
        "XFORWARD ADDR=127.0.0.1",
        "PROXY TCP4 127.0.0.1 127.0.0.1 1 2",
        "AUTH EXTERNAL YWxpY2VAZXhhbXBsZS50ZXN0",
        "AUTH ANONYMOUS YWxpY2U=",
        "AUTH CRAM-MD5",
        "AUTH PLAIN =",
        "AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAA=",
        "ETRN elsewhere.example",
        "TURN",
        "SEND FROM:<alice@example.test>",
    ],
)
async def test_nothing_makes_a_stranger_a_user(unmoved: Target, role: str, first: str) -> None:
    async with smtp(unmoved.server, role, source="127.3.2.1") as client:
        reply = await client.say(first)
        if reply.startswith("334"):
            reply = await client.say("*")
        assert reply.startswith("5"), reply
        await client.say("MAIL FROM:<alice@example.test>")
        assert (await client.say(f"RCPT TO:<{OUT}>")).startswith(("550", "530", "503"))
        assert (await client.say("DATA")).startswith(("503", "530"))


# -- one message stays one


async def mailbox(target: Target, user: str, key: str) -> int:
    """How many messages of a user's INBOX meet a search key."""
    async with imap(target.server, user, "INBOX") as client:
        (found,) = [line for line in await client.ok(f"SEARCH {key}") if line.startswith(b"* SEARCH")]
        return len(found.split()) - 2


@pytest.mark.parametrize("role", ["mx", "submissions"])
async def test_no_variant_of_an_end_makes_a_second_message(unmoved: Target, role: str) -> None:
    sender = "eve@example.org" if role == "mx" else "alice@example.test"
    taken = 0
    before = await mailbox(unmoved, "alice", "TEXT smuggled")
    for start in range(0, len(VARIANTS), 8):
        async with smtp(unmoved.server, role) as client:
            if role != "mx":
                assert (await client.login()).startswith("235")
            for variant in VARIANTS[start : start + 8]:
                await client.envelope("alice@example.test", sender=sender)
                reply = await client.data(b"Subject: one\r\n\r\nfirst" + variant + SMUGGLED)
                bare = variant.replace(b"\r\n", b"")
                if any(mark in bare for mark in b"\r\n\0"):
                    assert reply.startswith("550 5.6.11"), variant
                else:
                    assert reply.startswith("250 2.0.0"), variant
                    taken += 1
                assert await client.say("NOOP") == "250 2.0.0 OK", variant
    assert taken and await mailbox(unmoved, "alice", "TEXT smuggled") == before + taken
    assert await mailbox(unmoved, "bob", "TEXT smuggled") == 0


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b"Subject: x\r\n\r\na\r\n.\r\n" + SMUGGLED], "250"),
        ([b"Subject: x\r\n\r\na\r\n", b".\r\n", SMUGGLED], "250"),
        ([b"Subject: x\r\n\r\na\r", b"\n.\r", b"\n" + SMUGGLED], "250"),
        ([b"Subject: x\r\n\r\na\n.\n" + SMUGGLED], "550"),
        ([b"Subject: x\r\n\r\na\r", b".\r\n" + SMUGGLED], "550"),
        ([b"Subject: x\r\n\r\na\0\r\n" + SMUGGLED], "550"),
    ],
)
async def test_what_comes_in_chunks_is_one_message(unmoved: Target, chunks: list[bytes], expected: str) -> None:
    async with smtp(unmoved.server) as client:
        await client.envelope("alice@example.test")
        for number, chunk in enumerate(chunks, 1):
            client.send(b"BDAT %d%b\r\n%b" % (len(chunk), b" LAST" if number == len(chunks) else b"", chunk))
        replies = [await client.reply() for _ in chunks]
        assert replies[-1].startswith(expected), replies
        assert await client.say("NOOP") == "250 2.0.0 OK"
    assert await mailbox(unmoved, "bob", "TEXT smuggled") == 0


# -- STARTTLS


@pytest.mark.parametrize("role", ["mx", "submission"])
@pytest.mark.parametrize("injected", INJECTED)
async def test_what_follows_starttls_in_clear_is_dropped(unmoved: Target, role: str, injected: bytes) -> None:
    async with smtp(unmoved.server, role, source="127.3.3.1") as client:
        client.send(b"STARTTLS\r\n" + injected)
        assert (await client.reply()).startswith("220 2.0.0")
        async with asyncio.timeout(10):
            await client.writer.start_tls(trusting())
        assert (await client.say("MAIL FROM:<eve@example.org>")).startswith("503 5.5.1 EHLO")
        greeted = await client.say("EHLO again.example.org")
        assert greeted.startswith("250") and "STARTTLS" not in greeted
        assert (await client.say("STARTTLS")).startswith("503")


async def test_a_transaction_begun_in_clear_is_forgotten(unmoved: Target) -> None:
    async with smtp(unmoved.server, source="127.3.3.2") as client:
        client.send(HERE + b"STARTTLS\r\n")
        assert [(await client.reply())[:3] for _ in range(3)] == ["250", "250", "220"]
        await client.writer.start_tls(trusting())
        await client.hello()
        assert (await client.say("DATA")).startswith("503 5.5.1 MAIL")


async def test_a_login_in_clear_is_forgotten_by_starttls(unmoved: Target) -> None:
    async with smtp(unmoved.server, "submission") as client:
        assert (await client.login()).startswith("235")  # a loopback listener where TLS is not required
        assert (await client.say("STARTTLS")).startswith("220")
        await client.writer.start_tls(trusting())
        await client.hello()
        assert (await client.say("MAIL FROM:<alice@example.test>")).startswith("530")


# -- abuse. What is sent behind EHLO, and how the last reply begins; "" where the session ends without one.

ABUSE: dict[str, tuple[bytes, str]] = {
    "a line of 60 KiB": (b"NOOP " + b"x" * 60_000 + b"\r\n", "500 5.5.2"),
    "a line of 1 MiB": (b"NOOP " + b"x" * MIB, "500 5.5.2"),
    "a line of 32 MiB": (b"x" * 32 * MIB, "500 5.5.2"),
    "1 MiB of NUL": (b"\0" * MIB, "500"),
    "1 MiB of 0xFF": (b"\xff" * MIB, "500"),
    "100,000 NOOPs": (b"NOOP\r\n" * 100_000, "250"),
    "20,000 transactions that come to nothing": (b"MAIL FROM:<a@b.example>\r\nRSET\r\n" * 20_000, "250"),
    "20,000 EHLOs": (b"EHLO x\r\n" * 20_000, "250"),
    "10,000 VRFYs": (b"VRFY alice\r\n" * 10_000, "252"),
    "GET": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "421"),
    "POST": (b"POST / HTTP/1.1\r\nContent-Length: 90\r\n\r\n" + HERE + b"DATA\r\n", "421"),
    "a command in lower case of another script": ("ＭＡＩＬ FROM:<a@b.example>\r\n".encode(), "500"),
    "two spaces in an address": (b"MAIL FROM:<a b@c.example>\r\n", "501"),
    "no brackets and two words": (b"MAIL FROM:a@b.example c@d.example\r\n", "501"),
    "NUL in an address": (b"MAIL FROM:<a\0b@c.example>\r\n", "500"),
    "bad UTF-8 in an address": (b"MAIL FROM:<\xff\xfe@c.example> SMTPUTF8\r\n", "501"),
    "a quote that stays open": (b'MAIL FROM:<"a@c.example>\r\n', "501"),
    "a domain of 300 characters": (b"MAIL FROM:<a@" + b"b" * 60 + b".b" * 120 + b">\r\n", "501"),
    "a local part of 65 characters": (b"MAIL FROM:<" + b"a" * 65 + b"@c.example>\r\n", "501"),
    "5,000 hosts of a route": (b"MAIL FROM:<" + b",".join([b"@a"] * 1000) + b":a@b.example>\r\n", "501"),
    "1,000 quotes": (b"MAIL FROM:<" + b'"\\"' * 1000 + b"@c.example>\r\n", "501"),
    "1,300 open brackets": (b"MAIL FROM:" + b"<" * 1300 + b"\r\n", "501"),
    "SIZE in other digits": ("MAIL FROM:<a@b.example> SIZE=١٢٣\r\n".encode(), "501"),
    "SIZE below zero": (b"MAIL FROM:<a@b.example> SIZE=-1\r\n", "501"),
    "SIZE of 40 digits": (b"MAIL FROM:<a@b.example> SIZE=" + b"9" * 40 + b"\r\n", "501"),
    "SIZE beyond the limit": (b"MAIL FROM:<a@b.example> SIZE=52428801\r\n", "552"),
    "SIZE twice": (b"MAIL FROM:<a@b.example> SIZE=1 SIZE=2\r\n", "501"),
    "SIZE without value": (b"MAIL FROM:<a@b.example> SIZE\r\n", "501"),
    "21 parameters": (b"MAIL FROM:<a@b.example>" + b"".join(b" X%d=1" % n for n in range(21)) + b"\r\n", "501"),
    "an ENVID with a line end": (b"MAIL FROM:<a@b.example> ENVID=+0D+0ABcc:x\r\n", "501"),
    "a RET of nothing": (b"MAIL FROM:<a@b.example> RET=ALL\r\n", "501"),
    "a NOTIFY with too much": (HERE + b"RCPT TO:<bob@example.test> NOTIFY=NEVER,SUCCESS\r\n", "501"),
    "BODY of a third kind": (b"MAIL FROM:<a@b.example> BODY=BINARYMIME\r\n", "501"),
    "BDAT without a size": (HERE + b"BDAT\r\n", "501"),
    "BDAT of minus one": (HERE + b"BDAT -1\r\n", "501"),
    "BDAT in other digits": (HERE + "BDAT ١\r\n".encode(), "501"),
    "BDAT of hex": (HERE + b"BDAT 0x10 LAST\r\n", "501"),
    "BDAT of 16 EiB": (HERE + b"BDAT 18446744073709551616 LAST\r\n", "552"),
    "BDAT of 40 digits": (HERE + b"BDAT " + b"9" * 40 + b" LAST\r\n", "501"),
    "BDAT with a third word": (HERE + b"BDAT 1 LAST NOW\r\nx", "5"),
    "BDAT before MAIL": (b"BDAT 6 LAST\r\nQUIT\r\n", "503"),
    "BDAT over the limit in pieces": (HERE + (b"BDAT 20000000\r\n" + b"x\r\n" * 6_666_666 + b"\r\n") * 3, "552"),
    "20,000 empty chunks": (HERE + b"BDAT 0\r\n" * 20_000, "250"),
    "DATA between chunks": (HERE + b"BDAT 3\r\nabcDATA\r\n", "503"),
    "MAIL between chunks": (HERE + b"BDAT 3\r\nabcMAIL FROM:<b@c.example>\r\n", "503"),
    "DATA with an argument": (HERE + b"DATA now\r\n", "501"),
    "DATA twice": (HERE + b"DATA\r\nSubject: x\r\n\r\nx\r\n.\r\nDATA\r\n", "503"),
    "101 recipients": (
        b"MAIL FROM:<a@b.example>\r\n" + b"".join(b"RCPT TO:<alice+%d@example.test>\r\n" % n for n in range(101)),
        "452 4.5.3",
    ),
    "51 hops": (HERE + b"DATA\r\n" + b"Received: from a by b; c\r\n" * 51 + b"\r\nx\r\n.\r\n", "554 5.4.6"),
    "51 hops, folded and in capitals": (
        HERE + b"DATA\r\n" + b"RECEIVED \t: a\r\n\tby b; c\r\n" * 51 + b"\r\nx\r\n.\r\n", "554 5.4.6",
    ),
    "51 hops in chunks": (HERE + b"BDAT 21\r\nReceived: a by b; c\r\n" * 51 + b"BDAT 3 LAST\r\n\r\nx", "554 5.4.6"),
    "a line of 65 KiB in a message": (HERE + b"DATA\r\nSubject: x\r\n\r\n" + b"x" * 65_537 + b"\r\n.\r\n", "500 5.5.2"),
    "a line of 8 MiB in a message": (HERE + b"DATA\r\nSubject: x\r\n\r\n" + b"x" * 8 * MIB + b"\r\n.\r\n", "500 5.5.2"),
    "a header of 2 MiB": (HERE + b"DATA\r\n" + b"X: y\r\n" * 350_000 + b"\r\n.\r\n", "552 5.3.4"),
    "a message of 60 MiB": (HERE + b"DATA\r\n" + (b"x" * 998 + b"\r\n") * 62_900 + b".\r\n", "552 5.3.4"),
    "a message of 110 MiB": (HERE + b"DATA\r\n" + (b"x" * 998 + b"\r\n") * 115_500 + b".\r\n", "552 5.3.4"),
    "AUTH here": (b"AUTH PLAIN\r\n", "502"),
    "HELP with 4 KiB": (b"HELP " + b"x" * 4000 + b"\r\n", "214"),
}  # fmt: skip


async def last_reply(client: Smtp, data: bytes) -> str:
    """The last reply to these bytes and a NOOP, the NOOP's own apart."""

    async def send() -> None:
        try:
            for at in range(0, len(data), MIB):
                client.send(data[at : at + MIB])
                await client.writer.drain()
            client.send(b"\r\nNOOP\r\n" if not data.endswith(b"\n") and b"LAST" not in data[-30:] else b"NOOP\r\n")
            client.writer.write_eof()
        except OSError:  # it has heard enough
            pass

    async with asyncio.TaskGroup() as group:
        group.create_task(send())
        async with asyncio.timeout(30):
            try:
                said = (await client.reader.read()).decode()
            except OSError:
                return ""
    replies = re.findall(r"^\d{3} .*$", said, re.MULTILINE)
    return replies[-2] if len(replies) > 1 and replies[-1].startswith("250 2.0.0 OK") else (replies or [""])[-1]


@pytest.mark.parametrize("name", ABUSE)
async def test_abuse_is_refused_and_others_do_not_wait(unmoved: Target, name: str) -> None:
    data, expected = ABUSE[name]
    async with smtp(unmoved.server, source="127.3.4.1") as client, unmoved.attack(f"SMTP: {name}"):
        reply = await last_reply(client, data)
        assert reply.startswith(expected) or reply == "", reply


@pytest.mark.parametrize("early", [b"EHLO a.example\r\n", HERE, b"\r\n", b"x" * 70_000, b"GET / HTTP/1.0\r\n\r\n"])
async def test_who_speaks_before_the_greeting_or_behind_ehlo_is_cut(unmoved: Target, early: bytes) -> None:
    async with smtp(unmoved.server, source="127.3.5.1", hello=False) as client:
        assert (await client.reply()).startswith("220")
        client.send(b"EHLO client.example\r\n" + early)
        assert (await client.reply()).startswith(("554 5.5.1 Talking", "250"))


async def test_helo_and_addresses_forge_no_trace(unmoved: Target) -> None:
    async with smtp(unmoved.server, hello=False) as client:
        assert (await client.reply()).startswith("220")
        for name in ("a\tb", "é.example", "x" * 256, "", "a b"):
            assert (await client.say(f"EHLO {name}")).startswith("501"), name
        assert (await client.say(b"EHLO a\x1b[2Jb")).startswith("500")
        assert (await client.say("EHLO (x);by=mail.example.test\\r\\nBcc:")).startswith("250")
        await client.envelope("alice@example.test", sender='"a>\\"b"@example.org')
        marked = b"Subject: traced\r\n\r\nx\r\n.\r\n"
        assert (await client.data(marked)).startswith("250")
    async with imap(unmoved.server, "alice", "INBOX") as reader:
        header = b"".join(await reader.ok("FETCH * (BODY.PEEK[HEADER])"))
        assert b"\r\nBcc" not in header and b"by=" not in header
        assert header.count(b"\r\nReceived:") == 1
