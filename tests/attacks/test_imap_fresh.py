"""IMAP before login: whatever a stranger sends costs little, ends in a protocol error, and keeps nobody waiting."""

import asyncio
import base64
import ssl
from contextlib import AsyncExitStack

import pytest

from tests.attacks.conftest import Target, note
from tests.attacks.wire import LIMIT, imap, trusting
from tests.server import PASSWORD

MIB = 1 << 20
TLS_HELLO = bytes.fromhex("160301020001fc0303") + bytes(500)

STRANGERS = {
    "parentheses without a line end": b"(" * MIB,
    "parentheses in a command": b"a LOGIN " + b"(" * MIB,
    "8,191 parentheses and silence": b"a LOGIN " + b"(" * 8183,
    "closing parentheses": b"a LOGIN " + b")" * MIB,
    "a quote that stays open": b'a LOGIN "' + b"x" * MIB,
    "backslashes in an open quote": b'a LOGIN "' + b"\\" * MIB,
    "a literal of 4 GiB": b"a LOGIN {4294967295}\r\n" + b"x" * 9000,
    "a literal of 4 GiB that does not wait": b"a LOGIN {4294967295+}\r\n" + b"x" * MIB,
    "a literal of 16 EiB": b"a LOGIN {18446744073709551616}\r\nx",
    "a literal of thirty digits": b"a LOGIN {" + b"9" * 30 + b"+}\r\nx",
    "a literal of 60,000 digits": b"a LOGIN {" + b"9" * 60_000 + b"+}\r\nx",
    "a literal below zero": b"a LOGIN {-1}\r\nx",
    "a literal without digits": b"a LOGIN {+}\r\nx",
    "a literal in other digits": "a LOGIN {٣+}\r\nabc".encode(),
    "5,000 literals of one byte": b"a LOGIN " + b"{1+}\r\na " * 5000,
    "101 empty literals": b"a LOGIN " + b"{0+}\r\n " * 101 + b"x",
    "two literals beyond 4 KiB together": b"a LOGIN {4000+}\r\n" + b"x" * 4000 + b" {4000+}\r\n" + b"y" * 4000,
    "literals beyond 4 KiB in two commands": (b"a LOGIN {2100+}\r\n" + b"x" * 2100 + b" y z\r\n") * 2,
    "a literal of 5,000 octets": b"a LOGIN {5000+}\r\n" + b"x" * 5000 + b" y\r\n",
    "a message for APPEND": b"a APPEND INBOX {50000000+}\r\n" + b"x" * MIB,
    "a line of 8 KiB and one byte": b"a LOGIN " + b"x" * (8193 - 8) + b"\r\n",
    "a line of 1 MiB": b"a NOOP " + b"x" * MIB + b"\r\n",
    "a tag of 1 MiB": b"a" * MIB + b" NOOP\r\n",
    "AUTHENTICATE with bad base64": b"a AUTHENTICATE PLAIN !!!!\r\n",
    "AUTHENTICATE with padding only": b"a AUTHENTICATE PLAIN ====\r\nb AUTHENTICATE PLAIN =\r\n\r\n",
    "AUTHENTICATE with a broken answer": b"a AUTHENTICATE PLAIN\r\n\xff\xfe\0\r\nb AUTHENTICATE LOGIN\r\n!\r\n",
    "AUTHENTICATE with an answer of 1 MiB": b"a AUTHENTICATE PLAIN\r\n" + b"A" * MIB + b"\r\n",
    "AUTHENTICATE with three NULs": b"a AUTHENTICATE PLAIN " + base64.b64encode(b"a\0b\0c\0d") + b"\r\n",
    "AUTHENTICATE without names": b"a AUTHENTICATE PLAIN " + base64.b64encode(b"\0\0") + b"\r\n",
    "AUTHENTICATE by unknown means": b"a AUTHENTICATE ../PLAIN\r\nb AUTHENTICATE \0\r\nc AUTHENTICATE {3+}\r\nx\r\n",
    "AUTHENTICATE for somebody else": b"a AUTHENTICATE PLAIN "
    + base64.b64encode(f"bob@example.test\0alice@example.test\0{PASSWORD}".encode())
    + b"\r\n",
    "LOGIN with NUL": b'a LOGIN "al\0ice" "x"\r\nb LOGIN {3+}\r\n\0\0\0 {3+}\r\n\0\0\0\r\n',
    "1 MiB of line ends": b"\r\n" * (MIB // 2),
    "1 MiB of LF": b"\n" * MIB,
    "1 MiB of CR": b"\r" * MIB,
    "1 MiB of NUL": b"\0" * MIB,
    "1 MiB of blanks": b" " * MIB,
    "1 MiB of 0xFF": b"\xff" * MIB,
    "all bytes": bytes(range(256)) * 4096,
    "100,000 commands": b"a NOOP\r\n" * 100_000,
    "100,000 tags": b"a\r\n" * 100_000,
    "a TLS hello": TLS_HELLO,
    "HTTP": b"GET / HTTP/1.1\r\nHost: mail.example.test\r\n\r\n",
    "HTTP POST": b"POST / HTTP/1.1\r\nContent-Length: 40\r\n\r\na LOGIN alice@example.test x\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "IDLE": b"a IDLE\r\nDONE\r\n",
    "commands of the other states": b"".join(
        b"%d %b\r\n" % (n, c)
        for n, c in enumerate(
            b"SELECT INBOX|FETCH 1 BODY[]|UID FETCH 1 (UID)|STATUS INBOX (MESSAGES)|LIST \"\" *|SEARCH ALL|COPY 1 INBOX"
            b"|CREATE x|EXPUNGE|ENABLE CONDSTORE|NAMESPACE|CLOSE".split(b"|")
        )
    ),
}  # fmt: skip


async def batter(target: Target, data: bytes, source: str) -> bytes:
    """Everything the server says to these bytes, a LOGOUT and the end of input."""
    async with imap(target.server, source=source) as client:
        try:
            for at in range(0, len(data), 64 << 10):
                client.send(data[at : at + (64 << 10)])
                await client.writer.drain()
            client.send(b"\r\nzz LOGOUT\r\n")
            client.writer.write_eof()
        except OSError:  # it has heard enough
            pass
        return await client.rest()


@pytest.mark.parametrize("name", STRANGERS)
async def test_what_a_stranger_sends_ends_the_session_or_is_a_bad_command(target: Target, name: str) -> None:
    async with target.attack(f"IMAP stranger: {name}"):
        said = await batter(target, STRANGERS[name], "127.1.1.1")
    assert len(said) < 4096
    assert b"OK [CAPABILITY" not in said and b"SERVERBUG" not in said
    assert b"\r\n* BYE" in b"\r\n" + said or said == b""
    assert all(line[-1:] == b"\n" for line in said.splitlines(keepends=True))


async def test_two_hundred_strangers_who_hold_what_they_may_cost_little(target: Target) -> None:
    held = b"a LOGIN {3900+}\r\n" + b"x" * 3900 + b" " + b"(" * 4200
    async with imap(target.server, "alice", "INBOX") as guest, AsyncExitStack() as strangers:
        before = target.memory("VmRSS")
        async with target.attack("200 strangers with 8 KiB lines and 4 KiB literals"):
            for number in range(200):
                client = await strangers.enter_async_context(imap(target.server, source=f"127.1.2.{number + 1}"))
                client.send(held)
            await guest.ok("NOOP")
        note("memory per IMAP connection before login, KiB", (target.memory("VmRSS") - before) / 200, "full of bytes")
        assert target.memory("VmRSS") - before < 200 * 60 + (32 << 10)


async def test_a_stranger_has_twenty_commands(target: Target) -> None:
    async with imap(target.server, source="127.1.3.1") as client:
        for number in range(20):
            assert (await client.say("NOOP")).startswith("OK"), number
        assert b"* BYE too many commands" in (await client.command("NOOP"))[0]
        assert await client.rest() == b""


async def test_bad_base64_of_one_client_does_not_cut_the_login_of_another(target: Target) -> None:
    async with imap(target.server, source="127.1.4.1") as honest, imap(target.server, source="127.1.4.2") as broken:
        honest.send(b"a AUTHENTICATE PLAIN\r\n")
        broken.send(b"a AUTHENTICATE PLAIN\r\n")
        assert (await honest.response()).startswith(b"+ ")
        assert (await broken.response()).startswith(b"+ ")
        broken.send(b"\xff!!!\r\n")
        assert (await broken.response()).startswith(b"a BAD")
        honest.send(base64.b64encode(f"\0alice@example.test\0{PASSWORD}".encode()) + b"\r\n")
        assert (await honest.until(b"a"))[-1].startswith(b"a OK")


@pytest.mark.parametrize(
    "injected",
    [
        b"b LOGIN alice@example.test " + PASSWORD.encode() + b"\r\n",
        b"b NOOP\r\nc CAPABILITY\r\n",
        b"b STARTTLS\r\n",
        b"b LOGIN {5}\r\n",
        b"b LOG",
        b"\r\n" * 1000,
        b"b LOGIN {5+}\r\nali",
    ],
)
async def test_what_follows_starttls_in_clear_is_forgotten(target: Target, injected: bytes) -> None:
    async with imap(target.server, source="127.1.5.1") as client:
        client.send(b"a STARTTLS\r\n" + injected)
        assert (await client.response()).startswith(b"a OK")
        async with asyncio.timeout(10):
            await client.writer.start_tls(trusting())
        assert (await client.command("NOOP"))[0].startswith(b"t1 OK")  # and no answer to anything else before it
        assert (await client.say("STARTTLS")).startswith(("BAD", "NO"))
        assert (await client.say(f"LOGIN alice@example.test {PASSWORD}")).startswith("OK")


async def test_a_client_that_speaks_clear_text_on_the_tls_port_ends_only_itself(target: Target) -> None:
    async with target.attack("clear text on the TLS port"):
        for data in (b"a LOGIN a b\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100_000, TLS_HELLO * 100):
            reader, writer = await asyncio.open_connection("127.0.0.1", target.server.ports["tls"], limit=LIMIT)
            writer.write(data)
            try:
                assert len(await reader.read()) < 100  # an alert at most
            except (OSError, ssl.SSLError):
                pass
            writer.close()
