"""Batch sending: what programs describe becomes mail, and each message has its own result."""

import asyncio
import email
import email.message
import email.policy
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk import app
from gk.actions.context import Rooms
from gk.config import Config, Limits
from gk.errors import LimitReached, Refused, SendingLimit
from gk.message.address import parse_address
from gk.message.mailboxes import Mailbox, parse_list
from gk.outbound import submit as submit_module
from gk.outbound.batch import AT_ONCE, Result
from gk.outbound.draft import ADDED, Draft, named, write
from gk.store.sending import EVERYBODY
from gk.store.values import Account
from tests.message.fuzz import examples

ALICE = (None, parse_address("alice@example.test"))
ID = b"<1@mail.example.test>"


def written(draft: Draft, unsubscribe: str = "unsubscribe+x@example.test") -> bytes:
    return write(draft, ALICE, ID, 1_700_000_000, unsubscribe)


def read(content: bytes) -> email.message.EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage)
    return message


def shown(part: email.message.EmailMessage) -> str:
    """The text of a part, its lines ended as in Python."""
    return str(part.get_content()).replace("\r\n", "\n")


# --- the bytes --------------------------------------------------------------------------------------------------------


def test_a_text_and_its_html_are_alternatives_the_text_first() -> None:
    draft = Draft(
        to=["Zoë <zoe@far.test>", "yan@far.test"], cc=['"Doe, John" <john@far.test>'], bcc=["secret@far.test"],
        subject="Réunion", text="Bonjour à tous.\n", html="<p>Bonjour à tous.</p>", reply_to=["office@example.test"],
        headers={"In-Reply-To": "<0@far.test>", "X-Campaign": "spring"},
    )  # fmt: skip
    content = written(draft)
    message = read(content)
    assert b"secret" not in content and message["Bcc"] is None
    assert [str(a) for a in message["To"].addresses] == ["Zoë <zoe@far.test>", "yan@far.test"]
    assert message["Cc"].addresses[0].display_name == "Doe, John"
    assert (message["Subject"], message["From"], message["Reply-To"]) == (
        "Réunion", "alice@example.test", "office@example.test",
    )  # fmt: skip
    assert (message["Message-ID"], message["In-Reply-To"], message["X-Campaign"]) == (
        ID.decode(), "<0@far.test>", "spring",
    )  # fmt: skip
    assert message["Date"].datetime.timestamp() == 1_700_000_000
    assert message.get_content_type() == "multipart/alternative"
    plain, html = message.iter_parts()
    assert (plain.get_content_type(), shown(plain)) == ("text/plain", "Bonjour à tous.\n")
    assert (html.get_content_type(), shown(html)) == ("text/html", "<p>Bonjour à tous.</p>\n")
    assert message["Precedence"] is message["List-Unsubscribe"] is None


@pytest.mark.parametrize(
    ("draft", "kind", "encoding"),
    [
        (Draft(["z@far.test"], text="Hello.\n.\n"), "text/plain", "7bit"),
        (Draft(["z@far.test"], html="<p>é</p>"), "text/html", "quoted-printable"),
        (Draft(["z@far.test"], text="日本語の本文" * 100), "text/plain", "base64"),
        (Draft(["z@far.test"], text="x" * 5000), "text/plain", "quoted-printable"),
        (Draft(["z@far.test"]), "text/plain", "7bit"),
    ],
)
def test_a_single_form_is_sent_in_the_encoding_that_serves_it(draft: Draft, kind: str, encoding: str) -> None:
    content = written(draft)
    message = read(content)
    assert (message.get_content_type(), message["Content-Transfer-Encoding"]) == (kind, encoding)
    assert shown(message) == (draft.text or draft.html).removesuffix("\n") + "\n"
    assert content.isascii() and max(map(len, content.split(b"\r\n"))) <= 998


def test_a_message_to_nobody_by_name_says_so() -> None:
    assert b"\r\nTo: undisclosed-recipients:;\r\n" in written(Draft(bcc=["zoe@far.test"]))


def test_bulk_mail_says_what_it_is_and_how_to_be_spared() -> None:
    message = read(written(Draft(["z@far.test"], bulk=True)))
    assert message["Precedence"] == "bulk"
    assert message["List-Unsubscribe"] == "<mailto:unsubscribe+x@example.test>"
    own = {"List-Unsubscribe": "<https://example.test/u/1>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    message = read(written(Draft(["z@far.test"], bulk=True, headers=own)))
    assert message.get_all("List-Unsubscribe") == ["<https://example.test/u/1>"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Bcc": "x@far.test"}, {"From": "x@far.test"}, {"Received": "x"}, {"Return-Path": "<x@far.test>"},
        {"DKIM-Signature": "x"}, {"Content-Type": "text/html"}, {"Precedence": "bulk"}, {"X-A": "1\r\nBcc: x@far.test"},
        {"X-A\r\nBcc": "1"}, {"X-A: 1\nB": "1"}, {"X-A": "1", "x-a": "2"}, {"": "x"}, {"X-É": "x"},
        {f"X-{n}": "1" for n in range(51)},
    ],
)  # fmt: skip
def test_header_fields_that_are_not_a_programs_to_set_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Refused):
        written(Draft(["z@far.test"], headers=headers))


@pytest.mark.parametrize(
    "text",
    [
        "", "zoe", "zoe@", "a@far.test, b@far.test", "a@far.test\r\n", "Zoe\r\nBcc: x@y.test <a@far.test>", "<>",
        "Zoe <a@far.test> x", "a@far.test\0", f"{'x' * 1000} <a@far.test>", "Zoe <b <a@far.test>>", '"Zoe <a@far.test>',
    ],
)  # fmt: skip
def test_what_is_no_single_address_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        named(text)


def mostly(usual: st.SearchStrategy[str], odd: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """One in twenty is odd: a draft of many odd values is refused for the first of them."""
    return st.integers(0, 19).flatmap(lambda number: odd if number == 13 else usual)


_ENDS = ["\r\n", "\n", "\r", "\r\nBcc: evil@far.test", "\r\n\r\n", "\0", "\x85", "\u2028"]
_ODD = ["=?utf-8?q?=0D=0A?=", " ", "é", "日本", "x" * 80, '"', "<", ">", ",", "@", "\\", "a@far.test", ":", "--=_", "."]
_LINE = st.lists(st.sampled_from(_ODD), max_size=8).map("".join)  # may stand in a field
_BODY = st.lists(st.one_of(st.sampled_from(_ENDS + _ODD), st.text(max_size=5)), max_size=12).map("".join)
_VALUE = mostly(_LINE, st.one_of(_BODY, st.just("\ud800")))
_PEOPLE = st.sampled_from(
    [
        "zoe@far.test",
        "Zoë <zoe@bücher.test>",
        '"a, <b@c.test> \\"d" <zoe@far.test>',
        '"a b"@far.test',
        "é, f <g@far.test>",
    ]
)
_ADDRESS = mostly(_PEOPLE, st.one_of(_VALUE, _VALUE.map(lambda name: f"{name} <zoe@far.test>")))
_NAME = mostly(st.sampled_from([*sorted(ADDED), "X-A"]), st.one_of(st.sampled_from(["X-", "Bcc", "To"]), _LINE))
_DRAFTS = st.builds(
    Draft, to=st.lists(_ADDRESS, max_size=2), cc=st.lists(_ADDRESS, max_size=1), bcc=st.just(["hidden@far.test"]),
    subject=_VALUE, text=_BODY, html=_BODY, reply_to=st.lists(_ADDRESS, max_size=1),
    headers=st.dictionaries(_NAME, _VALUE, max_size=1), bulk=st.booleans(),
)  # fmt: skip


@examples
@given(_DRAFTS)
def test_nothing_a_program_gives_adds_a_field_an_address_or_a_part(draft: Draft) -> None:
    try:
        content = written(draft)
    except Refused:
        return
    assert content.isascii() and b"hidden" not in content
    assert b"\r" not in content.replace(b"\r\n", b"") and b"\n" not in content.replace(b"\r\n", b"")
    assert max(map(len, content.split(b"\r\n"))) <= 998
    header = content[: content.index(b"\r\n\r\n") + 2]
    fields = re.findall(rb"^([^ \t:][^:\r\n]*):((?:[^\r\n]|\r\n[ \t])*)\r\n", header, re.MULTILINE)
    assert b"".join(b"%b:%b\r\n" % pair for pair in fields) == header
    expected = ["from", *(["reply-to"] if draft.reply_to else []), *(["to"] if draft.to or not draft.cc else [])]
    expected += [*(["cc"] if draft.cc else []), "subject", "date", "message-id", *map(str.lower, draft.headers)]
    if draft.bulk:
        expected += ["precedence", *(["list-unsubscribe"] if "list-unsubscribe" not in expected else [])]
    expected += ["mime-version", "content-type"]
    if not draft.text or not draft.html:
        expected.append("content-transfer-encoding")
    assert [name.decode().lower() for name, _ in fields] == expected
    told = {name.decode().lower(): value for name, value in fields}
    for name, texts in (("to", draft.to), ("cc", draft.cc), ("reply-to", draft.reply_to)):
        if texts:
            found = [m for m in parse_list(told[name]) if isinstance(m, Mailbox) and m.domain]
            assert [f"{m.local.decode()}@{(m.domain or b'').decode()}" for m in found] == [
                f"{address.local}@{address.key.rpartition('@')[2]}" for _, address in map(named, texts)
            ]
    parts = [part for part in read(content).walk() if not part.is_multipart()]
    texts_given = [text for text in (draft.text, draft.html) if text] or [""]
    bodies = [(part.get_payload(decode=True) or b"") for part in parts]
    assert len(bodies) == len(texts_given)
    for octets, text in zip(bodies, texts_given, strict=True):
        lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
        assert octets.decode().replace("\r\n", "\n").removesuffix("\n") == lines


# --- sending ----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def rooms(tmp_path: Path) -> AsyncIterator[Rooms]:
    limits = Limits(free_space_bytes=0, messages_per_day=2000, new_recipients_per_day=1500, message_bytes=1 << 20)
    aliases = {"sales@example.test": ("alice@example.test",)}
    config = Config(
        hostname="mail.example.test", domains=("example.test",), data=tmp_path / "data", limits=limits, aliases=aliases
    )
    async with app.rooms(config) as opened:
        await opened.store.accounts.add("alice@example.test", None, "Alice")
        await opened.store.accounts.add("bob@example.test", None)
        yield opened


@pytest.fixture
def alice(rooms: Rooms) -> Account:
    return rooms.store.accounts.get("alice@example.test")


def queued(rooms: Rooms) -> dict[str, list[str]]:
    """Recipients in the queue, by queue id."""
    return {str(item["id"]): [r["address"] for r in item["recipients"]] for item in rooms.store.outgoing.list()}


async def content(rooms: Rooms, queue_id: str) -> email.message.EmailMessage:
    found = await rooms.store.mailboxes.content_of(rooms.store.outgoing.get(int(queue_id))["message"])
    assert found is not None
    try:
        return read(found.read())
    finally:
        found.close()


async def test_each_message_has_its_result_and_a_bad_one_stops_no_other(rooms: Rooms, alice: Account) -> None:
    await rooms.store.sending.suppress(EVERYBODY, "trap@far.test", "spam trap")
    results = await rooms.batch.send(
        alice,
        [
            Draft(["zoe@far.test"], text="1"),
            Draft(["nobody at all"], text="2"),
            Draft(["bob@example.test"], text="3"),
            Draft(["nobody@example.test"], text="4"),
            Draft(["trap@far.test"], text="5"),
            Draft(["trap@far.test", "Zoe@far.test"], bcc=["zoe@far.test"], text="6"),
            Draft(["zoe@far.test"], sender="bob@example.test"),
            Draft(["zoe@far.test"], sender="Sales <sales@example.test>", subject="a\r\nb"),
            Draft([]),
            Draft(["zoe@far.test"], text="x" * (1 << 20)),
            Draft(["zoe@far.test"], sender="Sales <sales@example.test>"),
        ],
    )
    statuses = ["queued", "refused", "delivered", "refused", "suppressed", "queued", *["refused"] * 4, "queued"]
    assert [r.status for r in results] == statuses
    assert queued(rooms) == {
        results[0].queue_id: ["zoe@far.test"],
        results[5].queue_id: ["Zoe@far.test"],
        results[10].queue_id: ["zoe@far.test"],
    }
    assert [r.suppressed for r in (results[4], results[5])] == [("trap@far.test",)] * 2
    reasons = {3: "unknown", 6: "not an address of", 7: "line end", 8: "1 to 1000 recipients", 9: "too large"}
    assert all(word in results[place].reason for place, word in reasons.items())
    assert not any(r.again for r in results)
    first, last = await content(rooms, results[0].queue_id), await content(rooms, results[10].queue_id)
    assert (first["From"], last["From"]) == ("Alice <alice@example.test>", "Sales <sales@example.test>")
    assert first["Message-ID"] == results[0].message_id and first["Message-ID"].endswith("@mail.example.test>")
    assert abs(first["Date"].datetime.timestamp() - time.time()) < 60
    assert [i["origin"] for i in rooms.store.outgoing.list()] == ["api"] * 3


async def test_a_thousand_messages_go_in_one_call_and_results_keep_their_order(rooms: Rooms, alice: Account) -> None:
    results = await rooms.batch.send(alice, [Draft([f"u{n}@far.test"], subject=f"number {n}") for n in range(1000)])
    by_id = queued(rooms)
    assert [by_id[r.queue_id] for r in results] == [[f"u{n}@far.test"] for n in range(1000)]
    with pytest.raises(LimitReached, match="at most 1000"):
        await rooms.batch.send(alice, [Draft(["u@far.test"])] * 1001)
    assert await rooms.batch.send(alice, []) == []


async def test_the_limit_of_the_day_stops_the_rest_of_a_batch(rooms: Rooms, alice: Account) -> None:
    drafts = [Draft([f"u{n}@far.test", f"v{n}@far.test"]) for n in range(800)]
    results = await rooms.batch.send(alice, drafts)
    assert len(queued(rooms)) == sum(r.status == "queued" for r in results) == 750
    assert all("new recipients a day" in r.reason for r in results if r.status == "refused")
    with pytest.raises(SendingLimit):
        await rooms.batch.one(alice, Draft(["one.more@far.test"]))


async def test_no_more_than_so_many_are_sent_at_a_time(
    rooms: Rooms, alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = ended = most = 0
    submit = submit_module.Submit.submit

    async def counted(self: submit_module.Submit, *args: object, **kwargs: object) -> str:
        nonlocal begun, ended, most
        begun += 1
        most = max(most, begun - ended)
        try:
            return await submit(self, *args, **kwargs)  # type: ignore[arg-type]
        finally:
            ended += 1

    monkeypatch.setattr(submit_module.Submit, "submit", counted)
    await rooms.batch.send(alice, [Draft([f"u{n}@far.test"]) for n in range(200)])
    assert most == AT_ONCE


async def test_an_error_of_our_own_is_one_messages_result(
    rooms: Rooms, alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms.batch, "_unsubscribe", None)
    results = await rooms.batch.send(alice, [Draft(["zoe@far.test"], bulk=True), Draft(["zoe@far.test"])])
    assert results[0] == Result("refused", reason="internal error", again=True)
    assert results[1].status == "queued"


async def test_what_may_be_taken_later_says_so(rooms: Rooms, alice: Account) -> None:
    rooms.store.commits.fail("a test")
    (result,) = await rooms.batch.send(alice, [Draft(["zoe@far.test"])])
    assert result.status == "refused" and result.again and "read-only" in result.reason


async def test_large_texts_are_written_beside_the_loop(rooms: Rooms, alice: Account) -> None:
    text = "é" * 300_000
    (result,) = await rooms.batch.send(alice, [Draft(["zoe@far.test"], text=text)])
    assert shown(await content(rooms, result.queue_id)) == text + "\n"


async def test_bulk_mail_spares_those_who_asked_and_other_mail_reaches_them(rooms: Rooms, alice: Account) -> None:
    await rooms.store.sending.suppress(alice.id, "zoe@far.test", "asked")
    await rooms.store.sending.suppress(alice.id, "bob@example.test", "asked")
    results = await rooms.batch.send(
        alice,
        [
            Draft(["ZOE@far.test"], bulk=True), Draft(["bob@example.test"], bulk=True), Draft(["zoe@far.test"]),
            Draft(["yan@far.test"], bulk=True), Draft(["yan@far.test", "xi@far.test"], bulk=True),
        ],
    )  # fmt: skip
    assert [r.status for r in results] == ["suppressed", "suppressed", "queued", "queued", "refused"]
    assert "one recipient" in results[4].reason
    message = await content(rooms, results[3].queue_id)
    found = re.fullmatch(r"<mailto:(unsubscribe\+[a-z2-7]{32})@example\.test>", message["List-Unsubscribe"])
    assert found and rooms.store.sending.leaver(found[1])
    bob = rooms.store.accounts.get("bob@example.test")
    assert (await rooms.batch.one(bob, Draft(["zoe@far.test"], bulk=True))).status == "queued"


async def test_who_reads_mail_here_unsubscribes_by_writing_from_here(rooms: Rooms, alice: Account) -> None:
    bob = rooms.store.accounts.get("bob@example.test")
    address = f"{rooms.store.sending.leaving(alice.id, bob.address)}@example.test"
    assert (await rooms.batch.one(bob, Draft([address], subject="unsubscribe"))).status == "delivered"
    assert (await rooms.batch.one(alice, Draft([bob.address], bulk=True))).status == "suppressed"
    assert all(
        rooms.store.mailboxes.status(rooms.store.mailboxes.get(account.id, "INBOX")).messages == 0
        for account in (alice, bob)
    )


async def test_two_batches_at_once_do_not_mix(rooms: Rooms, alice: Account) -> None:
    bob = rooms.store.accounts.get("bob@example.test")
    of_alice, of_bob = await asyncio.gather(
        rooms.batch.send(alice, [Draft([f"a{n}@far.test"]) for n in range(50)]),
        rooms.batch.send(bob, [Draft([f"b{n}@far.test"]) for n in range(50)]),
    )
    by_id = queued(rooms)
    assert [by_id[r.queue_id] for r in of_alice] == [[f"a{n}@far.test"] for n in range(50)]
    assert [by_id[r.queue_id] for r in of_bob] == [[f"b{n}@far.test"] for n in range(50)]
