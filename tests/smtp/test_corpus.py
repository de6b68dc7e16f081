"""Real mail, old and nasty: all of it is taken but what has a bare CR or a NUL, and kept byte for byte."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.corpus import corpus_path
from tests.smtp.conftest import House

BAD = re.compile(rb"\r(?!\n)|\0")


def messages(root: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(root.rglob("*")):
        if path.suffix in (".eml", ".msg"):
            content = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            yield str(path.relative_to(root)), content if content.endswith(b"\r\n") else content + b"\r\n"


@pytest.mark.parametrize("folder", ["mime", "spam-ham"])
async def test_real_mail_is_taken_and_kept_byte_for_byte(smtp: House, folder: str) -> None:
    client = await (await smtp.connect()).hello()
    taken, refused = [], 0
    for name, content in messages(corpus_path(folder)):
        if refused % 10 == 9:
            client = await (await smtp.connect()).hello()  # errors of one session are counted
        await client.envelope()
        reply = await client.data((b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n")
        if BAD.search(content):
            assert reply.startswith("550 5.6.11"), name
            refused += 1
        else:
            assert reply.startswith("250 2.0.0 OK, kept"), (name, reply)
            taken.append((name, content))
    stored = await smtp.inbox()
    assert len(stored) == len(taken) > 50
    for (name, content), message in zip(taken, stored, strict=True):
        trace, _, rest = message.partition(b" +0000\r\n")
        assert trace.startswith(b"Return-Path: <eve@example.org>"), name
        assert rest.removeprefix(b"\r\n") == without_return_path(content), name


def without_return_path(content: bytes) -> bytes:
    """The message without the fields that only its last server may write."""
    header, empty, body = content.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", header)
    return b"\r\n".join(field for field in fields if not field.lower().startswith(b"return-path:")) + empty + body
