"""Sessions are kept for the next message, and commands go out together."""

import asyncio

import pytest

from gk.outbound.link import TRANSACTIONS
from tests.outbound.conftest import Post
from tests.strangers import MxSession, drop


async def test_one_session_carries_many_messages(post: Post) -> None:
    mx = await post.stranger()
    for _ in range(5):
        (answer,) = await post.deliver()
        assert answer.accepted
    assert mx.sessions == 1 and len(mx.kept) == 5
    assert "RSET" not in mx.lines, "nothing was left open"


async def test_a_refused_message_is_reset_before_the_next(post: Post) -> None:
    mx = await post.stranger({"RCPT": [b"550 5.1.1 who?\r\n", b"250 ok\r\n"], "DATA": [b"503 no\r\n", b"354 go\r\n"]})
    assert (await post.deliver())[0].permanent
    assert (await post.deliver())[0].accepted
    assert mx.sessions == 1
    assert [line.split(" ")[0] for line in mx.lines] == ["EHLO", "MAIL", "RCPT", "DATA", "RSET", "MAIL", "RCPT", "DATA"]


async def test_a_session_that_ended_meanwhile_is_no_failed_attempt(post: Post) -> None:
    mx = await post.stranger({"MAIL": [b"250 ok\r\n", drop, b"250 ok\r\n"]})
    assert (await post.deliver())[0].accepted
    assert (await post.deliver())[0].accepted
    assert mx.sessions == 2 and len(mx.kept) == 2


async def test_a_server_that_closes_at_rest_is_noticed(post: Post) -> None:
    closed = asyncio.Event()

    async def bye(session: MxSession) -> None:
        session.writer.write(b"250 ok\r\n421 4.4.2 idle for too long\r\n")
        closed.set()
        await drop(session)

    mx = await post.stranger({"end": [bye, b"250 ok\r\n"]})
    assert (await post.deliver())[0].accepted
    await closed.wait()
    assert (await post.deliver())[0].accepted
    assert mx.sessions == 2


async def test_a_session_is_left_after_so_many_messages(post: Post) -> None:
    mx = await post.stranger()
    await post.deliver()
    ((link, _),) = next(iter(post.courier._links._idle.values()))
    link.transactions = TRANSACTIONS
    await post.deliver()
    assert mx.sessions == 2 and len(mx.kept) == 2


async def test_nobody_is_kept_waiting_at_the_end(post: Post) -> None:
    mx = await post.stranger()
    await post.deliver()
    assert mx.open == 1
    post.courier.close()
    await mx.idle()
    assert mx.lines[-1] == "QUIT"


async def test_a_session_at_rest_ends_by_itself(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gk.outbound.link.IDLE", 0.05)
    mx = await post.stranger()
    await post.deliver()
    await mx.idle()
    assert mx.lines[-1] == "QUIT"
    assert (await post.deliver())[0].accepted
    assert mx.sessions == 2


async def test_mail_rcpt_and_data_arrive_together(post: Post) -> None:
    arrived: list[int] = []

    async def look(session: MxSession) -> None:
        while session.reader._buffer.count(b"\r\n") < 3:  # type: ignore[attr-defined]
            await asyncio.sleep(0)  # the rest is in the same packet: no reply was needed for it
        arrived.append(session.reader._buffer.count(b"\r\n"))  # type: ignore[attr-defined]
        session.writer.write(b"250 ok\r\n")

    await post.stranger({"MAIL": look})
    answers = await post.deliver("a@far.test", "b@far.test")
    assert all(answer.accepted for answer in answers)
    assert arrived == [3]


async def test_a_message_for_nobody_is_ended_empty(post: Post) -> None:
    """The server refuses every recipient and yet asks for the content (RFC 2920 §3.1)."""
    mx = await post.stranger(
        {"RCPT": [b"550 5.1.1 who?\r\n", b"550 5.1.1 who?\r\n", b"250 ok\r\n"], "end": b"554 none\r\n"}
    )
    answers = await post.deliver("a@far.test", "b@far.test")
    assert all(answer.permanent for answer in answers)
    mx.replies["end"] = b"250 ok\r\n"
    assert (await post.deliver())[0].accepted
    assert mx.sessions == 1 and len(mx.kept) == 1
