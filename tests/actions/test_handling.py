"""Mail that is read, flagged, moved, deleted and written: mail_read, mail_thread, mail_flag, mail_move, mail_delete,
mail_draft, mail_draft_send, mailbox_remove; each tells how it is taken back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gk.actions import registry
from gk.errors import GkError, NoSuchMailbox, Refused
from gk.store.values import Flags
from tests.actions.test_ask import put
from tests.flows.conftest import ALICE, BOB, House, house
from tests.inbound.spam.test_rules import message

USER = frozenset({"read", "change", "send", "delete"})


@pytest.fixture
async def gk(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as opened:
        for number in range(3):
            await put(opened, f"Text {number}", f"Mail {number}", "Ann Archer <ann@far.test>")
        yield opened


async def act(gk: House, action: str, by: str = ALICE, **more: Any) -> Any:
    context = gk.rooms.context(USER, account=gk.rooms.store.accounts.get(by))
    return await registry.run(action, more, context)


async def undo(gk: House, found: Any) -> None:
    for step in found["undo"]:
        await act(gk, step["action"], **step["arguments"])


async def there(gk: House, mailbox: str) -> list[str]:
    return sorted(one["id"] for one in (await act(gk, "mail_search", mailbox=mailbox))["messages"])


async def append(gk: House, raw: bytes, mailbox: str = "INBOX") -> None:
    store = gk.rooms.store
    box = store.mailboxes.get(store.accounts.get(ALICE).id, mailbox)
    await store.mailboxes.append(box, [(await store.prepare(raw), Flags(), None)])


async def test_messages_are_moved_and_back(gk: House) -> None:
    found = await act(gk, "mail_move", ids=["G1", "INBOX/2", "G1"], mailbox="Archive")
    assert [(one["id"], one["from"]) for one in found["moved"]] == [("G1", "INBOX"), ("G2", "INBOX")]
    assert await there(gk, "Archive") == ["G1", "G2"] and await there(gk, "INBOX") == ["G3"]
    assert (await act(gk, "mail_move", ids=["G1"], mailbox="Archive"))["moved"] == []
    await undo(gk, found)
    assert await there(gk, "INBOX") == ["G1", "G2", "G3"]
    with pytest.raises(NoSuchMailbox):
        await act(gk, "mail_move", ids=["G1"], mailbox="Nowhere")
    for ids in ([], [1], ["G9"], ["x"], ["INBOX/99"], ["G1"] * 1001):
        with pytest.raises(GkError):
            await act(gk, "mail_move", ids=ids, mailbox="Archive")
    with pytest.raises(Refused, match="no message"):
        await act(gk, "mail_move", by=BOB, ids=["G1"], mailbox="Archive")


async def test_a_place_names_one_of_several(gk: House) -> None:
    store = gk.rooms.store
    inbox, archive = (store.mailboxes.get(1, name) for name in ("INBOX", "Archive"))
    await store.mailboxes.copy(inbox, [1], archive)
    await act(gk, "mail_flag", ids=["Archive/1"], add=["\\Flagged"])
    with pytest.raises(Refused, match="any more"):
        await act(gk, "mail_flag", ids=["Trash/G1"], add=["\\Flagged"])
    assert (await act(gk, "mail_flag", ids=["Archive/G1"], add=["\\Flagged"]))["changed"] == []
    flagged = (await act(gk, "mail_search", flagged=True))["messages"]
    assert [one["mailbox"] for one in flagged] == ["Archive"]
    assert len((await act(gk, "mail_flag", ids=["G1"], add=["\\Seen"]))["undo"]) == 2


async def test_only_what_changed_is_changed_back(gk: House) -> None:
    await act(gk, "mail_flag", ids=["G1"], add=["\\Seen", "work"])
    found = await act(gk, "mail_flag", ids=["G1", "G2"], add=["\\seen", "WORK"], remove=["\\Flagged"])
    assert found["changed"] == ["G2"]
    await undo(gk, found)
    assert [one["id"] for one in (await act(gk, "mail_search", unread=True))["messages"]] == ["G3", "G2"]
    for flag in ("\\Deleted", "\\Recent", "a b", "", "x" * 65, 7):
        with pytest.raises(GkError, match="is no flag"):
            await act(gk, "mail_flag", ids=["G1"], add=[flag])
    with pytest.raises(GkError, match="at most 20"):
        await act(gk, "mail_flag", ids=["G1"], add=["\\Seen"] * 21)


async def test_deleted_mail_is_in_trash_and_gone_the_second_time(gk: House) -> None:
    found = await act(gk, "mail_delete", ids=["G1", "G2"])
    assert found["trashed"] == ["G1", "G2"] and await there(gk, "Trash") == ["G1", "G2"]
    await undo(gk, found)
    assert await there(gk, "INBOX") == ["G1", "G2", "G3"]
    await act(gk, "mail_delete", ids=["G3"])
    found = await act(gk, "mail_delete", ids=["G3"])
    assert found["gone"] == ["G3"] and found["undo"] == []
    with pytest.raises(Refused, match="no message"):
        await act(gk, "mail_read", id="G3")


async def test_a_mailbox_goes_while_it_is_empty(gk: House) -> None:
    found = await act(gk, "mailbox_add", mailbox="Roofs")
    await act(gk, "mail_move", ids=["G1"], mailbox="Roofs")
    for name in ("Roofs", "INBOX", "Trash"):
        with pytest.raises(Refused, match="it stays"):
            await act(gk, "mailbox_remove", mailbox=name)
    await act(gk, "mail_move", ids=["G1"], mailbox="INBOX")
    await undo(gk, found)
    with pytest.raises(NoSuchMailbox):
        await act(gk, "mailbox_remove", mailbox="Roofs")


async def test_a_message_is_read_as_people_read_it(gk: House) -> None:
    raw = (
        b"From: =?utf-8?q?Zo=C3=A9?= <zoe@far.test>\r\nTo: alice@example.test, Bob <bob@example.test>\r\n"
        b"Cc: c@far.test\r\n"
        b"Subject: =?utf-8?q?caf=C3=A9?=\r\nMessage-ID: <a@far.test>\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n'
        b'<p>Hello</p><p style="display:none">secret</p>\r\n--b\r\nContent-Type: application/pdf; name="a.pdf"\r\n\r\n'
        b"%PDF\r\n--b--\r\n"
    )
    await append(gk, raw)
    found = await act(gk, "mail_read", id="G4")
    assert found["author"] == "Zoé <zoe@far.test>" and found["subject"] == "café" and found["text"].strip() == "Hello"
    assert found["recipients"] == [ALICE, "bob@example.test", "c@far.test"]
    assert found["attachments"] == [{"name": "a.pdf", "type": "application/pdf", "size": 4}] and not found["cut"]
    with pytest.raises(Refused, match="no message"):
        await act(gk, "mail_read", by=BOB, id="G4")


async def test_a_thread_is_given_in_its_order_without_junk(gk: House) -> None:
    first = message("one", Subject="Tea", **{"Message-ID": "<1@far.test>"})
    reply = message("two", Subject="Re: Tea", **{"Message-ID": "<2@far.test>", "In-Reply-To": "<1@far.test>"})
    junk = message("three", Subject="Re: Tea", **{"Message-ID": "<3@far.test>", "In-Reply-To": "<1@far.test>"})
    await append(gk, first)
    await append(gk, reply, "Sent")
    await append(gk, junk, "Junk")
    for name in ("G4", "G5"):
        assert [one["text"].strip() for one in (await act(gk, "mail_thread", id=name))["messages"]] == ["one", "two"]
    assert [one["id"] for one in (await act(gk, "mail_thread", id="G6"))["messages"]] == ["G4", "G5", "G6"]
    await append(gk, message("four", Subject="Cake", **{"Message-ID": "<4@far.test>"}))
    assert [one["id"] for one in (await act(gk, "mail_thread", id="G7"))["messages"]] == ["G7"]


async def test_an_answer_is_drafted_into_the_thread_and_sent(gk: House) -> None:
    mx = await gk.stranger("far.test")
    raw = message(
        "Tea?", Subject="Re: Tea", From="Ann <ann@far.test>",
        **{"Message-ID": "<2@far.test>", "References": "<1@far.test>", "Reply-To": "Ann <tea@far.test>"},
    )  # fmt: skip
    await append(gk, raw)
    found = await act(gk, "mail_draft", answers="G4", text="Yes, gladly.", bcc=["b@far.test"])
    assert found["to"] == ['"Ann" <tea@far.test>', "b@far.test"] and found["subject"] == "Re: Tea"
    assert await there(gk, "Drafts") == [found["id"]]
    assert (await act(gk, "mail_draft_send", id=f"Drafts/{found['uid']}"))["status"] == "queued"
    assert sorted(await gk.outcomes(2)) == ["sent", "sent"]
    mail = await mx.message()
    assert len(mail.rcpt) == 2 and b"b@far.test" not in mail.content
    assert b"In-Reply-To: <2@far.test>" in mail.content and b"<1@far.test> <2@far.test>" in mail.content
    assert mail.content.count(b"\r\nDate: ") + mail.content.startswith(b"Date: ") == 1
    assert await there(gk, "Drafts") == [] and len(await there(gk, "Sent")) == 1


async def test_a_draft_leaves_once_however_often_it_is_asked_for_at_once(gk: House) -> None:
    await gk.stranger("far.test")
    found = await act(gk, "mail_draft", to=["ann@far.test"], subject="x", text="y")
    asked = (act(gk, "mail_draft_send", id=found["id"]) for _ in range(3))
    sent = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in sent if isinstance(one, BaseException)] == [Refused, Refused], sent
    assert len(await there(gk, "Sent")) == 1


async def test_a_draft_is_taken_back_and_only_drafts_are_sent(gk: House) -> None:
    found = await act(gk, "mail_draft", to=["ann@far.test"], subject="x", text="y")
    await undo(gk, found)
    assert await there(gk, "Drafts") == []
    for name in (found["id"], "G1"):
        with pytest.raises(Refused, match="is no draft"):
            await act(gk, "mail_draft_send", id=name)
    for raw, why in (
        (b"From: eve@evil.test\r\nTo: ann@far.test\r\n\r\nx\r\n", "is not an address of"),
        (b"From: alice@example.test\r\nSender: eve@evil.test\r\nTo: ann@far.test\r\n\r\nx\r\n", "is not an address of"),
        (
            b"From: alice@example.test\r\nResent-From: bob@example.test\r\nTo: ann@far.test\r\n\r\nx\r\n",
            "is not an addr",
        ),
        (b"X: y\r\n" * 2000 + b"From: alice@example.test\r\nTo: ann@far.test\r\n\r\nx\r\n", "too many header fields"),
        (b"From: alice@example.test\r\n\r\nx\r\n", "1 to 1000 recipients"),
        (b"From: alice@example.test, bob@example.test\r\nTo: ann@far.test\r\n\r\nx\r\n", "no author, or several"),
        (b"From: alice@example.test\r\nTo: nobody\r\n\r\nx\r\n", "an address that is none"),
    ):
        await append(gk, raw, "Drafts")
        (name,) = await there(gk, "Drafts")
        with pytest.raises(Refused, match=why):
            await act(gk, "mail_draft_send", id=name)
        await act(gk, "mail_delete", ids=[name])
    with pytest.raises(Refused, match="is not an address of"):
        await act(gk, "mail_draft", to=["ann@far.test"], subject="x", text="y", sender="bob@example.test")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(subject=st.text(max_size=40), text=st.text(max_size=40), to=st.text(max_size=20))
async def test_no_text_becomes_a_field(gk: House, subject: str, text: str, to: str) -> None:
    try:
        found = await act(gk, "mail_draft", to=["ann@far.test", to], subject=subject, text=text)
    except GkError:
        return
    content = await gk.rooms.store.mailboxes.content_of(int(found["id"][1:]))
    assert content is not None
    header = content.whole().partition(b"\r\n\r\n")[0]
    content.close()
    names = [line.partition(b":")[0] for line in header.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    assert names[:4] == [b"From", b"To", b"Subject", b"Date"] and b"Bcc" not in names
