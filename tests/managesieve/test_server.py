"""The commands of RFC 5804 on a real server."""

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.managesieve.conftest import ALICE, BOB, PASSWORD, House, house
from tests.peers import need

SCRIPT = b'require "fileinto";\r\nif header :contains "subject" "x" { fileinto "Lists"; }\r\n'


def put(name: bytes, script: bytes) -> bytes:
    return b'PUTSCRIPT "%b" {%d+}\r\n%b' % (name, len(script), script)


async def test_capabilities_are_told_at_once_and_on_demand(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        reader, writer = await asyncio.open_connection("127.0.0.1", h.port)
        h.open.append(writer)
        lines = [await reader.readline() for _ in range(7)]
        assert lines[0].startswith(b'"IMPLEMENTATION" "GK ')
        assert b'"SASL" "PLAIN LOGIN"\r\n' in lines
        assert b'"VERSION" "1.0"\r\n' in lines and b'"MAXREDIRECTS" "5"\r\n' in lines
        (sieve,) = [line for line in lines if line.startswith(b'"SIEVE"')]
        assert {b"fileinto", b"vacation", b"imap4flags"} <= set(sieve.split(b'"')[3].split())
        assert lines[-1].startswith(b"OK ")
        client = await h.connect()
        lines = await client.ask(b"CAPABILITY")
        assert b'"OWNER" "alice@example.test"\r\n' in lines and b'"SASL" ""\r\n' in lines


async def test_a_script_goes_in_and_comes_out_as_it_was(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        client = await h.connect()
        assert (await client.last(put(b"main", SCRIPT))).startswith(b"OK")
        assert await client.ask(b'GETSCRIPT "main"') == [b"{%d}\r\n%b\r\n" % (len(SCRIPT), SCRIPT), b"OK\r\n"]
        assert await client.ask(b"LISTSCRIPTS") == [b'"main"\r\n', b"OK\r\n"]
        assert h.store.scripts.filing(1).script is None
        assert await client.last(b'SETACTIVE "main"') == b"OK\r\n"
        assert h.store.scripts.filing(1).script == SCRIPT.decode()
        assert await client.ask(b"LISTSCRIPTS") == [b'"main" ACTIVE\r\n', b"OK\r\n"]
        assert (await client.last(b'DELETESCRIPT "main"')).startswith(b"NO (ACTIVE)")
        assert await client.last(b'RENAMESCRIPT "main" {5+}\r\n\xc3\xa9t\xc3\xa9') == b"OK\r\n"
        assert await client.last(b'SETACTIVE ""') == b"OK\r\n"
        assert await client.ask(b"LISTSCRIPTS") == ['"été"\r\n'.encode(), b"OK\r\n"]
        assert await client.last('DELETESCRIPT "été"'.encode()) == b"OK\r\n"
        assert await client.ask(b"LISTSCRIPTS") == [b"OK\r\n"]
        assert await client.last(b"LOGOUT") == b'OK "goodbye"\r\n'
        assert await client.reader.read() == b""


async def test_what_is_not_there_or_there_already_is_said_so(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        client = await h.connect()
        for command in (b'GETSCRIPT "x"', b'SETACTIVE "x"', b'DELETESCRIPT "x"', b'RENAMESCRIPT "x" "y"'):
            assert (await client.last(command)).startswith(b"NO (NONEXISTENT)")
        await client.ask(put(b"a", b"keep;"))
        await client.ask(put(b"b", b"keep;"))
        assert (await client.last(b'RENAMESCRIPT "a" "b"')).startswith(b"NO (ALREADYEXISTS)")


async def test_users_have_scripts_of_their_own(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        alice, bob = await h.connect(), await h.connect(BOB)
        await alice.ask(put(b"a", SCRIPT))
        assert await bob.ask(b"LISTSCRIPTS") == [b"OK\r\n"]
        assert (await bob.last(b'GETSCRIPT "a"')).startswith(b"NO (NONEXISTENT)")


async def test_a_script_that_does_not_compile_is_not_kept_and_the_reason_said(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        client = await h.connect()
        wrong = b'keep;\r\n  fileinto "x";\r\n'
        for answer in (
            await client.last(put(b"a", wrong)),
            await client.last(b"CHECKSCRIPT {%d+}\r\n%b" % (len(wrong), wrong)),
        ):
            assert answer == b'NO "line 2, column 3: fileinto needs require \\"fileinto\\""\r\n'
        assert await client.ask(b"LISTSCRIPTS") == [b"OK\r\n"]
        assert (await client.last(b'CHECKSCRIPT "keep;"')).startswith(b"OK")
        long = b"#" * 60_000 + b"\r\nkep;"
        assert b"line 2, column 1" in await client.last(put(b"a", long))


async def test_room_is_checked_and_bounded(tmp_path: Path) -> None:
    async with house(tmp_path, scripts=2, script_bytes=1000) as h:
        client = await h.connect()
        assert await client.last(b'HAVESPACE "a" 1000') == b"OK\r\n"
        assert (await client.last(b'HAVESPACE "a" 1001')).startswith(b"NO (QUOTA/MAXSIZE)")
        assert (await client.last(put(b"a", b"#" * 1001))).startswith(b"NO (QUOTA/MAXSIZE)")
        assert (await client.last(put(b"a", b"#" * 100_000))).startswith(b"NO (QUOTA/MAXSIZE)")
        for name in (b"a", b"b"):
            assert (await client.last(put(name, b"keep;"))).startswith(b"OK")
        assert (await client.last(b'HAVESPACE "c" 10')).startswith(b"NO (QUOTA/MAXSCRIPTS)")
        assert await client.last(b'HAVESPACE "a" 10') == b"OK\r\n"
        assert (await client.last(put(b"c", b"keep;"))).startswith(b"NO (QUOTA/MAXSCRIPTS)")


async def test_noop_brings_its_tag_back(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        client = await h.connect(None)
        assert await client.last(b"NOOP") == b'OK "done"\r\n'
        assert await client.last(b'NOOP "17"') == b'OK (TAG "17") "done"\r\n'


async def test_a_stranger_reaches_no_scripts(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        client = await h.connect(None)
        for command in (
            b"LISTSCRIPTS",
            b'GETSCRIPT "a"',
            put(b"a", b"keep;"),
            b'CHECKSCRIPT "keep;"',
            b"UNAUTHENTICATE",
        ):
            assert await client.last(command) == b'NO "log in first"\r\n'


async def test_logins_by_challenge_and_their_end(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        client = await h.connect(None)
        client.send(b'AUTHENTICATE "PLAIN"\r\n')
        assert await client.reader.readline() == b'""\r\n'
        assert (await client.last(b'"AGFsaWNlQGV4YW1wbGUudGVzdABkZW1vLXBhc3N3b3Jk"')).startswith(b"OK")
        assert (await client.last(b'AUTHENTICATE "PLAIN" "AGEAYg=="')).startswith(b"NO")
        assert await client.last(b"UNAUTHENTICATE") == b"OK\r\n"
        assert await client.last(b"LISTSCRIPTS") == b'NO "log in first"\r\n'
        client.send(b'AUTHENTICATE "LOGIN"\r\n')
        assert await client.reader.readline() == b'"VXNlcm5hbWU6"\r\n'
        client.send(b'"Ym9iQGV4YW1wbGUudGVzdA=="\r\n')
        assert await client.reader.readline() == b'"UGFzc3dvcmQ6"\r\n'
        assert (await client.last(b"{20+}\r\nZGVtby1wYXNzd29yZA==")).startswith(b"OK")
        assert b'"OWNER" "bob@example.test"\r\n' in await client.ask(b"CAPABILITY")


async def test_wrong_logins_are_refused(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        client = await h.connect(None)
        for command in (
            b'AUTHENTICATE "PLAIN" "AGFsaWNlAHdyb25n"',
            b'AUTHENTICATE "PLAIN" "not base64!"',
            b'AUTHENTICATE "DIGEST-MD5"',
        ):
            assert (await client.last(command)).startswith(b"NO")
        client.send(b'AUTHENTICATE "PLAIN"\r\n')
        await client.reader.readline()
        assert await client.last(b'"*"') == b'NO "cancelled"\r\n'


async def test_no_password_before_tls_and_nothing_said_in_clear_counts(
    tmp_path: Path, certificate: ssl.SSLContext
) -> None:
    async with house(tmp_path, tls=certificate, require_tls=True) as h:
        client = await h.connect(None)
        lines = await client.ask(b"CAPABILITY")
        assert b'"STARTTLS"\r\n' in lines and b'"SASL" ""\r\n' in lines
        assert (await client.last(b'AUTHENTICATE "PLAIN" "AGEAYg=="')).startswith(b"NO (ENCRYPT-NEEDED)")
        client.send(b'STARTTLS\r\nNOOP "injected"\r\n')
        assert (await client.read())[-1] == b'OK "begin TLS"\r\n'
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        await client.writer.start_tls(context)
        lines = await client.read()
        assert b'"SASL" "PLAIN LOGIN"\r\n' in lines and b'"STARTTLS"\r\n' not in lines
        await client.log_in()
        assert await client.ask(b"LISTSCRIPTS") == [b"OK\r\n"]
        assert (await client.last(b"STARTTLS")).startswith(b"NO")


async def test_nonsense_is_counted_and_ends_the_session(tmp_path: Path) -> None:
    async with house(tmp_path, bad_commands=5) as h:
        client = await h.connect()
        for sent in (b"", b"FOO", b'GETSCRIPT "', b'SETACTIVE "a\x01"'):
            assert (await client.last(sent)).startswith(b"NO")
        assert (await client.last(b'HAVESPACE "a" "b"')).startswith(b"NO")
        assert (await client.read())[-1].startswith(b"BYE")
        assert await client.reader.read() == b""


async def test_a_stranger_has_few_commands_small_literals_and_little_time(tmp_path: Path) -> None:
    async with house(tmp_path, login_commands=4, login_seconds=1, login_literals=100) as h:
        client = await h.connect(None)
        assert (await client.last(b"NOOP {101+}\r\n" + b"x" * 101)).startswith(b"NO (QUOTA/MAXSIZE)")
        for _ in range(3):
            assert (await client.last(b"NOOP")).startswith(b"OK")
        assert (await client.last(b"NOOP")).startswith(b"BYE")
        waiting = await h.connect(None)
        assert (await waiting.read())[-1] == b'BYE "no login in time"\r\n'
        long = await h.connect(None)
        assert (await long.last(b'NOOP "' + b"x" * 10_000)).startswith(b"BYE")


async def test_connections_and_sessions_are_bounded(tmp_path: Path) -> None:
    async with house(tmp_path, connections_per_address=3, sessions_per_user=2) as h:
        first, second = await h.connect(), await h.connect()
        third = await h.connect(None)
        raw = b"AGFsaWNlQGV4YW1wbGUudGVzdABkZW1vLXBhc3N3b3Jk"
        assert (await third.last(b'AUTHENTICATE "PLAIN" "' + raw + b'"')).startswith(b"NO (TRYLATER)")
        reader, writer = await asyncio.open_connection("127.0.0.1", h.port)
        h.open.append(writer)
        assert (await reader.read()).startswith(b"BYE (TRYLATER)")
        await first.ask(b"LOGOUT")
        await first.reader.read()
        assert (await third.last(b'AUTHENTICATE "PLAIN" "' + raw + b'"')).startswith(b"OK")
        assert (await second.last(b"NOOP")).startswith(b"OK")
        assert sum(h.server.sessions.values()) == 2


async def test_commands_sent_together_are_answered_in_order(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        client = await h.connect()
        client.send(put(b"a", b"keep;") + b'\r\nSETACTIVE "a"\r\nLISTSCRIPTS\r\nNOOP "end"\r\n')
        answers = [await client.read() for _ in range(4)]
        assert answers[2] == [b'"a" ACTIVE\r\n', b"OK\r\n"]
        assert answers[3] == [b'OK (TAG "end") "done"\r\n']


async def test_the_server_says_goodbye_when_it_stops(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        client = await h.connect()
    assert (await client.read())[-1] == b'BYE "the server stops"\r\n'


@pytest.mark.peer
async def test_sieve_connect_uploads_lists_and_activates(tmp_path: Path, certificate: ssl.SSLContext) -> None:
    program = need("sieve-connect")
    script = tmp_path / "local.sieve"
    script.write_bytes(SCRIPT)

    async def run(h: House, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            program, "--server", "localhost", "--port", str(h.port), "--user", ALICE, "--4", "--passwordfd", "0",
            "--notlsverify", *arguments,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(20):
            out, _ = await process.communicate(PASSWORD.encode() + b"\n")
        assert process.returncode == 0, out.decode()
        return out.decode()

    async with house(tmp_path / "data", tls=certificate, require_tls=True) as h:
        await run(h, "--upload", "--localsieve", str(script), "--remotesieve", "main")
        assert "main" in await run(h, "--list")
        await run(h, "--activate", "--remotesieve", "main")
        assert h.store.scripts.filing(1).script == SCRIPT.decode()
        await run(h, "--download", "--remotesieve", "main", "--localsieve", str(tmp_path / "copy.sieve"))
        assert (tmp_path / "copy.sieve").read_bytes().split() == SCRIPT.split()
        await run(h, "--deactivate")
        await run(h, "--delete", "--remotesieve", "main")
        assert h.store.scripts.names(1) == []
