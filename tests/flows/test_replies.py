"""Mail that GK answers: drafts, answers sent without a person, and silence with its reason."""

import asyncio
import email.header
import re
from pathlib import Path
from typing import Any

import pytest

from gk.store.values import SEEN, Flags
from tests.ai.endpoint import Endpoint, Write, http, said
from tests.flows.answering import (
    ASKS,
    DRAFTS,
    REPLY,
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


async def test_a_mail_that_waits_for_an_answer_gets_a_draft_in_its_thread(tmp_path: Path) -> None:
    rules = DRAFTS + 'instructions = "Be brief."\n[replies]\nbrand = "Example"\n'
    async with answering(tmp_path, rules, says()) as (gk, model):
        await gk.bring(letter(), ALICE)
        (row,) = await settled(gk)
        assert (row["state"], row["rule"], row["action"], row["model"]) == ("completed", "all", "draft", "scripted")
        assert row["correspondent"] == ZOE and row["attempts"] == 1
        (draft,) = await drafts(gk)
        assert draft["To"] == ZOE and draft["Cc"] is None and draft["Bcc"] is None
        assert draft["From"] == ALICE and draft["Subject"] == "Re: The contract"
        assert draft["In-Reply-To"] == draft["References"] == "<1@far.test>"
        assert draft["Auto-Submitted"] is None, "a person will send it"
        assert 'rule "all"' in str(email.header.make_header(email.header.decode_header(draft["X-GK-Reason"])))
        assert text_of(draft).startswith(f"Hello Zoe Lane,\n\n{REPLY}\n\nKind regards,\n")
        assert "width:600px" in text_of(draft, "text/html") and REPLY in text_of(draft, "text/html")
        assert await gk.queue() == []
        ((task, given),) = prompts(model)
        assert "Be brief." in task and "Could you please send me the signed contract" in given
        assert all("tools" not in asked for asked in model.asked)
        why = await gk.act("mail_why", id=row["message"])
        assert why["replies"][0]["reason"] == row["reason"] and "waits for an answer" in row["reason"]


async def test_the_draft_and_the_mail_it_answers_say_so_by_keywords(tmp_path: Path) -> None:
    async with answering(tmp_path, play=says()) as (gk, _):
        await gk.bring(letter(), ALICE)
        await settled(gk)
        store = gk.rooms.store
        words = {}
        for name in ("INBOX", "Drafts"):
            snapshot = await store.mailboxes.open(store.mailboxes.get(store.accounts.get(ALICE).id, name))
            words[name] = set(snapshot.render(snapshot.flags[0]).decode().split())
            snapshot.close()
        assert "$gk-drafted" in words["INBOX"] and "\\Answered" not in words["INBOX"]
        assert {"$gk-draft", "\\Draft", "\\Seen"} <= words["Drafts"]


async def test_an_answer_is_sent_where_the_rule_says_so_to_whom_is_known_and_proven(tmp_path: Path) -> None:
    async with answering(tmp_path, SENDS, says()) as (gk, _):
        far = await gk.stranger("far.test")
        await befriended(gk)
        await gk.bring(letter(), ALICE)
        got = await far.message()
        assert (got.mail.split()[0], got.rcpt) == ("<>", [f"<{ZOE}>"])
        (row,) = await settled(gk)
        assert (row["state"], row["action"]) == ("completed", "send") and row["made"]
        sent = email.message_from_bytes(got.content)
        assert sent["Auto-Submitted"] == "auto-replied" and sent["X-GK-Reason"] is None
        assert sent["In-Reply-To"] == "<1@far.test>" and REPLY in text_of(sent)
        (kept,) = await gk.inbox(ALICE, "Sent")
        assert REPLY.encode() in kept
        await gk.bring(letter(number=2), ALICE)
        _, row = await settled(gk, 2)
        assert row["state"] == "skipped" and "answered lately" in row["reason"]
        assert len(far.kept) == 1


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("stranger", "never written to them"),
        ("forged", "nothing proves who sent it"),
        ("elsewhere", "nobody vouches for"),
    ],
)
async def test_nothing_is_sent_where_it_may_not_be_and_a_later_rule_drafts(
    tmp_path: Path, case: str, reason: str
) -> None:
    async with answering(tmp_path, SENDS, says()) as (gk, _):
        far = await gk.stranger("far.test")
        if case != "stranger":
            await befriended(gk)
        if case == "forged":
            gk.zone.add("none.test", "TXT", "nothing")
            await befriended(gk, "ann@none.test")
        sender = "ann@none.test" if case == "forged" else ZOE
        fields = {"Reply_To": "eve@evil.test"} if case == "elsewhere" else {}
        await gk.bring(letter(From=sender, **fields), ALICE, sender=sender)
        (row,) = await settled(gk)
        assert row["state"] == "skipped"
        if case != "forged":  # whose domain the rule does not name
            assert reason in row["reason"]
        assert far.kept == [] and await gk.queue() == []
    other = tmp_path / "other"
    other.mkdir()
    async with answering(other, SENDS.replace("@far.test", "@none.test") + DRAFTS, says()) as (gk, _):
        await gk.bring(letter(From="ann@none.test"), ALICE, sender="ann@none.test")
        (row,) = await settled(gk)
        assert (row["state"], row["rule"], row["action"]) == ("completed", "all", "draft")


PROGRAMS: dict[str, dict[str, str]] = {
    "an answer of a program": {"Auto_Submitted": "auto-replied"},
    "a notice of a program": {"Auto_Submitted": "auto-generated"},
    "a list": {"List_Id": "<x.far.test>"},
    "a list one can leave": {"List_Unsubscribe": "<mailto:x@far.test>"},
    "bulk": {"Precedence": "bulk"},
    "junk": {"Precedence": "junk"},
    "who wants none": {"X_Auto_Response_Suppress": "All"},
    "no-reply": {"From": "no-reply@far.test"},
    "its answers to no-reply": {"Reply_To": "noreply@far.test"},
    "a daemon": {"From": "mailer-daemon@far.test"},
    "an owner": {"From": "owner-list@far.test"},
    "a request": {"From": "list-request@far.test"},
    "to nobody": {"To": "friends"},
    "to others": {"To": "bob@example.test"},
    "a hidden copy": {"To": "friends", "Bcc": ALICE},
    "what somebody sent on": {"To": "ann@far.test", "Resent_To": ALICE},
    "itself": {"From": ALICE},
    "several authors": {"From": "zoe@far.test, ann@far.test"},
    "no author": {"From": "somebody"},
    "a report": {"Content_Type": "multipart/report; report-type=delivery-status; boundary=x"},
}


async def test_no_program_is_answered(tmp_path: Path) -> None:
    async with answering(tmp_path, SENDS + "awaiting = false\nconfidence = 0.0\n" + DRAFTS, says()) as (gk, model):
        far = await gk.stranger("far.test")
        await befriended(gk)
        for number, fields in enumerate(PROGRAMS.values()):
            await gk.bring(letter(**{"Message_ID": f"<{number}@far.test>"} | fields), ALICE)
        await gk.bring(letter(number=100), ALICE, sender="")
        rows = await settled(gk, len(PROGRAMS) + 1)
        silent = {name: row["state"] for name, row in zip([*PROGRAMS, "the null path"], rows, strict=True)}
        assert set(silent.values()) == {"skipped"}, silent
        assert all(row["reason"] and not row["attempts"] for row in rows)
        assert prompts(model) == [] and far.kept == [] and await gk.queue() == [] and await drafts(gk) == []


async def test_without_a_model_only_templates_that_need_none_answer(tmp_path: Path) -> None:
    rules = DRAFTS.replace("all", "ack") + 'template = "acknowledgement"\ncategories = ["billing"]\n' + DRAFTS
    async with answering(tmp_path, rules) as (gk, _):
        french = (
            "Bonjour,\r\n\r\nJ'ai bien reçu la facture 1234 mais le montant me semble faux. Pouvez-vous vérifier et me"
            " répondre ?\r\n\r\nZoé\r\n"
        )
        kind = {"Content_Type": "text/plain; charset=utf-8", "Content_Transfer_Encoding": "8bit"}
        await gk.bring(letter(french, Subject="Facture 1234", From=f"=?utf-8?q?Zo=C3=A9?= <{ZOE}>", **kind), ALICE)
        await gk.bring(letter(number=2), ALICE)
        first, second = await settled(gk, 2)
        assert (first["state"], first["template"], first["model"]) == ("completed", "acknowledgement", "")
        assert second["state"] == "skipped" and "no model is configured" in second["reason"]
        (draft,) = await drafts(gk)
        assert text_of(draft).startswith("Bonjour Zoé,\n\nMerci pour votre message au sujet de « Facture 1234 »")
        assert "facture" in text_of(draft)


async def test_below_the_confidence_there_is_silence(tmp_path: Path) -> None:
    said_: list[dict[str, Any]] = [
        good(confidence=0.2), good(needs_person=True), good(language="fr"), good("   "), good(confidence=7),
    ]  # fmt: skip

    async def play(opened: Endpoint, asked: dict[str, Any], write: Write) -> None:
        await write(http(200, said(said_.pop(0) if asked else {})))

    async with answering(tmp_path, play=play) as (gk, _):
        for number in range(3):
            await gk.bring(letter(number=number), ALICE)
            await settled(gk, number + 1)
        rows = await settled(gk, 3)
        assert [row["state"] for row in rows] == ["skipped"] * 3
        assert ["0.20 sure" in rows[0]["reason"], "a person" in rows[1]["reason"]] == [True, True]
        assert "another language" in rows[2]["reason"]
        assert await drafts(gk) == []


async def test_the_conversation_is_what_both_have_seen_and_nothing_else(tmp_path: Path) -> None:
    async with answering(tmp_path, play=says()) as (gk, model):
        await gk.stranger("far.test")
        await gk.stranger("third.test", host="127.0.0.3")
        # A conversation of Alice with somebody else, and one of Bob's, that a stranger knows the ids of.
        await gk.submit(mail("canary-private", body="canary-private-text\r\n", To="x@third.test"), "x@third.test")
        await gk.bring(letter("canary-of-bob\r\n", 70, To=BOB), BOB)
        await gk.bring(letter("We met in Lyon. The notary is Mr Durand.\r\n", 1), ALICE)
        sent = letter("I remember, the file number is 4711.\r\n", 2, From=ALICE, To=ZOE, In_Reply_To="<1@far.test>")
        store = gk.rooms.store
        box = store.mailboxes.get(store.accounts.get(ALICE).id, "Sent")
        await store.mailboxes.append(box, [(await store.prepare(sent), Flags(SEEN), None)])
        private = letter("canary-appended\r\n", 3, From=ALICE, To="x@third.test", References="<1@far.test>")
        await store.mailboxes.append(box, [(await store.prepare(private), Flags(SEEN), None)])
        references = "<1@far.test> <2@far.test> <canary-private@here.test> <70@far.test>"
        body = ASKS + "\r\n> quoted-canary\r\n"
        await gk.bring(letter(body, 4, In_Reply_To="<2@far.test>", References=references), ALICE)
        await settled(gk, 2, ALICE)
        _, given = prompts(model)[-1]
        assert "Mr Durand" in given and "4711" in given and "Could you please" in given
        assert "canary" not in given, given


async def test_a_stop_holds_what_waits_ends_what_is_written_and_lasts(tmp_path: Path) -> None:
    waiting = asyncio.Event()

    async def hangs(opened: Endpoint, asked: dict[str, Any], write: Write) -> None:
        if asked:
            waiting.set()
            await opened.over.wait()

    async with answering(tmp_path, SENDS, says()) as (gk, _):
        await gk.stranger("far.test", {"MAIL": b"451 later\r\n"})
        await befriended(gk)
        await gk.bring(letter(), ALICE)
        await settled(gk)
        assert await gk.outcomes() == ["deferred"]
        assert (await gk.act("ai_stop"))["held"] == 1
        assert (await gk.act("ai_status"))["held"] == 1
        await gk.bring(letter(number=2), ALICE)
    async with answering(tmp_path, SENDS, hangs) as (gk, _):
        status = await gk.act("ai_status")
        assert not status["writing"] and status["stopped"] and status["counts"]["pending"] == 1
        assert (await gk.act("ai_resume"))["unanswered"] == 1
        (item,) = await gk.queue()
        assert item["held"] and item["origin"] == "ai"
        await gk.act("ai_stop", address=BOB)
        await befriended(gk, "ann@far.test")
        await gk.bring(letter(number=3, From="ann@far.test"), ALICE, sender="ann@far.test")
        await asyncio.wait_for(waiting.wait(), 30)
        assert (await gk.act("ai_stop", address=ALICE))["held"] == 0
        rows = await settled(gk, 3)
        assert "stopped" in rows[-1]["reason"] and rows[-1]["state"] == "skipped"
        assert [one["address"] for one in (await gk.act("ai_status"))["stops"]] == [ALICE, BOB]
        assert len(await gk.queue()) == 1
        far = await gk.stranger("far.test")
        await gk.act("queue_release", id=item["id"])
        assert (await far.message()).rcpt == [f"<{ZOE}>"]


async def test_a_replay_says_what_would_be_done_and_does_nothing(tmp_path: Path) -> None:
    async with answering(tmp_path, play=says()) as (gk, _):
        for number in range(2):
            await gk.bring(letter(number=number), ALICE)
        await gk.bring(letter(number=3, Precedence="bulk"), ALICE)
        await settled(gk, 3)
    async with answering(tmp_path, SENDS, says()) as (gk, model):
        await befriended(gk)
        before = await gk.act("ai_replies")
        found = await gk.act("ai_replay", all=True)
        assert found["counts"] == {"send": 1, "silence": 2} and found["looked"] == 3
        assert [row["would"] for row in found["messages"]] == ["send", "silence", "silence"]
        assert "answered lately" in found["messages"][1]["reason"] and "bulk" in found["messages"][2]["reason"]
        assert (await gk.act("ai_replies")) == before
        assert prompts(model) == [] and await gk.queue() == [] and len(await drafts(gk)) == 2


async def test_reasons_hold_no_addresses(tmp_path: Path) -> None:
    async with answering(tmp_path, play=says()) as (gk, _):
        await gk.bring(letter(), ALICE)
        await gk.bring(letter(number=2, Precedence="bulk"), ALICE)
        for row in await settled(gk, 2):
            assert not re.search(r"\w@\w", row["reason"])
