"""Bounds, deadlines, hang-ups and slow readers: what a client does to itself it does to nobody else."""

import asyncio
import ssl
import time
from pathlib import Path

import pytest

from tests.imap.client import Client, message
from tests.imap.conftest import House, house


async def test_a_long_line_before_login_ends_the_session(imap: House) -> None:
    client = await Client.connect(imap.port)
    client.send(b"a LOGIN " + b"x" * 9000)
    assert await client.rest() == b"a BAD the line is too long\r\n* BYE the line is too long\r\n"
    await client.close()


async def test_brackets_without_an_end_are_bounded_before_login(imap: House) -> None:
    client = await Client.connect(imap.port)
    client.send(b"a ID (" + b"(" * 60 + b"\r\nb NOOP\r\n")
    assert await client.line() == b"a BAD parentheses are nested too deeply\r\n"
    assert await client.line() == b"b OK done\r\n"
    await client.close()


async def test_literals_before_login_are_bounded_in_all(imap: House) -> None:
    client = await Client.connect(imap.port)
    client.send(b"a LOGIN {4000+}\r\n" + b"x" * 4000 + b" {90}\r\n")
    assert (await client.line()).startswith(b"+")
    client.send(b"y" * 90 + b"\r\n")
    assert (await client.line()).startswith(b"a NO")
    client.send(b"b LOGIN {10}\r\n")
    assert await client.line() == b"b BAD the literals are too large\r\n"
    client.send(b"c LOGIN {9999999999+}\r\n")
    assert await client.rest() == b"c BAD the literal is too large\r\n* BYE the literal is too large\r\n"
    await client.close()


async def test_twenty_commands_before_login_are_enough(imap: House) -> None:
    client = await Client.connect(imap.port)
    client.send(b"a NOOP\r\n" * 21)
    assert (await client.rest()).endswith(b"a OK done\r\n* BYE too many commands before login\r\n")
    await client.close()


async def test_twenty_bad_commands_are_enough(imap: House) -> None:
    client = await Client.login(imap.port)
    client.send(b"a NONSENSE\r\n" * 20 + b"b NOOP\r\n")
    said = await client.rest()
    assert said.count(b"a BAD") == 20
    assert said.endswith(b"* BYE too many bad commands\r\n")
    await client.close()


async def test_who_does_not_log_in_is_sent_away(tmp_path: Path) -> None:
    async with house(tmp_path / "data", login_seconds=1) as imap:
        client = await Client.connect(imap.port)
        assert await client.rest() == b"* BYE no login in time\r\n"
        await client.close()


async def test_who_says_nothing_is_sent_away(tmp_path: Path) -> None:
    async with house(tmp_path / "data", idle_minutes=1 / 60) as imap:
        client = await Client.login(imap.port)
        client.send(b"a IDLE\r\n")
        said = await client.rest()
        assert said == b"+ idling\r\n* BYE autologout: nothing was heard from you\r\n"
        await client.close()


async def test_too_many_connections_are_told_so(tmp_path: Path) -> None:
    async with house(tmp_path / "data", connections_per_address=2) as imap:
        first, second = await Client.connect(imap.port), await Client.connect(imap.port)
        third = await Client.connect(imap.port)
        assert third.greeting == b"* BYE [UNAVAILABLE] too many connections\r\n"
        assert await third.rest() == b""
        await first.ok("LOGOUT")
        assert await first.rest() == b""
        fourth = await Client.connect(imap.port)
        assert fourth.greeting.startswith(b"* OK")
        for client in (first, second, third, fourth):
            await client.close()


async def test_a_fresh_connection_too_many_costs_the_most_crowded_address_its_oldest(tmp_path: Path) -> None:
    async with house(tmp_path / "data", connections_before_login=3) as imap:
        lone = await Client.connect(imap.port, source="127.0.0.2")
        first, second = await Client.connect(imap.port), await Client.connect(imap.port)
        third = await Client.connect(imap.port)
        assert third.greeting.startswith(b"* OK")
        assert await first.rest() == b"* BYE too many connections without a login\r\n"
        await lone.ok("LOGIN alice demo-password")
        await second.ok("LOGIN alice demo-password")
        fourth = await Client.connect(imap.port)
        await third.ok("NOOP")
        for client in (lone, first, second, third, fourth):
            await client.close()


async def test_too_many_sessions_of_a_user_are_refused(tmp_path: Path) -> None:
    async with house(tmp_path / "data", sessions_per_user=1) as imap:
        first, second = await Client.login(imap.port), await Client.connect(imap.port)
        refused = await second.command("LOGIN alice demo-password")
        assert refused[-1].startswith(b"t1 NO [LIMIT]")
        await second.ok("LOGIN bob demo-password")
        await first.ok("LOGOUT")
        assert await first.rest() == b""
        third = await Client.login(imap.port)
        for client in (first, second, third):
            await client.close()


async def test_pipelined_commands_are_answered_in_order(imap: House) -> None:
    client = await Client.login(imap.port, box="INBOX")
    client.send(b"".join(b"n%d NOOP\r\n" % n for n in range(5000)))
    for n in range(5000):
        assert await client.line() == b"n%d OK done\r\n" % n
    await client.close()


async def test_what_was_sent_before_the_client_hung_up_is_answered(imap: House) -> None:
    client = await Client.connect(imap.port)
    client.send(b"a LOGIN alice demo-password\r\nb SELECT INBOX\r\nc LOGOUT\r\nd NO")
    client.writer.write_eof()
    said = await client.rest()
    assert b"a OK" in said and b"b OK" in said and said.endswith(b"c OK logged out\r\n")
    await client.close()


async def test_a_slow_reader_holds_nobody_and_little_memory(imap: House) -> None:
    slow = await Client.login(imap.port, box="INBOX")
    body = message("large", 3 << 20)
    await slow.append(body)
    slow.writer.transport.pause_reading()
    slow.send(b"".join(b"f%d FETCH 1 BODY.PEEK[]\r\n" % n for n in range(10)))
    other = await Client.login(imap.port, box="INBOX")
    worst = 0.0
    for _ in range(200):
        began = time.perf_counter()
        await other.ok("NOOP")
        worst = max(worst, time.perf_counter() - began)
    assert worst < 0.25
    buffers = [session._transport.get_write_buffer_size() for session in imap.listener._sessions]
    assert max(buffers) < 1 << 20
    slow.writer.transport.resume_reading()
    for n in range(10):
        responses = await slow.until(b"f%d" % n)
        assert body in responses[-2]
    await slow.close()
    await other.close()


async def test_every_session_hears_the_goodbye(tmp_path: Path) -> None:
    async with house(tmp_path / "data") as imap:
        fresh, quiet, idling = (
            await Client.connect(imap.port),
            await Client.login(imap.port),
            await Client.login(imap.port, box="INBOX"),
        )
        idling.send(b"a IDLE\r\n")
        assert await idling.line() == b"+ idling\r\n"
        began = time.monotonic()
    assert time.monotonic() - began < 20
    for client in (fresh, quiet, idling):
        assert await client.rest() == b"* BYE the server stops\r\n"
        await client.close()


async def test_commands_sent_in_clear_behind_starttls_are_forgotten(
    tmp_path: Path, certificate: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async with house(tmp_path / "data", tls=certificate, require_tls=True) as imap:
        client = await Client.connect(imap.port)
        client.send(b"a STARTTLS\r\nb LOGIN alice demo-password\r\nc CAPABILITY\r\n")
        assert (await client.line()).startswith(b"a OK")
        await client.writer.start_tls(trusting)
        client.send(b"d SELECT INBOX\r\n")
        assert await client.line() == b"d BAD log in first\r\n"
        await client.close()


async def test_tls_from_the_first_byte(tmp_path: Path, certificate: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    async with house(tmp_path / "data", tls=certificate, require_tls=True, implicit=True) as imap:
        client = await Client.connect(imap.port, trusting)
        assert b"AUTH=PLAIN" in client.greeting and b"STARTTLS" not in client.greeting
        await client.ok("LOGIN alice demo-password")
        await client.ok("LOGOUT")
        await client.close()


async def test_a_handshake_that_fails_ends_that_connection_only(
    tmp_path: Path, certificate: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async with house(tmp_path / "data", tls=certificate, require_tls=True) as imap:
        client = await Client.connect(imap.port)
        client.send(b"a STARTTLS\r\n")
        assert (await client.line()).startswith(b"a OK")
        client.send(b"this is no TLS\r\n" * 10)
        await client.rest()
        await client.close()
        other = await Client.connect(imap.port)
        assert other.greeting.startswith(b"* OK")
        await other.close()


async def test_a_large_message_comes_back_byte_for_byte(imap: House) -> None:
    client = await Client.login(imap.port, box="INBOX")
    body = message("large", 1 << 20)
    for literal in (f"{{{len(body)}+}}\r\n".encode(), f"{{{len(body)}}}\r\n".encode()):
        client.send(b"a APPEND INBOX " + literal)
        if b"+" not in literal:
            assert (await client.line()).startswith(b"+")
        client.send(body + b"\r\n")
        assert (await client.until(b"a"))[-1].startswith(b"a OK [APPENDUID")
    responses = await client.ok("FETCH 1:2 (RFC822.SIZE BODY.PEEK[] BODY.PEEK[TEXT]<100.10>)")
    for response in responses:
        assert b"RFC822.SIZE %d" % len(body) in response
        assert body in response
        assert b"BODY[TEXT]<100> {10}\r\nxxxxxxxxxx" in response
    await client.close()


async def test_a_header_that_is_too_long_goes_on_in_the_text(imap: House) -> None:
    client = await Client.login(imap.port, box="INBOX")
    body = b"Subject: long\r\n" + b"".join(b"X-%d: %b\r\n" % (n, b"y" * 900) for n in range(1300)) + b"\r\ntext\r\n"
    await client.append(body)
    (head,) = await client.ok("FETCH 1 BODY.PEEK[HEADER]")
    (text,) = await client.ok("FETCH 1 BODY.PEEK[TEXT]")
    parts = [response.partition(b"\r\n")[2].removesuffix(b")\r\n") for response in (head, text)]
    assert b"".join(parts) == body
    await client.close()


async def test_hundreds_of_sections_hold_nobody(imap: House) -> None:
    client, other = await Client.login(imap.port, box="INBOX"), await Client.login(imap.port)
    body = b"Subject: x\r\n" + b"X-Long: " + b"y" * 200_000 + b"\r\n\r\n" + b"text\r\n" * 5000
    for _ in range(20):
        await client.append(body)
    texts = (f"BODY.PEEK[TEXT]<{n}.20000>" for n in range(100))
    headers = (f"BODY.PEEK[HEADER]<{n}.20000>" for n in range(99))
    fetching = asyncio.ensure_future(client.ok(f"FETCH 1:* ({' '.join([*texts, *headers])})"))
    worst = 0.0
    while not fetching.done():
        began = time.perf_counter()
        await other.ok("NOOP")
        worst = max(worst, time.perf_counter() - began)
    assert worst < 0.25
    responses = await fetching
    assert len(responses) == 20 and all(len(response) > 199 * 20_000 for response in responses)
    assert b"BODY[TEXT]<1> {20000}\r\next\r\n" in responses[0] and b"BODY[HEADER]<1> {20000}\r\nubject" in responses[0]
    await client.close()
    await other.close()


async def test_a_message_cut_short_leaves_nothing(imap: House) -> None:
    client = await Client.login(imap.port, box="INBOX")
    client.send(b"a APPEND INBOX {1000000+}\r\n" + b"x" * 600_000)
    await client.writer.drain()
    await client.close()
    other = await Client.login(imap.port, box="INBOX")
    while len(imap.listener._sessions) > 1:
        await other.ok("NOOP")
    assert list((imap.store.data / "spool").iterdir()) == []
    assert await other.ok("STATUS INBOX (MESSAGES)") == [b"* STATUS INBOX (MESSAGES 0)\r\n"]
    await other.close()


async def test_refused_messages_leave_nothing_either(imap: House) -> None:
    client = await Client.login(imap.port, box="INBOX")
    large = b"y" * 300_000
    responses = await client.command(b"APPEND INBOX {300000+}\r\n" + large + b" (\\Bad) {1+}\r\nx")
    assert responses[-1].startswith(b"t3 BAD")
    responses = await client.command(b"APPEND INBOX {300000+}\r\n" + large + b" what")
    assert b" BAD" in responses[-1]
    assert list((imap.store.data / "spool").iterdir()) == []
    await client.ok("NOOP")
    await client.close()


async def test_users_see_their_own_mail_only(imap: House) -> None:
    alice, bob = await Client.login(imap.port), await Client.login(imap.port, "bob")
    await alice.ok("CREATE Secret")
    await alice.append(message("secret"), "Secret")
    for name in ("Secret", "alice@example.test/Secret", "../1/Secret", "~alice/Secret", "#user/alice/Secret"):
        for text in (f"SELECT {name}", f"STATUS {name} (MESSAGES)", f"DELETE {name}", f"RENAME {name} Mine"):
            assert b" NO " in (await bob.command(text))[-1]
    assert b"Secret" not in b"".join(await bob.ok('LIST "" *'))
    assert b"Secret" not in b"".join(await bob.ok('LSUB "" *'))
    await bob.ok("SELECT INBOX")
    await bob.append(message("own"))
    assert await bob.ok("UID SEARCH EMAILID G1") == [b"* SEARCH\r\n"]
    await alice.close()
    await bob.close()


async def test_a_failure_inside_a_command_ends_neither_session_nor_server(
    imap: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = await Client.login(imap.port)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(imap.store.mailboxes, "subscribed", broken)
        responses = await client.command('LSUB "" *')
    assert responses[-1].startswith(b"t2 NO [SERVERBUG]")
    assert "event=imap_command_failed command=LSUB" in caplog.text
    await client.ok('LSUB "" *')
    await client.close()


async def test_a_hundred_sessions_hear_of_a_message_at_once(imap: House) -> None:
    sessions = [await Client.login(imap.port, box="INBOX") for _ in range(100)]
    for session in sessions:
        session.send(b"i IDLE\r\n")
        assert await session.line() == b"+ idling\r\n"
    sender = await Client.login(imap.port)
    await sender.append(message("news"))
    for session in sessions:
        assert await session.line() == b"* 1 EXISTS\r\n"
    recents = [await session.line() for session in sessions]
    assert sorted(recents) == [b"* 0 RECENT\r\n"] * 99 + [b"* 1 RECENT\r\n"]
    for session in [*sessions, sender]:
        await session.close()


async def test_an_idle_session_costs_little_memory(imap: House) -> None:
    import tracemalloc

    async def one() -> Client:
        client = await Client.login(imap.port, box="INBOX")
        client.send(b"i IDLE\r\n")
        await client.line()
        return client

    clients = [await one() for _ in range(5)]
    tracemalloc.start()
    try:
        before = tracemalloc.take_snapshot()
        clients += [await one() for _ in range(40)]
        await asyncio.sleep(0)
        after = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    grown = sum(s.size_diff for s in after.compare_to(before, "filename") if "tests" not in s.traceback[0].filename)
    assert grown / 40 < 40 << 10  # both ends of the connection
    for client in clients:
        await client.close()
