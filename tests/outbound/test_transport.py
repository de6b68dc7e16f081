"""Servers that refuse, stall, babble and lie: one decision for each, and none of them holds anybody up."""

import asyncio
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gk.outbound.answer import clean
from gk.outbound.exchange import dotted
from tests.outbound.conftest import CONTENT, Post
from tests.strangers import Mx, MxSession, drop, hang, slowly


@pytest.fixture(params=[True, False], ids=["pipelined", "in turn"], autouse=True)
def pipelining(request: pytest.FixtureRequest) -> bool:
    """Every test with a server that takes commands together, and with one that does not."""
    if "post" in request.fixturenames:
        request.getfixturevalue("post").pipelining = request.param
    return bool(request.param)


STEPS = ("banner", "EHLO", "MAIL", "RCPT", "DATA", "end")


@pytest.mark.parametrize("step", STEPS)
async def test_a_temporary_refusal_at_any_step_defers(post: Post, step: str) -> None:
    await post.stranger({step: b"451 4.3.0 not now\r\n"})
    (answer,) = await post.deliver()
    assert (answer.code, answer.text) == (451, "4.3.0 not now")
    assert not answer.permanent and not answer.doubtful


@pytest.mark.parametrize("step", ["banner", "MAIL", "RCPT", "DATA", "end"])
async def test_a_permanent_refusal_at_any_step_is_final(post: Post, step: str) -> None:
    await post.stranger({step: b"554 5.7.1 never\r\n"})
    (answer,) = await post.deliver()
    assert answer.permanent and answer.text == "5.7.1 never"


@pytest.mark.parametrize("step", STEPS)
async def test_a_connection_closed_at_any_step_defers(post: Post, step: str) -> None:
    await post.stranger({step: drop})
    (answer,) = await post.deliver()
    assert (answer.code, answer.text) == (0, "the connection was lost")
    assert answer.doubtful == (step == "end")


@pytest.mark.parametrize("step", STEPS)
async def test_silence_at_any_step_ends_in_time(post: Post, step: str) -> None:
    await post.stranger({step: hang})
    (answer,) = await post.deliver()
    assert (answer.code, answer.text) == (0, "the server did not answer in time")
    assert answer.doubtful == (step == "end")


@pytest.mark.parametrize("step", STEPS)
async def test_a_reply_byte_by_byte_is_cut_off(post: Post, step: str) -> None:
    await post.stranger({step: slowly(b"250-" + b"x" * 500, 0.02)})
    began = time.monotonic()
    (answer,) = await post.deliver()
    assert answer.code == 0
    assert time.monotonic() - began < 9


@pytest.mark.parametrize("step", STEPS)
async def test_a_reply_line_of_a_mebibyte_defers(post: Post, step: str) -> None:
    mx = await post.stranger({step: b"250 " + b"x" * (1 << 20) + b"\r\n"})
    (answer,) = await post.deliver()
    assert answer.code == 0 and len(answer.text) <= 500
    assert mx.kept == [] or step == "end"


@pytest.mark.parametrize("step", STEPS)
async def test_a_hundred_thousand_continuation_lines_defer(post: Post, step: str) -> None:
    await post.stranger({step: b"250-on and on\r\n" * 100_000})
    (answer,) = await post.deliver()
    assert answer.code == 0


@pytest.mark.parametrize("step", STEPS)
async def test_garbage_at_any_step_defers(post: Post, step: str) -> None:
    await post.stranger({step: b"\x00\xff\x80 what is this\r\n"})
    (answer,) = await post.deliver()
    assert answer.code == 0 and answer.text.isprintable()


async def test_a_final_reply_in_no_known_encoding_can_be_kept(post: Post) -> None:
    await post.stranger({"end": b"250 2.0.0 re\xe7u \x1b[31m\r\n"})
    claim = await post.claim()
    (answer,) = await post.courier.deliver(claim, post.letter(claim))
    assert answer.accepted and answer.text == "2.0.0 re�u [31m"


async def test_a_server_of_before_ehlo_is_spoken_to_with_helo(post: Post) -> None:
    mx = await post.stranger({"EHLO": b"502 5.5.1 no such command\r\n"})
    (answer,) = await post.deliver()
    assert answer.accepted
    assert mx.lines[:3] == ["EHLO mail.example.test", "HELO mail.example.test", "MAIL FROM:<alice@example.test>"]


async def test_a_refusal_of_the_session_moves_on_to_the_next_exchanger(post: Post) -> None:
    post.zone.domain("far.test", "127.0.0.2", "127.0.0.3")
    await post.mx("127.0.0.2", {"banner": b"554 5.3.2 no service here\r\n"})
    second = await post.mx("127.0.0.3")
    assert (await post.deliver())[0].accepted
    assert len(second.kept) == 1


async def test_a_domain_is_only_given_up_when_no_server_of_it_may_take_the_mail(post: Post) -> None:
    post.zone.domain("far.test", "127.0.0.2", "127.0.0.3", "127.0.0.4")
    await post.mx("127.0.0.2", {"banner": b"554 5.3.2 no service here\r\n"})
    await post.mx("127.0.0.4", {"banner": b"554 5.3.2 no service here\r\n"})
    (answer,) = await post.deliver()  # 127.0.0.3 does not answer at all
    assert answer.code == 0 and "no connection to 127.0.0.3" in answer.text


async def test_a_refused_recipient_is_not_offered_elsewhere(post: Post) -> None:
    post.zone.domain("far.test", "127.0.0.2", "127.0.0.3")
    await post.mx("127.0.0.2", {"RCPT": [b"550 5.1.1 who?\r\n", b"451 4.3.0 later\r\n"]})
    second = await post.mx("127.0.0.3")
    refused, taken = await post.deliver("zoe@far.test", "yves@far.test")
    assert refused.code == 550 and taken.accepted
    assert second.kept[0].rcpt == ["<yves@far.test>"]


async def test_a_message_that_may_have_been_taken_is_not_offered_elsewhere_at_once(post: Post) -> None:
    post.zone.domain("far.test", "127.0.0.2", "127.0.0.3")
    await post.mx("127.0.0.2", {"end": drop})
    second = await post.mx("127.0.0.3")
    (answer,) = await post.deliver()
    assert answer.doubtful
    assert second.sessions == 0


async def test_a_server_that_closes_in_the_middle_of_the_content_gets_no_further_bytes(post: Post) -> None:
    async def close(session: MxSession) -> None:
        session.writer.write(b"354 go ahead\r\n")
        await session.reader.read(1000)
        await drop(session)

    await post.stranger({"DATA": close})
    (answer,) = await post.deliver(content=CONTENT + b"x" * 70 + b"\r\n" + b"y" * (8 << 20))
    assert answer.code == 0 and not answer.doubtful


async def test_a_refusal_in_the_middle_of_the_content_counts(post: Post) -> None:
    async def refuse(session: MxSession) -> None:
        session.writer.write(b"354 go ahead\r\n")
        await session.reader.read(1000)
        session.writer.write(b"552 5.3.4 too big\r\n")
        await session.writer.drain()
        await session.reader.read(1 << 16)
        while await session.reader.read(1 << 16):
            pass

    await post.stranger({"DATA": refuse})
    (answer,) = await post.deliver(content=CONTENT + (b"y" * 76 + b"\r\n") * 200_000)
    assert (answer.code, answer.text) == (552, "5.3.4 too big")


async def test_an_acceptance_before_the_end_of_the_message_is_none(post: Post) -> None:
    async def accept(session: MxSession) -> None:
        session.writer.write(b"354 go ahead\r\n")
        await session.reader.read(1000)
        session.writer.write(b"250 2.0.0 kept\r\n")
        await session.writer.drain()
        while await session.reader.read(1 << 16):
            pass

    await post.stranger({"DATA": accept})
    (answer,) = await post.deliver(content=CONTENT + (b"y" * 76 + b"\r\n") * 200_000)
    assert (answer.code, answer.text) == (0, "the server answered before it had the message")


async def test_a_reply_sent_along_with_the_354_is_no_acceptance(post: Post) -> None:
    await post.stranger({"DATA": b"354 go ahead\r\n250 2.0.0 kept\r\n", "end": b"552 5.3.4 no\r\n"})
    (answer,) = await post.deliver()
    assert (answer.code, answer.text) == (0, "the server answered what it was not asked")


async def test_replies_that_run_ahead_of_the_commands_are_not_believed(post: Post) -> None:
    mx = await post.stranger({"MAIL": b"250 ok\r\n250 ok\r\n354 go\r\n250 kept\r\n"})
    (answer,) = await post.deliver()
    assert answer.code == 0
    assert mx.kept == []


async def test_what_is_said_between_the_commands_is_dropped(post: Post) -> None:
    async def late(session: MxSession) -> None:
        session.writer.write(b"250 2.1.0 ok\r\n")
        await session.writer.drain()
        asyncio.get_running_loop().call_soon(session.writer.write, b"")

    mx = await post.stranger({"MAIL": late})
    assert (await post.deliver())[0].accepted
    assert len(mx.kept) == 1


async def test_a_421_in_the_middle_defers_the_rest(post: Post) -> None:
    async def leave(session: MxSession) -> None:
        session.writer.write(b"421 4.3.2 closing\r\n")
        await drop(session)

    await post.stranger({"RCPT": [b"550 5.1.1 who?\r\n", leave]})
    first, second, third = await post.deliver("a@far.test", "b@far.test", "c@far.test")
    assert first.permanent
    assert not second.permanent and not third.permanent


async def test_hundreds_of_recipients_go_in_transactions_of_a_hundred(post: Post) -> None:
    mx = await post.stranger()
    answers = await post.deliver(*(f"u{n}@far.test" for n in range(250)))
    assert all(answer.accepted for answer in answers)
    assert [len(received.rcpt) for received in mx.kept] == [100, 100, 50]
    assert mx.sessions == 1


async def test_recipients_beyond_what_a_server_takes_at_once_go_in_the_next_transaction(post: Post) -> None:
    full = b"452 4.5.3 too many recipients\r\n"
    mx = await post.stranger({"RCPT": [b"250 ok\r\n", b"250 ok\r\n", full, b"250 ok\r\n"]})
    answers = await post.deliver("a@far.test", "b@far.test", "c@far.test")
    assert all(answer.accepted for answer in answers)
    assert [received.rcpt for received in mx.kept] == [["<a@far.test>", "<b@far.test>"], ["<c@far.test>"]]


async def test_a_server_with_room_for_nobody_defers(post: Post) -> None:
    await post.stranger({"RCPT": b"452 4.5.3 too many recipients\r\n"})
    answers = await post.deliver("a@far.test", "b@far.test")
    assert [answer.code for answer in answers] == [452, 452]


async def test_eight_bits_are_not_sent_to_a_server_of_seven(post: Post) -> None:
    mx = await post.stranger(extensions=("SIZE",))
    (answer,) = await post.deliver(content=CONTENT + "é".encode() + b"\r\n")
    assert answer.accepted
    assert mx.kept[0].content.isascii() and b"=C3=A9" in mx.kept[0].content
    (answer,) = await post.deliver(content=CONTENT.replace(b"hello", "é".encode()) + "é".encode() + b"\r\n")
    assert answer.permanent and answer.text == "5.6.3 the server takes no 8-bit mail, and a header is not ASCII"
    assert len(mx.kept) == 1


async def test_an_international_address_goes_as_it_is_where_it_can(post: Post) -> None:
    mx = await post.stranger(extensions=("SMTPUTF8", "8BITMIME"))
    assert (await post.deliver("zoé@far.test"))[0].accepted
    assert mx.kept[0].rcpt == ["<zoé@far.test>"]
    assert mx.kept[0].mail.endswith(" SMTPUTF8")


async def test_an_international_domain_goes_in_ascii_where_it_must(post: Post) -> None:
    post.zone.domain("xn--exmple-cua.test", "127.0.0.2")
    mx = await post.mx("127.0.0.2")
    claim = await post.claim("zoe@exämple.test")
    claim = type(claim)(**{f: getattr(claim, f) for f in claim.__slots__} | {"domain": "xn--exmple-cua.test"})
    (answer,) = await post.courier.deliver(claim, post.letter(claim))
    assert answer.accepted
    assert mx.kept[0].rcpt == ["<zoe@xn--exmple-cua.test>"]


async def test_an_international_local_part_needs_a_server_that_takes_it(post: Post) -> None:
    mx = await post.stranger()
    international, plain = await post.deliver("zoé@far.test", "zoe@far.test")
    assert international.code == 553 and international.text.startswith("5.6.7")
    assert plain.accepted
    assert mx.kept[0].rcpt == ["<zoe@far.test>"]


async def test_quoted_local_parts_arrive_as_they_were(post: Post) -> None:
    mx = await post.stranger()
    assert (await post.deliver('"zoe smith <x>"@far.test', sender='"a b"@example.test'))[0].accepted
    assert mx.kept[0].rcpt == ['<"zoe smith <x>"@far.test>']
    assert mx.kept[0].mail.startswith('<"a b"@example.test>')


async def test_bare_line_ends_never_go_out(post: Post) -> None:
    """What a message carries cannot end it (T4)."""
    mx = await post.stranger()
    body = b"a\n.\nMAIL FROM:<evil@x>\r.\rb\r\n.\r\n..\r\n\n.\r\n\r.\nend"
    assert (await post.deliver(content=b"Subject: x\r\n\r\n" + body))[0].accepted
    assert len(mx.kept) == 1
    expected = b"a\r\n.\r\nMAIL FROM:<evil@x>\r\n.\r\nb\r\n.\r\n..\r\n\r\n.\r\n\r\n.\r\nend\r\n"
    assert mx.kept[0].content == b"Subject: x\r\n\r\n" + expected


@given(st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n"]), max_size=60), st.integers(1, 20))
@settings(max_examples=500)
def test_no_content_can_end_itself(parts: list[bytes], repeat: int) -> None:
    content = b"".join(parts) * repeat
    wire = b"".join(dotted(content))
    assert b"\r\n.\r\n" not in b"\r\n" + wire
    assert wire.replace(b"\r\n", b"").count(b"\r") == wire.replace(b"\r\n", b"").count(b"\n") == 0
    undone = b"\r\n".join(line.removeprefix(b".") for line in wire.split(b"\r\n"))
    plain = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    assert undone == (plain if plain.endswith(b"\r\n") or not plain else plain + b"\r\n")


def test_pieces_fit_together_wherever_they_are_cut() -> None:
    content = b"".join(b".%d %s\r\n" % (n, b"x" * (n % 200)) for n in range(5000))
    pieces = list(dotted(content))
    assert len(pieces) > 5
    assert b"".join(pieces) == b"." + content[:-2].replace(b"\r\n.", b"\r\n..") + b"\r\n"


@given(st.text())
def test_a_remote_reply_is_kept_as_one_printable_line(text: str) -> None:
    kept = clean(text)
    assert kept.isprintable() and len(kept) <= 500
    kept.encode()


async def test_no_address_of_a_host_gets_more_than_two_connections(post: Post) -> None:
    release = asyncio.Event()

    async def wait(session: MxSession) -> None:
        if mx.open == 2:
            release.set()
        await release.wait()
        session.writer.write(b"220 ready\r\n")

    mx: Mx = await post.stranger({"banner": wait})
    claims = [await post.claim() for _ in range(8)]
    answers = await asyncio.gather(*(post.courier.deliver(claim, post.letter(claim)) for claim in claims))
    assert all(answer.accepted for (answer,) in answers)
    assert mx.most == 2


async def test_a_connection_that_is_refused_defers(post: Post) -> None:
    post.zone.domain("far.test", "127.0.0.2")
    (answer,) = await post.deliver()
    assert answer.code == 0 and answer.text == "no connection to 127.0.0.2 (Connection refused)"
