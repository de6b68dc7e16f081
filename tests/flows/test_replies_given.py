"""What a model is given beside the mail, answers between users of one server, and many mails at once."""

import asyncio
import base64
import io
import zipfile
from pathlib import Path

import pytest

from gk.store.values import Recipient
from tests.ai.endpoint import Endpoint, Write, http, said
from tests.flows.answering import (
    ASKS,
    DRAFTS,
    SENDS,
    ZOE,
    answering,
    befriended,
    drafts,
    good,
    letter,
    prompts,
    says,
    settled,
    text_of,
)
from tests.flows.conftest import ALICE, BOB, mail
from tests.strangers import PATIENCE


def document(text: str) -> str:
    """A word-processing document in base64."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("word/document.xml", f"<w:p><w:t>{text}</w:t></w:p>")
    return base64.encodebytes(out.getvalue()).decode().replace("\n", "\r\n")


def part(kind: str, name: str, content: str, encoding: str = "7bit") -> str:
    return (
        f'--b\r\nContent-Type: {kind}\r\nContent-Disposition: attachment; filename="{name}"\r\n'
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n{content}\r\n"
    )


async def test_what_is_attached_is_read_and_images_are_named(tmp_path: Path) -> None:
    docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    body = (
        f"--b\r\n\r\n{ASKS}\r\n"
        + part("text/plain; charset=utf-8", "notes.txt", "The plot number is 42-B.")
        + part(docx, "terms.docx", document("Clause 7: no thatch."), "base64")
        + part("image/png", "garden.png", "iVBORw0KGgo=", "base64")
        + "--b--\r\n"
    )
    async with answering(tmp_path, play=says()) as (gk, model):
        await gk.bring(letter(body, Content_Type="multipart/mixed; boundary=b"), ALICE)
        (row,) = await settled(gk)
        assert row["state"] == "completed"
        ((_, given),) = prompts(model)
        assert "The plot number is 42-B." in given and "Clause 7: no thatch." in given
        assert "garden.png (image/png)" in given and "iVBOR" not in given


async def test_a_draft_is_sent_by_any_program_and_what_was_for_the_user_stays_here(tmp_path: Path) -> None:
    async with answering(tmp_path, play=says()) as (gk, _):
        far = await gk.stranger("far.test")
        await gk.bring(letter(), ALICE)
        await settled(gk)
        (draft,) = await gk.inbox(ALICE, "Drafts")
        assert b"X-GK-Reason: " in draft
        await gk.submit(draft, ZOE)
        got = await far.message()
        assert got.mail.split()[0] == f"<{ALICE}>" and b"In-Reply-To: <1@far.test>" in got.content
        assert b"X-GK-Reason" not in got.content and b"Auto-Submitted" not in got.content


async def test_a_user_whose_calls_are_used_up_gets_no_more_drafts(tmp_path: Path) -> None:
    async with answering(tmp_path, play=says(), ai="calls_per_day = 2\n") as (gk, model):
        for number in range(4):
            await gk.bring(letter(number=number), ALICE)
        rows = await settled(gk, 4)
        assert sorted(row["state"] for row in rows) == ["completed", "completed", "skipped", "skipped"]
        assert all("used up" in row["reason"] for row in rows if row["state"] == "skipped")
        assert len(prompts(model)) == 2 == len(await drafts(gk))


async def test_a_french_mail_is_answered_in_french(tmp_path: Path) -> None:
    body = "Bonjour,\r\n\r\nPouvez-vous m'envoyer le contrat signé avant jeudi ?\r\n\r\nZoé\r\n"
    kind = {"Content_Type": "text/plain; charset=utf-8", "Content_Transfer_Encoding": "8bit"}
    rules = DRAFTS + 'instructions = "Soyez bref."\n'
    async with answering(tmp_path, rules, says("Oui, je vous l'envoie **mercredi**.", language="fr")) as (gk, model):
        await gk.bring(letter(body, Subject="=?utf-8?q?Contrat_sign=C3=A9?=", **kind), ALICE)
        await settled(gk)
        (draft,) = await drafts(gk)
        assert text_of(draft).startswith("Bonjour Zoe Lane,\n\nOui, je vous l'envoie **mercredi**.\n\nCordialement,")
        assert "<strong>mercredi</strong>" in text_of(draft, "text/html")
        task, given = prompts(model)[0]
        assert "Répondez en français" in task and "Soyez bref." in task and "Contrat signé" in given


async def test_another_user_here_is_proven_and_known_and_gets_one_answer(tmp_path: Path) -> None:
    rules = SENDS.replace("@far.test", "@example.test") + f'users = ["{BOB}"]\n'
    async with answering(tmp_path, rules, says()) as (gk, _):
        for number in range(2):
            await gk.submit(mail(f"m{number}", ASKS, To=BOB), BOB)
            rows = await settled(gk, number + 1, BOB)
        assert [row["state"] for row in rows] == ["completed", "skipped"], rows
        (answer,) = await gk.inbox(ALICE)
        assert b"Auto-Submitted: auto-replied" in answer and b"Return-Path: <>" in answer
        assert await gk.queue() == [] and rows[0]["made"] == 0
        assert (await gk.act("ai_replies", address=ALICE))["replies"] == []


@pytest.mark.timeout(120)
async def test_of_a_burst_of_mails_of_one_sender_one_is_answered(tmp_path: Path) -> None:
    rules = SENDS + 'template = "acknowledgement"\n[replies]\ndrafts_per_sender = 1000\n'
    async with answering(tmp_path, rules) as (gk, _):
        far = await gk.stranger("far.test")
        await befriended(gk)
        await gk.bring(letter(number=0), ALICE)
        verdict = gk.rooms.store.verdicts.of(1)
        store = gk.rooms.store
        account = store.accounts.get(ALICE)
        to = Recipient(account.id, store.mailboxes.get(account.id, "INBOX").id, ALICE)
        raws = [b"Return-Path: <%s>\r\n" % ZOE.encode() + letter(number=n) for n in range(1, 150)]
        arrivals = [await store.prepare(raw, verdict) for raw in raws]
        await asyncio.gather(*(store.deliver(arrival, [to]) for arrival in arrivals))
        rows = await settled(gk, 150)
        assert sum(row["state"] == "completed" for row in rows) == 1
        assert {row["state"] for row in rows} == {"completed", "skipped"}
        await far.message()
        assert len(far.kept) == 1 and await gk.queue() == []
    async with answering(tmp_path, rules) as (gk, _):
        await gk.bring(letter(number=150), ALICE)
        row = (await settled(gk, 151))[-1]
        assert row["state"] == "skipped" and "answered lately" in row["reason"], "a restart forgets nobody"


async def test_a_stop_ends_what_a_model_is_asked_at_once(tmp_path: Path) -> None:
    asked_, left = asyncio.Event(), asyncio.Event()

    async def hangs(opened: Endpoint, asked: dict[str, object], write: Write) -> None:
        if not asked:
            return
        asked_.set()
        try:
            await opened.over.wait()
            await write(http(200, said(good())))
        finally:
            left.set()

    async with answering(tmp_path, play=hangs, seconds=600) as (gk, _):
        await gk.bring(letter(), ALICE)
        await asyncio.wait_for(asked_.wait(), PATIENCE)
        await gk.act("ai_stop")
        async with asyncio.timeout(PATIENCE):
            while (await gk.act("ai_status"))["counts"]["processing"]:
                await asyncio.sleep(0.01)  # the service is told, and nobody else
        assert (await gk.act("ai_status"))["counts"]["pending"] == 1
        assert (await gk.act("ai_resume"))["unanswered"] == 1
        (row,) = await settled(gk)
        assert row["reason"] == "writing was stopped when it came" and await drafts(gk) == []
