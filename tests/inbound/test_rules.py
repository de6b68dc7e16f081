"""Rules and scripts at delivery: where mail goes, what is changed, sent on or refused, and what goes wrong."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gk.errors import GkError, LimitReached, Overloaded
from gk.inbound import programs
from gk.inbound.verdict import RefusedByVerdict, Verdict
from tests.inbound.ruled import JUNK, ZOE, Ruled, letter, ruled

LARGE = "".join(f"line {n} {'x' * 60}\r\n" for n in range(6_000))  # more than goes through the journal


@pytest.fixture
async def gk(tmp_path: Path) -> AsyncIterator[Ruled]:
    async with ruled(tmp_path) as opened:
        yield opened


# --- where it goes ----------------------------------------------------------------------------------------------------


async def test_without_rules_mail_goes_to_the_inbox(gk: Ruled) -> None:
    await gk.bring(letter(), "alice")
    assert gk.places() == [("INBOX", "")]


async def test_a_rule_files_and_flags_and_makes_its_mailbox(gk: Ruled) -> None:
    await gk.rule(
        "alice", 'if from is zoe@far.test then file "Friends/Zoe", flag seen, flag $Zoe, stop', "always discard"
    )
    await gk.bring(letter(), "alice")
    assert gk.places() == [("Friends/Zoe", "\\Seen $Zoe")]
    assert "Friends/Zoe" in gk.store.mailboxes.subscribed(gk.account("alice"))
    assert gk.findings() == [
        'rule 1, line 2: address :is "from" "zoe@far.test"',
        'rule 1, line 2: addflag "\\\\Seen"',
        'rule 1, line 2: addflag "$Zoe"',
        'rule 1, line 2: fileinto :create "Friends/Zoe"',
        "rule 1, line 2: stop",
    ]


async def test_a_message_may_go_to_several_mailboxes_and_is_stored_once(gk: Ruled) -> None:
    await gk.script("alice", 'require ["fileinto", "copy"]; fileinto :copy "Archive"; keep;')
    await gk.bring(letter(), "alice")
    assert gk.places() == [("Archive", ""), ("INBOX", "")]
    assert gk.store.reader.execute("SELECT count(*) FROM message").fetchone() == (1,)


async def test_rules_come_first_and_then_the_script(gk: Ruled) -> None:
    await gk.rule("alice", "if subject contains hello then flag first")
    await gk.script("alice", 'require ["fileinto", "imap4flags"]; if hasflag "first" { fileinto "Archive"; }')
    await gk.bring(letter(), "alice")
    assert gk.places() == [("Archive", "first")]


async def test_what_is_discarded_is_taken_and_kept_nowhere(gk: Ruled) -> None:
    await gk.rule("alice", "if subject is hello then discard")
    await gk.bring(letter(), "alice", "bob")
    await gk.bring(letter(body=LARGE), "alice")
    assert gk.places() == []
    assert gk.places("bob") == [("INBOX", "")]
    assert not list((gk.store.data / "spool").iterdir())


async def test_a_special_use_finds_its_mailbox(gk: Ruled) -> None:
    await gk.script("alice", 'require ["fileinto", "special-use"]; fileinto :specialuse "\\\\Archive" "Nowhere";')
    await gk.bring(letter(), "alice")
    assert gk.places() == [("Archive", "")]


async def test_a_tag_leads_into_an_existing_mailbox_of_its_name(gk: Ruled) -> None:
    await gk.store.mailboxes.create(gk.account("alice"), "Lists/GK")
    for tag in ("lists/gk", "unknown", "junk"):
        await gk.bring(letter(), f"alice+{tag}")
    assert gk.places() == [("Lists/GK", ""), ("INBOX", ""), ("INBOX", "")]


async def test_a_tag_means_nothing_where_it_is_not_to(tmp_path: Path) -> None:
    async with ruled(tmp_path, tag_to_folder=False) as gk:
        await gk.store.mailboxes.create(gk.account("alice"), "Lists")
        await gk.bring(letter(), "alice+lists")
        assert gk.places() == [("INBOX", "")]


async def test_the_rules_of_one_user_are_nothing_to_another(gk: Ruled) -> None:
    await gk.rule("alice", 'always file "A"')
    await gk.rule("bob", 'always file "B"')
    await gk.bring(letter(to="team@example.test"), "team")
    assert gk.places() == [("A", "")]
    assert gk.places("bob") == [("B", "")]
    assert gk.findings() == []


async def test_a_large_message_is_filed_from_the_spool(gk: Ruled) -> None:
    await gk.rule("alice", 'if body contains "line 5" then file "Large"')
    await gk.bring(letter(body=LARGE), "alice")
    assert gk.places() == [("Large", "")]


async def test_the_header_may_be_changed_for_one_copy(gk: Ruled) -> None:
    text = 'require ["fileinto", "copy", "editheader"]; fileinto :copy "Archive"; addheader "X-Seen" "yes"; keep;'
    await gk.script("alice", text)
    for body in ("short\r\n", LARGE):
        await gk.bring(letter(body=body), "alice")
    assert all(b"X-Seen" not in each for each in await gk.texts(mailbox="Archive"))
    for kept, body in zip(await gk.texts(), ("short\r\n", LARGE), strict=True):
        assert kept.startswith(b"X-Seen: yes\r\nReturn-Path: <zoe@far.test>\r\n")
        assert kept.endswith(b"\r\n\r\n" + body.encode())


async def test_a_duplicate_is_known_again(gk: Ruled) -> None:
    await gk.script("alice", 'require ["duplicate", "fileinto"]; if duplicate { fileinto "Trash"; }')
    for _ in range(2):
        await gk.bring(letter(), "alice")
    assert gk.places() == [("INBOX", ""), ("Trash", "")]


# --- to others --------------------------------------------------------------------------------------------------------


async def test_a_redirect_leaves_under_a_sender_of_ours(gk: Ruled) -> None:
    await gk.rule("alice", "always forward y@near.test, keep")
    await gk.bring(letter(), "alice")
    ((sender, recipients, content),) = await gk.leaving()
    assert sender.startswith("SRS0=") and sender.endswith("@example.test")
    assert recipients == ["y@near.test"]
    assert content.startswith(b"Delivered-To: alice@example.test\r\nReceived:")
    assert content.endswith(letter())
    assert gk.places() == [("INBOX", "")]


async def test_a_redirect_goes_with_the_header_as_it_was_changed(gk: Ruled) -> None:
    text = 'require ["editheader", "copy"]; addheader "X-A" "1"; deleteheader "Subject"; redirect :copy "y@near.test";'
    await gk.script("alice", text)
    for body in ("short\r\n", LARGE):
        await gk.bring(letter(body=body), "alice")
    for (_, _, content), body in zip(await gk.leaving(), ("short\r\n", LARGE), strict=True):
        head, _, rest = content.partition(b"X-A: 1\r\n")
        assert head.startswith(b"Delivered-To: alice@example.test\r\nReceived:") and head.count(b"Received:") == 1
        assert rest.startswith(b"From: Zoe <zoe@far.test>\r\nTo: ")
        assert b"Subject" not in rest and rest.endswith(body.encode())
    assert {path.name for path in (gk.store.data / "spool").iterdir()} == {
        name for (name,) in gk.store.reader.execute("SELECT spool FROM message WHERE spool IS NOT NULL")
    }


async def test_what_was_made_of_a_message_that_is_not_taken_is_thrown_away(gk: Ruled) -> None:
    await gk.script("alice", 'require ["editheader", "copy"]; addheader "X-A" "1"; redirect :copy "y@near.test";')
    gk.store.outgoing.counted(10**9, 0)
    for send in (gk.bring(letter(body=LARGE), "alice"), gk.send(letter(body=LARGE), "bob", "alice")):
        with pytest.raises(Overloaded):
            await send
    assert not list((gk.store.data / "spool").iterdir())
    assert gk.places() == []


async def test_a_redirect_without_a_copy_leaves_nothing_here(gk: Ruled) -> None:
    await gk.rule("alice", "always forward y@near.test")
    await gk.bring(letter(body=LARGE), "alice")
    assert [recipients for _, recipients, _ in await gk.leaving()] == [["y@near.test"]]
    assert gk.places() == []


async def test_a_redirect_to_a_user_here_is_filed_and_asks_no_rules_of_theirs(gk: Ruled) -> None:
    await gk.rule("alice", "always forward bob@example.test")
    await gk.rule("bob", "always forward alice@example.test")
    await gk.bring(letter(), "alice")
    assert gk.places() == []
    assert gk.places("bob") == [("INBOX", "")]


async def test_a_redirect_to_an_alias_of_ours_goes_where_that_leads(gk: Ruled) -> None:
    await gk.rule("alice", "always forward out@example.test")
    await gk.bring(letter(), "alice")
    assert [recipients for _, recipients, _ in await gk.leaving()] == [["x@far.test"]]


async def test_a_redirect_to_nobody_here_or_to_a_full_account_keeps_the_message(gk: Ruled) -> None:
    await gk.store.accounts.set_quota(gk.account("bob"), 10)
    for target in ("nobody", "bob"):
        await gk.rule("alice", f"always forward {target}@example.test")
        await gk.bring(letter(), "alice")
    assert gk.places() == [("INBOX", "")] * 2
    assert gk.places("bob") == []


async def test_what_was_redirected_and_comes_round_again_is_refused(gk: Ruled) -> None:
    await gk.rule("alice", "always forward y@near.test")
    await gk.bring(letter(), "alice")
    ((_, _, content),) = await gk.leaving()
    with pytest.raises(GkError, match="before"):
        await gk.bring(content, "alice")
    await gk.rule("alice", "always forward y@near.test, keep")
    await gk.bring(content, "alice")
    assert gk.places() == [("INBOX", "")]
    assert len(await gk.leaving()) == 1


async def test_a_rejection_is_said_in_smtp_where_nobody_else_takes_the_message(gk: Ruled) -> None:
    await gk.rule("alice", 'always reject "No, thank\\nyou, Zoé"')
    with pytest.raises(RefusedByVerdict) as refused:
        await gk.bring(letter(), "alice")
    assert refused.value.reply == "550 5.7.1 No, thank you, Zo"
    assert gk.places() == []


async def test_a_rejection_beside_others_is_reported_to_a_sender_who_is_known(gk: Ruled) -> None:
    await gk.rule("alice", 'always reject "No"')
    await gk.bring(letter(), "alice", "bob")
    ((sender, recipients, content),) = await gk.leaving()
    assert (sender, recipients) == ("", [ZOE])
    assert b"Final-Recipient: rfc822; alice@example.test" in content
    assert b"Auto-Submitted: auto-replied" in content
    assert gk.places() == []
    assert gk.places("bob") == [("INBOX", "")]


async def test_nobody_is_told_of_a_rejection_whose_sender_may_be_forged(gk: Ruled) -> None:
    await gk.rule("alice", 'if spf is fail then reject "No"')
    for verdict in (Verdict(results={"spf": ("fail",)}), replace(JUNK, results={"spf": ("fail",)})):
        gk.judge.verdict = verdict
        await gk.bring(letter(), "alice", "bob")
    assert await gk.leaving() == []
    assert gk.places() == [("INBOX", ""), ("Junk", "$Junk")]


# --- junk -------------------------------------------------------------------------------------------------------------


async def test_junk_goes_to_junk_whatever_rules_say_that_do_not_ask_for_the_verdict(gk: Ruled) -> None:
    await gk.rule("alice", 'if subject contains hello then file "Friends", forward y@near.test', "always discard")
    gk.judge.verdict = JUNK
    await gk.bring(letter(), "alice")
    assert gk.places() == [("Junk", "$Junk")]
    assert await gk.leaving() == []


async def test_rules_that_ask_for_the_verdict_decide_about_junk_and_send_nothing(gk: Ruled) -> None:
    gk.judge.verdict = JUNK
    await gk.rule("alice", "if score over 8 then discard")
    await gk.bring(letter(), "alice")
    assert gk.places() == []
    await gk.rule("alice", 'if verdict is junk then file "Later", flag seen')
    await gk.bring(letter(), "alice")
    assert gk.places() == [("Later", "\\Seen $Junk")]
    await gk.rule("alice", "if dmarc is fail then forward y@near.test")
    await gk.bring(letter(), "alice")
    assert gk.places()[1:] == [("Junk", "$Junk")]
    assert await gk.leaving() == []


# --- what goes wrong --------------------------------------------------------------------------------------------------


async def test_a_script_that_fails_files_to_the_inbox_and_tells_the_user_once(gk: Ruled) -> None:
    await gk.script("alice", 'require ["fileinto", "reject"]; fileinto "Archive"; reject "no";')
    for _ in range(3):
        await gk.bring(letter(), "alice")
    assert gk.places() == [("INBOX", "")] * 4
    (notice,) = [text for text in await gk.texts() if b"Auto-Submitted: auto-generated" in text]
    assert notice.startswith(b"Return-Path: <>\r\nFrom: GK <postmaster@example.test>\r\n")
    assert b"script: a rejection cannot stand together with other actions" in notice
    assert gk.findings()[-1] == "script: a rejection cannot stand together with other actions"


async def test_a_mailbox_that_cannot_be_had_leaves_the_message_in_the_inbox(gk: Ruled) -> None:
    await gk.script("alice", 'require "fileinto"; fileinto "Gone";')
    await gk.bring(letter(), "alice")
    await gk.rule("alice", 'always file "a//b", stop')
    await gk.bring(letter(), "alice")
    assert [box for box, _ in gk.places()] == ["INBOX"] * 3
    assert sum(b'the mailbox "Gone" is not there' in text for text in await gk.texts()) == 1


async def test_strangers_cannot_fill_a_mailbox_with_notices(gk: Ruled) -> None:
    text = 'require ["fileinto", "variables"]; if header :matches "subject" "*" { fileinto "${1}"; }'
    await gk.script("alice", text)
    for number in range(20):
        await gk.bring(letter(f"subject {number}"), "alice")
    notices = [text for text in await gk.texts() if b"auto-generated" in text]
    assert len(notices) == 1


async def test_a_stored_script_that_is_no_longer_understood_loses_nothing(gk: Ruled) -> None:
    await gk.script("alice", "explode;")
    await gk.bring(letter(), "alice")
    assert [box for box, _ in gk.places()] == ["INBOX"] * 2
    await gk.store.scripts.set_rules(gk.account("alice"), [{"then": "nonsense"}])
    await gk.bring(letter(), "alice")
    assert [box for box, _ in gk.places()] == ["INBOX"] * 3


async def test_a_fault_of_ours_loses_nothing(gk: Ruled, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(programs.Programs, "run", fails)
    await gk.rule("alice", "always discard")
    await gk.bring(letter(), "alice")
    assert len(gk.places()) == 2


async def test_a_script_that_works_long_runs_in_a_thread_and_others_meanwhile(gk: Ruled) -> None:
    tests = "".join(f'if header :contains "x-many" "q{n}" {{ stop; }}\n' for n in range(40))
    await gk.script("alice", 'require "mailbox"; if mailboxexists "INBOX" { keep; }\n' + tests)
    many = letter().replace(b"\r\n\r\n", b"\r\nX-Many: a" * 200 + b"\r\n\r\n")
    seen = threading.active_count()
    await asyncio.gather(*(gk.bring(many, "alice") for _ in range(5)), gk.bring(letter(), "bob"))
    assert threading.active_count() > seen
    assert gk.places() == [("INBOX", "")] * 5
    assert gk.places("bob") == [("INBOX", "")]


async def test_a_script_that_does_too_much_is_stopped(gk: Ruled) -> None:
    tests = "".join(f'if header :contains "x-many" "q{n}" {{ discard; }}\n' for n in range(300))
    await gk.script("alice", tests + "discard;")
    await gk.bring(letter().replace(b"\r\n\r\n", b"\r\nX-Many: a" * 1000 + b"\r\n\r\n"), "alice")
    assert [box for box, _ in gk.places()] == ["INBOX"] * 2
    assert any(b"the script does too much" in text for text in await gk.texts())


async def test_a_script_that_changed_is_compiled_anew_and_few_are_kept(
    gk: Ruled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "KEPT", 300)
    for name in ("alice", "bob", "alice"):
        for box in ("Archive", "Trash"):
            await gk.script(name, f'require "fileinto"; fileinto "{box}"; # {"x" * 200}')
            await gk.bring(letter(), name)
    assert [box for box, _ in gk.places()] == ["Archive", "Trash"] * 2


async def test_a_thousand_rules_are_asked_and_ten_thousand_not_taken(tmp_path: Path) -> None:
    async with ruled(tmp_path, rules=10_000) as gk:
        with pytest.raises(LimitReached, match="characters together"):
            await gk.rule("alice", *["always flag x"] * 10_000)
        with pytest.raises(LimitReached, match="at most 10000 rules"):
            await gk.rule("alice", *["always stop"] * 10_001)
        await gk.rule("alice", *['if subject is "nothing" then discard'] * 1_000, "always flag last")
        await asyncio.gather(*(gk.bring(letter(), "alice") for _ in range(3)))
        assert gk.places() == [("INBOX", "last")] * 3


# --- among users ------------------------------------------------------------------------------------------------------


async def test_rules_decide_about_mail_of_other_users_too(gk: Ruled) -> None:
    await gk.rule("alice", 'if from contains bob@ then file "Bob"', "if subject contains away then forward y@near.test")
    await gk.send(letter(From="bob@example.test"), "bob", "alice")
    assert gk.findings()[-1] == 'rule 1, line 2: fileinto :create "Bob"'
    await gk.send(letter(From="bob@example.test"), "bob", "alice", "carol")
    await gk.send(letter("far away", From="carol@example.test", body=LARGE), "carol", "alice")
    assert gk.places() == [("Bob", "")] * 2
    assert gk.places("carol") == [("INBOX", "")]
    ((sender, recipients, content),) = await gk.leaving()
    assert sender.startswith("SRS0=")
    assert recipients == ["y@near.test"]
    assert content.startswith(b"Delivered-To: alice@example.test\r\nFrom: carol@")


async def test_a_user_who_refuses_another_is_reported(gk: Ruled) -> None:
    await gk.rule("alice", 'always reject "Leave me alone"')
    await gk.send(letter(From="bob@example.test"), "bob", "alice")
    assert gk.places() == []
    (report,) = await gk.texts("bob")
    assert b"Leave me alone" in report


async def test_a_copy_changed_for_one_user_is_kept_beside_the_others(gk: Ruled) -> None:
    await gk.script("alice", 'require "editheader"; addheader "X-Seen" "yes";')
    await gk.send(letter(From="bob@example.test"), "bob", "alice", "carol")
    assert b"X-Seen: yes\r\n" in (await gk.texts())[0]
    assert b"X-Seen" not in (await gk.texts("carol"))[0]
