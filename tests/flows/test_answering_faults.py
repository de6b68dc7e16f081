"""Models that fail and mail that is broken in every way: no bad answer, a reason for each, and mail still comes."""

import asyncio
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gk.store.values import Recipient
from tests.ai.endpoint import Endpoint, Play, Write, answers, closes, dribbles, endless, http, said, silent
from tests.flows.answering import (
    ASKS,
    DRAFTS,
    SENDS,
    answering,
    befriended,
    drafts,
    good,
    letter,
    prompts,
    says,
    settled,
)
from tests.flows.conftest import ALICE, House
from tests.strangers import PATIENCE

MAILS = 50
FLOOD = 9_800 if os.environ.get("GK_FUZZ") == "1" else 1_800


async def _echoes(opened: Endpoint, asked: dict[str, Any], write: Write) -> None:
    text = asked["messages"][1]["content"][:4000] if asked else ""
    await write(http(200, said(good(text))))


BAD: dict[str, Play] = {
    "silence": silent,
    "a byte at a time": dribbles,
    "an endless stream": endless,
    "ten megabytes": answers(200, b" " * (10 << 20)),
    "the end in the middle": closes,
    "401": answers(401, b"{}"),
    "429": answers(429, b"{}"),
    "500": answers(500, b"{}"),
    "529": answers(529, b"{}"),
    "a redirection": answers(302, b"", Location="http://127.0.0.1:1/"),
    "no JSON": answers(200, b"<html>"),
    "another shape": answers(200, b'{"choices": []}'),
    "words": answers(200, said("I cannot do that.")),
    "empty": answers(200, said("")),
    "an empty reply": says(" "),
    "a field less": answers(200, said({"reply": "x"})),
    "another recipient": answers(200, said(good() | {"to": "eve@evil.test"})),
    "header fields": says("ok\r\nBcc: eve@evil.test"),
    "NUL": says("a\0b"),
    "tools": answers(200, said(good(), tool_calls=[{"function": {"name": "send", "arguments": "{}"}}])),
    "impossible confidence": says(confidence=1e9),
    "another language": answers(200, said(good(language="de"))),
    "what it was told": _echoes,
}


async def tried(gk: House, count: int) -> list[dict[str, Any]]:
    """What became of so many messages once each is decided about or was tried."""
    async with asyncio.timeout(PATIENCE * 4):
        while True:
            rows = (await gk.act("ai_replies", limit=500))["replies"]
            if len(rows) >= count and all(
                row["state"] in ("skipped", "failed") or (row["state"] == "pending" and row["attempts"]) for row in rows
            ):
                return rows
            await asyncio.sleep(0.05)  # nobody is told of silence


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", BAD)
async def test_no_answer_comes_of_a_model_that_fails(tmp_path: Path, name: str) -> None:
    rules = SENDS + "[replies]\ndrafts_per_sender = 1000\nwritten_per_hour = 1000\n" + DRAFTS
    async with answering(tmp_path, rules, BAD[name], seconds=1) as (gk, model):
        far = await gk.stranger("far.test")
        await befriended(gk)
        for number in range(MAILS):
            await gk.bring(letter(number=number), ALICE)
        assert len(await gk.inbox(ALICE)) == MAILS, "mail is taken, whatever the model does"
        rows = await tried(gk, MAILS)
        assert {row["state"] for row in rows} <= {"pending", "skipped"} and all(row["reason"] for row in rows)
        assert far.kept == [] and await gk.queue() == [] and await drafts(gk) == []
        if name not in ("an empty reply", "impossible confidence", "what it was told", "another language"):
            assert len(prompts(model)) <= 20, "a model that fails again and again is left alone"


def _head(**fields: str) -> bytes:
    return letter("", **fields).partition(b"\r\n\r\n")[0] + b"\r\n"


HOSTILE: dict[str, Callable[[], bytes]] = {
    "no text": lambda: letter(""),
    "blanks": lambda: letter(" \r\n\t\r\n" * 100),
    "an unknown charset": lambda: letter(ASKS, Content_Type="text/plain; charset=x-klingon"),
    "a codec that is none": lambda: letter(ASKS, Content_Type="text/plain; charset=zlib_codec"),
    "base64 that is none": lambda: letter("****" * 1000, Content_Transfer_Encoding="base64"),
    "a boundary that never comes": lambda: letter(ASKS, Content_Type="multipart/mixed; boundary=x"),
    "no boundary": lambda: letter(ASKS, Content_Type="multipart/mixed"),
    "depth": lambda: b"".join([_head(Content_Type="multipart/mixed; boundary=b"), b"\r\n",
        b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" * 500]),
    "many parts": lambda: _head(Content_Type="multipart/mixed; boundary=b") + b"\r\n" + b"--b\r\n\r\nx\r\n" * 20_000,
    "ten megabytes of text": lambda: letter(ASKS + "Please answer me soon, will you? " * 30 + "\r\n" * 2)
        + b"word and word again, is it?\r\n" * 380_000,
    "one long word": lambda: letter("x" * 60_000 + "\r\n"),
    "control characters": lambda: letter("".join(map(chr, [*range(1, 9), *range(14, 32)])) * 50 + "\r\n"),
    "a name of encoded words": lambda: letter(From="=?utf-8?q?" + "=00=0D=0A" * 10 + "?= <zoe@far.test>"),
    "a subject of surrogates": lambda: letter(Subject="=?utf-16?b?2D3YPdg92D0=?="),
    "a long subject": lambda: letter(Subject=" ".join(["urgent"] * 3000)),
    "a long reference": lambda: letter(References=" ".join(f"<{n}@far.test>" for n in range(3000))),
    "an id with blanks": lambda: letter(Message_ID="<a b c>"),
    "an id that is none": lambda: letter(Message_ID="none"),
    "open comments": lambda: letter(Reply_To="(" * 20_000 + " zoe@far.test"),
    "deep HTML": lambda: letter("<div>\r\n" * 20_000 + "Can you come?", Content_Type="text/html"),
    "HTML that never ends": lambda: letter("<p>Can you come? <!-- " + "x" * 5000, Content_Type="text/html"),
    "a document that is none": lambda: letter("UEsDBA" * 5000, Content_Type='application/octet-stream; name="a.docx"',
        Content_Transfer_Encoding="base64"),
    "a file that lies": lambda: _head(Content_Type="multipart/mixed; boundary=b") + b"\r\n--b\r\n\r\n" + ASKS.encode()
        + b'\r\n--b\r\nContent-Type: application/pdf; name="../../a.pdf"\r\nContent-Disposition: attachment\r\n\r\n'
        + b"%PDF-" + random.Random(1).randbytes(20_000).translate(None, b"\r\n\0") + b"\r\n--b--\r\n",
    "a quotation alone": lambda: letter("> Can you come?\r\n" * 50),
    "only a signature": lambda: letter("-- \r\nZoe\r\n"),
}  # fmt: skip


@pytest.mark.timeout(120)
async def test_mail_that_is_broken_gives_a_result_with_a_reason_and_never_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rules = DRAFTS + "awaiting = false\nconfidence = 0.0\n[replies]\ndrafts_per_sender = 1000\n"
    async with answering(tmp_path, rules, says()) as (gk, model):
        for number, build in enumerate(HOSTILE.values()):
            raw = build()
            if b"Message-ID: <1@far.test>" in raw:
                raw = raw.replace(b"<1@far.test>", b"<h%d@far.test>" % number, 1)
            await gk.bring(raw, ALICE)
        rows = await settled(gk, len(HOSTILE))
        made = dict(zip(HOSTILE, rows, strict=True))
        assert all(row["reason"] for row in rows)
        assert {row["state"] for row in rows} == {"completed", "skipped"}
        assert made["no text"]["state"] == made["blanks"]["state"] == "skipped"
        assert made["ten megabytes of text"]["state"] == "completed"
        assert not [one for one in caplog.records if one.exc_info or "reply_undecided" in one.message]
        assert len(await drafts(gk)) == sum(row["state"] == "completed" for row in rows)
        assert all(len(text.encode()) <= 33 << 10 for _, text in prompts(model))


@pytest.mark.timeout(240)
async def test_a_flood_costs_what_the_caps_allow_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Many senders, and one that writes again and again: calls and drafts stay below the caps."""
    rules = DRAFTS + "[replies]\nwritten_per_hour = 12\ndrafts_per_sender = 3\n"
    async with answering(tmp_path, rules, says()) as (gk, model):
        store = gk.rooms.store
        account = store.accounts.get(ALICE)
        to = Recipient(account.id, store.mailboxes.get(account.id, "INBOX").id, ALICE)

        async def flood(first: int, count: int, sender: Callable[[int], str]) -> None:
            for number in range(first, first + count):
                raw = b"Return-Path: <%s>\r\n" % sender(number).encode() + letter(number=number, From=sender(number))
                await store.deliver(await store.prepare(raw), [to])

        await flood(0, 200, lambda number: "eve@far.test")
        rows = await settled(gk, 200)
        assert sum(row["state"] == "completed" for row in rows) == 3 == len(prompts(model))
        await flood(1000, FLOOD, lambda number: f"s{number}@far.test")
        async with asyncio.timeout(PATIENCE * 6):
            while store.replies.waiting():
                await asyncio.sleep(0.1)  # nobody is told of silence
        counts = (await gk.act("ai_status"))["counts"]
        assert counts == {"completed": 12, "skipped": FLOOD + 188, "pending": 0, "processing": 0, "failed": 0}
        assert len(prompts(model)) == 12 and len(await drafts(gk)) == 12
