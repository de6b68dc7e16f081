"""clamd by its socket, against a server that speaks as it does."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.config import Clamd as Table
from gk.inbound.incoming import Message
from gk.inbound.spam.clamd import Clamd, opinion
from gk.inbound.spam.outside import NoAnswer, Opinion
from gk.store.spool import SpoolFile
from tests.inbound.spam.beside import CAME, LETTER, VIRUS, FakeClamd, incoming, serving


async def ask(address: str, message: Message = LETTER) -> Opinion:
    return await Clamd(Table(address=address)).ask(incoming(), message)


async def test_a_clean_message_is_shown_as_it_came_and_taken(tmp_path: Path) -> None:
    clamd = FakeClamd()
    async with serving(clamd.talk) as there, serving(clamd.talk, str(tmp_path / "ctl")) as unix:
        for address in (there, unix):
            assert (await ask(address)).action == ""
    assert clamd.seen == [CAME, CAME]


async def test_a_virus_is_refused_by_its_name() -> None:
    async with serving(FakeClamd().talk) as there:
        said = await ask(there, Message(b"Subject: x\r\n\r\n" + VIRUS))
    assert (said.action, said.reply) == ("refuse", "550 5.7.1 The message holds a virus: Eicar-Signature")
    assert said.hits[0].text == "Eicar-Signature was found" and said.hits[0].points == 100


async def test_a_large_message_is_shown_whole_from_its_file(tmp_path: Path) -> None:
    clamd, above = FakeClamd(), b"Return-Path: <>\r\n"
    content = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 40_000 + VIRUS
    spooled = SpoolFile(tmp_path, lambda error: None)
    await spooled.write(above + content)
    async with serving(clamd.talk) as there:
        assert (await ask(there, Message(spooled, len(above)))).action == "refuse"
    assert clamd.seen == [content]
    spooled.discard()


@pytest.mark.parametrize("content", [b"x" * 11, b"0123456789abcde\n" * 200_000], ids=["small", "large"])
async def test_what_is_too_large_for_it_is_taken(tmp_path: Path, content: bytes) -> None:
    clamd = FakeClamd(limit=10)
    async with serving(clamd.talk) as there, serving(clamd.talk, str(tmp_path / "ctl")) as unix:
        for address in (there, unix):
            said = await ask(address, Message(content))
            assert said.action == "" and "StreamMaxLength" in said.hits[0].text


@pytest.mark.parametrize(
    "answer", [b"", b"\0", b"UNKNOWN COMMAND\0", b"stream: FOUND\0", b"OK\0", b"x stream: OK\0", b"stream: OK ERROR\0"]
)
def test_what_is_no_answer_is_neither_clean_nor_a_virus(answer: bytes) -> None:
    with pytest.raises(NoAnswer):
        opinion(answer)


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda name: b"stream: " + name + b" FOUND\0"))
def test_any_answer_is_an_opinion_or_none_and_every_reply_one_line(answer: bytes) -> None:
    try:
        said = opinion(answer)
    except NoAnswer:
        return
    assert said.reply.isprintable() and said.reply.isascii()
    assert (said.action == "refuse") == said.reply.startswith("550 5.7.1 ")
