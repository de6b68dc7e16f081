"""One user never sees, names, counts or searches another's mail, by no command."""

import re
from collections.abc import AsyncIterator

import pytest

from tests.attacks.conftest import Target
from tests.attacks.wire import Imap, imap, smtp
from tests.imap.client import message

SECRET, WORD = "Canary box", "canary-4711"
WAYS_IN = [
    SECRET, "INBOX/Canary box", "alice/Canary box", "alice/INBOX", "alice@example.test", "alice@example.test/INBOX",
    "user/alice", "user/alice/Canary box", "user.alice.INBOX", "Other Users/alice/INBOX", "Shared/alice",
    "#user/alice/INBOX",
    "~alice/INBOX", "~alice", "../alice/INBOX", "../1/INBOX", "1/INBOX", "/alice/INBOX", "INBOX/../alice", "-1/INBOX",
    "{id}", "M{id}", "G{id}", "%", "*", "Canary*",
]  # fmt: skip
COMMANDS = [
    "SELECT {box}", "EXAMINE {box}", "STATUS {box} (MESSAGES UNSEEN SIZE UIDNEXT UIDVALIDITY HIGHESTMODSEQ MAILBOXID)",
    "DELETE {box}", "RENAME {box} Stolen", "COPY 1 {box}", "MOVE 1 {box}", "UID COPY 1:* {box}", "UID MOVE 1:* {box}",
    "APPEND {box} {{5+}}\r\nhello",
]  # fmt: skip
UNKNOWN = [
    "GETQUOTAROOT {box}",
    "GETQUOTA alice",
    "GETACL {box}",
    "MYRIGHTS {box}",
    "SETACL {box} bob lrs",
    "GETMETADATA {box} /x",
]


@pytest.fixture
async def alice(target: Target) -> AsyncIterator[Imap]:
    """Alice, who has a secret."""
    async with imap(target.server, "alice") as client:
        await client.ok(f'CREATE "{SECRET}"')
        await client.ok(f'SUBSCRIBE "{SECRET}"')
        await client.append(message(WORD), f'"{SECRET}"')
        await client.ok(f'SELECT "{SECRET}"')
        await client.ok("STORE 1 +FLAGS ($canary)")
        yield client
        await client.ok("CLOSE")
        await client.ok(f'UNSUBSCRIBE "{SECRET}"')
        await client.ok(f'DELETE "{SECRET}"')


async def identities(client: Imap) -> dict[str, str]:
    """The ids of the secret mailbox and message."""
    told = b"".join(
        await client.ok(f'STATUS "{SECRET}" (MAILBOXID)') + await client.ok("FETCH 1 (EMAILID THREADID)")
    ).decode()
    found = {kind: re.findall(rf"\b({kind}\d+)\b", told)[-1] for kind in "MGT"}
    return found | {"id": found["M"][1:]}


def text(answers: list[bytes]) -> bytes:
    """The tagged answer without its tag."""
    return answers[-1].partition(b" ")[2]


async def test_no_command_reaches_the_mailbox_of_another(target: Target, alice: Imap) -> None:
    ids = await identities(alice)
    for way in WAYS_IN:
        name = way.replace("{id}", ids["id"])
        could_be = not any(mark in name for mark in ("*", "%", "..")) and not name.startswith("/")
        async with imap(target.server, "bob", "INBOX") as bob:
            for command in COMMANDS:
                answers = await bob.command(command.format(box=f'"{name}"'))
                nothing = await bob.command(command.format(box='"No such box"'))
                assert text(answers).startswith((b"NO", b"BAD")), (command, name, answers)
                assert text(answers) == text(nothing) or not could_be, (command, name)
                told = [line for line in answers[:-1] if b"[CLOSED]" not in line and b"EXISTS" not in line]
                assert not [line for line in told if b"RECENT" not in line], (command, name, told)
                await bob.ok("SELECT INBOX")
    assert b"* 1 EXISTS" in b"".join(await alice.ok(f'SELECT "{SECRET}"'))


@pytest.mark.parametrize("command", UNKNOWN)
async def test_commands_of_shared_mail_do_nothing_for_a_stranger(target: Target, command: str) -> None:
    async with imap(target.server, "bob") as bob:
        there = await bob.say(command.format(box=f'"{SECRET}"'))
        nowhere = await bob.say(command.format(box='"No such box"'))
        assert there.startswith(("BAD", "NO")) and there == nowhere


async def test_no_list_and_no_search_tells_of_another(target: Target, alice: Imap) -> None:
    ids = await identities(alice)
    asked = [
        f"{verb} {reference} {pattern}"
        for verb in ("LIST", "LSUB")
        for reference in ('""', '"/"', '"alice/"', '"../"', '"#user/"', '"~alice/"')
        for pattern in ("*", "%", "Canary*", "*anary*", '"../*"', '"%/%"')
    ]
    asked += ['LIST (SUBSCRIBED RECURSIVEMATCH) "" (*) RETURN (SUBSCRIBED CHILDREN STATUS (MESSAGES MAILBOXID))']
    asked += ["NAMESPACE", "UID FETCH 1:4294967295 (BODY.PEEK[HEADER])", "FETCH 1:* (ENVELOPE FLAGS EMAILID THREADID)"]
    asked += [f"SEARCH TEXT {WORD}", f"SEARCH SUBJECT {WORD}", f"SEARCH HEADER Message-ID {WORD}"]
    asked += ["SEARCH KEYWORD $canary", f"SEARCH EMAILID {ids['G']}", f"SEARCH THREADID {ids['T']}"]
    async with imap(target.server, "bob", "INBOX") as bob:
        await bob.append(message("mine"))
        for command in asked:
            told = await bob.ok(command)
            assert b"anary" not in b"".join(told), command
            assert not re.search(rb"\((?:%b|%b)\)" % (ids["M"].encode(), ids["T"].encode()), b"".join(told)), command
            if command.startswith("SEARCH"):
                assert b"* SEARCH\r\n" in told, command


async def test_a_reply_to_the_mail_of_another_is_in_no_thread_with_it(target: Target, alice: Imap) -> None:
    ids = await identities(alice)
    reply = (
        b"From: eve@example.org\r\nSubject: Re: "
        + WORD.encode()
        + b"\r\nReferences: <"
        + WORD.encode()
        + b"@example.org>\r\n\r\nx\r\n"
    )
    async with imap(target.server, "bob", "INBOX") as bob, smtp(target.server) as client:
        await client.envelope("bob@example.test")
        assert (await client.data(reply + b".\r\n")).startswith("250")
        (thread,) = re.findall(rb"THREADID \((T\d+)\)", b"".join(await bob.ok("FETCH * (THREADID)")))
        assert thread.decode() != ids["T"]
        await bob.ok("STORE * +FLAGS.SILENT (\\Deleted)")
        await bob.ok("CLOSE")


async def test_the_mailbox_of_a_deleted_name_is_nobodys(target: Target, alice: Imap) -> None:
    async with imap(target.server, "bob") as bob:
        assert (await bob.say(f'CREATE "{SECRET}"')).startswith("OK")  # one's own, empty
        assert b"* 0 EXISTS" in b"".join(await bob.ok(f'SELECT "{SECRET}"'))
        await bob.ok("CLOSE")
        await bob.ok(f'DELETE "{SECRET}"')
    assert b"* 1 EXISTS" in b"".join(await alice.ok(f'SELECT "{SECRET}"'))
