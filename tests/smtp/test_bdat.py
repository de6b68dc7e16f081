"""BDAT (RFC 3030): octets are counted, not looked for an end in."""

from pathlib import Path

import pytest

from tests.smtp.conftest import House, house

MESSAGE = b"Subject: x\r\n\r\none\r\n.\r\n..two\r\n"


def chunks(*pieces: bytes) -> bytes:
    """The pieces as BDAT commands, the last one LAST."""
    ends = [b""] * (len(pieces) - 1) + [b" LAST"]
    return b"".join(b"BDAT %d%b\r\n%b" % (len(piece), end, piece) for piece, end in zip(pieces, ends, strict=True))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
async def test_dots_are_no_end_however_the_message_is_cut(smtp: House, size: int) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope()
    pieces = [MESSAGE[at : at + size] for at in range(0, len(MESSAGE), size)]
    client.send(chunks(*pieces) + b"NOOP\r\n")
    for piece in pieces[:-1]:
        assert await client.reply() == f"250 2.0.0 {len(piece)} octets taken"
    assert (await client.reply()).startswith("250 2.0.0 OK, kept")
    assert await client.reply() == "250 2.0.0 OK"
    (stored,) = await smtp.inbox()
    assert stored.endswith(b"\r\n" + MESSAGE)


async def test_an_empty_last_chunk_ends_the_message(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope()
    client.send(chunks(b"", MESSAGE, b"", b""))
    replies = [await client.reply() for _ in range(4)]
    assert [reply[:3] for reply in replies] == ["250"] * 4
    assert len(await smtp.inbox()) == 1


async def test_a_message_whose_last_line_has_no_end_gets_one(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope()
    client.send(chunks(b"Subject: x\r\n\r\nno end"))
    assert (await client.reply()).startswith("250 2.0.0 OK, kept")
    (stored,) = await smtp.inbox()
    assert stored.endswith(b"no end\r\n")


@pytest.mark.parametrize(
    "pieces", [(b"a\r", b"b\r\n"), (b"a", b"\nb\r\n"), (b"a\r\n\0",), (b"a\r\n", b"\r"), (b"a\r", b"\r\n"), (b"a\nb",)]
)
async def test_bare_line_ends_are_refused_across_chunks_too(smtp: House, pieces: tuple[bytes, ...]) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope()
    client.send(chunks(b"Subject: x\r\n\r\n", *pieces) + b"NOOP\r\n")
    replies = [await client.reply() for _ in range(len(pieces) + 2)]
    assert replies[-2].startswith("550 5.6.11")
    assert replies[-1] == "250 2.0.0 OK"
    assert await smtp.inbox() == []


async def test_a_line_end_cut_in_two_is_a_line_end(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope()
    client.send(chunks(b"Subject: x\r", b"\n\r", b"\nhello\r", b"\n"))
    assert [(await client.reply())[:3] for _ in range(4)] == ["250"] * 4
    (stored,) = await smtp.inbox()
    assert stored.endswith(b"Subject: x\r\n\r\nhello\r\n")


async def test_a_refused_chunk_refuses_those_that_follow_until_the_last(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope()
    client.send(chunks(b"a\nb", b"QUIT\r\n", b"QUIT\r\n") + b"NOOP\r\n")
    assert [(await client.reply())[:10] for _ in range(4)] == ["550 5.6.11"] * 3 + ["250 2.0.0 "]
    assert (await client.say("BDAT 0 LAST")).startswith("503 5.5.1")


async def test_too_large_a_message_is_refused_with_its_chunks_read(tmp_path: Path) -> None:
    async with house(tmp_path / "data", message_bytes=10_000) as smtp:
        client = await (await smtp.connect()).hello()
        await client.envelope()
        client.send(chunks(b"x\r\n" * 3000, b"x\r\n" * 3000, b"") + b"NOOP\r\n")
        assert (await client.reply()).startswith("250 2.0.0 9000")
        assert (await client.reply()).startswith("552 5.3.4")
        assert (await client.reply()).startswith("552 5.3.4")
        assert await client.reply() == "250 2.0.0 OK"
        await client.envelope()
        assert (await client.say("BDAT 99999999999999999999")).startswith("552 5.3.4")
        assert await client.closed()
        assert list((tmp_path / "data" / "spool").iterdir()) == []


async def test_a_transaction_that_is_given_up_leaves_no_file(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    for last_word in ("RSET", "EHLO again", "QUIT"):
        await client.envelope()
        block = b"x\r\n" * 150_000
        client.send(b"BDAT %d\r\n%b" % (len(b"\r\n" + block), b"\r\n" + block))
        assert (await client.reply()).startswith("250")
        assert len(list((smtp.store.data / "spool").iterdir())) == 1
        assert (await client.say(last_word))[:3] in ("250", "221")
        if last_word == "QUIT":
            assert await client.closed()
        assert list((smtp.store.data / "spool").iterdir()) == []
    assert await smtp.inbox() == []


async def test_many_small_chunks_take_little_memory(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope()
    client.send(b"BDAT 14\r\nSubject: x\r\n\r\n" + b"BDAT 1\r\nx" * 5000 + b"BDAT 0 LAST\r\n")
    for _ in range(5001):
        assert (await client.reply()).startswith("250 2.0.0")
    assert (await client.reply()).startswith("250 2.0.0 OK, kept")
