"""Whatever a client says, it is answered: with OK, NO or BAD, never with a bug, and the session goes on."""

import os
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gk.imap import fetch_items, notify, search_options, sorting
from gk.imap.commands.status import status_items
from gk.imap.grammar import BadSyntax, Cursor
from gk.imap.metadata import entry
from tests.imap.client import Client, message
from tests.imap.conftest import house

EXAMPLES = 10_000 if os.environ.get("GK_FUZZ") else 300
COMMANDS = 10_000 if os.environ.get("GK_FUZZ") else 1500

WORDS = [
    b"(", b")", b" ", b" ", b" ", b"((", b"))", b'"', b"\\", b"*", b"%", b"~", b"+", b"=", b",", b":", b"-", b"<", b">",
    b"[", b"]", b"NIL", b"1", b"1:*", b"1:2", b"2,1", b"$", b"0", b"-1:-5", b"4294967295", b"99999999999999999999",
    b"INBOX", b"Archive", b'""', b'"a b"', b"a/b/", b"&AOk-", b"&-", b"&", b"\xff", b"\xc3\xa9", b"\x00", b"\x7f",
    b"{3+}\r\nabc", b"~{2+}\r\n\x00a",
    b"FLAGS", b"FLAGS.SILENT", b"\\Seen", b"\\Recent", b"$Work", b"UID", b"ALL", b"FULL", b"ENVELOPE", b"MODSEQ",
    b"BODY[", b"BODY.PEEK[", b"BINARY[", b"BINARY.SIZE[", b"1.2", b"TEXT", b"MIME", b"HEADER.FIELDS (To)", b"<0.5>",
    b"PREVIEW", b"PREVIEW (LAZY)", b"SAVEDATE", b"EMAILID", b"(PARTIAL 1:5)", b"(CHANGEDSINCE 1 VANISHED)", b"VANISHED",
    b"(UNCHANGEDSINCE 1)", b"(CONDSTORE)", b"(QRESYNC (1 1))", b"(QRESYNC (1 1 1:5 (1 1)))", b"QRESYNC", b"PARTIAL",
    b"RETURN", b"RETURN (MIN MAX ALL COUNT)", b"RETURN (SAVE)", b"RETURN (PARTIAL -1:-3)", b"RETURN (STATUS (SIZE))",
    b"(SUBSCRIBED RECURSIVEMATCH)", b"SPECIAL-USE", b"CHILDREN", b"(USE (\\Sent))", b"STATUS", b"MESSAGES", b"SIZE",
    b"CHARSET UTF-8", b"UTF-8", b"US-ASCII", b"OR", b"NOT", b"FUZZY", b"SUBJECT", b"FROM", b"HEADER", b"BODY", b"OLDER",
    b"SINCE 1-Feb-2026", b"LARGER", b"SAVEDBEFORE 1-Feb-2026", b"EMAILID G1", b"KEYWORD", b'"/flags/\\\\seen" all',
    b"(REVERSE ARRIVAL)", b"(SUBJECT DISPLAYFROM)", b"REFERENCES", b"ORDEREDSUBJECT", b"DATE",
    b"SET", b"NONE", b"SELECTED", b"SELECTED-DELAYED", b"PERSONAL", b"SUBTREE", b"MAILBOXES", b"INBOXES", b"MessageNew",
    b"MessageExpunge", b"FlagChange", b"MailboxName", b"(MessageNew (UID) MessageExpunge)", b"AnnotationChange",
    b"/private/comment", b"/shared/vendor/x", b"/shared/comment", b"(DEPTH infinity)", b"(MAXSIZE 5)", b"STORAGE",
    b"CONDSTORE", b"IMAP4rev2", b"UTF8=ACCEPT", b" 1-Feb-2026 00:00:00 +0000",
]  # fmt: skip
NAMES = [
    b"FETCH", b"UID FETCH", b"STORE", b"UID STORE", b"COPY", b"UID COPY", b"MOVE", b"UID MOVE", b"SEARCH",
    b"UID SEARCH", b"SORT", b"UID SORT", b"THREAD", b"UID THREAD", b"SELECT", b"EXAMINE", b"LIST", b"LSUB", b"STATUS",
    b"CREATE", b"DELETE", b"RENAME", b"SUBSCRIBE", b"UNSUBSCRIBE", b"GETMETADATA", b"SETMETADATA", b"GETQUOTA",
    b"GETQUOTAROOT", b"NOTIFY", b"NOTIFY SET", b"ENABLE", b"ID", b"EXPUNGE", b"UID EXPUNGE", b"CLOSE", b"UNSELECT",
    b"NAMESPACE", b"NOOP", b"CHECK", b"CAPABILITY", b"UID", b"X", b"LOGIN", b"AUTHENTICATE", b"STARTTLS",
]  # fmt: skip

VALID = [
    b"FETCH 1 (UID FLAGS BODY.PEEK[1.HEADER.FIELDS (To)]<0.5> BINARY[1] PREVIEW (LAZY))",
    b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED PARTIAL -1:-5)", b"FETCH 1 BINARY.SIZE[1]",
    b"STORE 1 (UNCHANGEDSINCE 1) +FLAGS.SILENT (\\Seen $Work)", b"UID STORE 1:* -FLAGS $Work", b"COPY 1 Archive",
    b"UID MOVE 1:5 INBOX", b"SELECT INBOX (QRESYNC (1 1 1:5 (1 1)) CONDSTORE)", b"EXAMINE INBOX (CONDSTORE)",
    b'LIST (SUBSCRIBED RECURSIVEMATCH) "" (% INBOX "a/*") RETURN (CHILDREN SPECIAL-USE STATUS (MESSAGES SIZE))',
    b'LIST "" * RETURN (SUBSCRIBED)', b"STATUS INBOX (MESSAGES UIDNEXT SIZE DELETED HIGHESTMODSEQ MAILBOXID)",
    b"UID SEARCH RETURN (MIN PARTIAL 1:5) CHARSET UTF-8 OR (FROM ann SUBJECT x) NOT HEADER To {3+}\r\nabc",
    b"SEARCH RETURN (SAVE) FUZZY BODY one UNSEEN 1:*", b'SEARCH MODSEQ "/flags/\\\\seen" all 1', b"FETCH $ UID",
    b"SORT (REVERSE ARRIVAL DISPLAYFROM) UTF-8 LARGER 1", b"UID SORT RETURN (COUNT ALL) (SUBJECT) US-ASCII ALL",
    b"THREAD REFERENCES UTF-8 ALL", b"UID THREAD ORDEREDSUBJECT US-ASCII SEEN", b"CREATE Box (USE (\\Junk))",
    b"RENAME Box Case", b"DELETE Case", b"GETMETADATA (MAXSIZE 5 DEPTH infinity) INBOX (/private/comment)",
    b'SETMETADATA INBOX (/private/comment "x" /private/vendor/x NIL)', b"GETQUOTAROOT INBOX", b'GETQUOTA ""',
    b"NOTIFY SET STATUS (SELECTED (MessageNew (UID FLAGS) MessageExpunge FlagChange)) (SUBTREE (a b) (MailboxName))",
    b"NOTIFY NONE", b'ID ("name" "x" "version" NIL)', b"ENABLE CONDSTORE", b"UID EXPUNGE 1:*",
]  # fmt: skip


def mutated(line: bytes, dice: random.Random) -> bytes:
    """The same with a piece or two left out, doubled or exchanged."""
    pieces = re.findall(rb"[A-Za-z0-9]+|\{3\+\}\r\nabc|.", line, re.DOTALL)
    for _ in range(dice.choice([0, 1, 1, 2, 4])):
        at = dice.randrange(len(pieces))
        pieces[at : at + dice.choice([0, 1, 1, 3])] = dice.choice([[], [dice.choice(WORDS)], pieces[at : at + 2]])
        pieces = pieces or [b"X"]
    return b"".join(pieces)


LITERAL = re.compile(rb"\{3\+\}\r\nabc|\{2\+\}\r\n\x00a")
inputs = st.lists(st.sampled_from(WORDS), max_size=20).map(b"".join) | st.binary(max_size=60)
READERS = [
    fetch_items.parse, fetch_items.parse_list, notify.parse, search_options.parse, search_options.page, sorting.parse,
    status_items, entry,
]  # fmt: skip


@settings(max_examples=EXAMPLES)
@given(inputs)
def test_any_arguments_give_a_value_or_bad_syntax(data: bytes) -> None:
    for read in READERS:
        for cursor in (Cursor(data), Cursor(data, utf8=True)):
            try:
                read(cursor)
            except BadSyntax as error:  # BadEvent and BadMailboxName among it
                assert str(error).isprintable()


@pytest.mark.timeout(60 + COMMANDS / 50)
@pytest.mark.parametrize("enabled", ["", "QRESYNC", "IMAP4rev2"])
async def test_any_line_is_answered_and_the_session_goes_on(enabled: str, tmp_path: Path) -> None:
    chance = os.environ.get("GK_STRESS_CHANCE") or str(random.randrange(1 << 30))
    dice = random.Random(chance)
    async with house(tmp_path / "data", bad_commands=1 << 30) as imap:
        client = await Client.login(imap.port)
        if enabled:
            await client.ok(f"ENABLE {enabled}")
        for _ in range(COMMANDS):
            if dice.random() < 0.1:
                await client.append(message("one"))
                await client.ok("SELECT INBOX")
            if dice.random() < 0.6:
                line = mutated(dice.choice(VALID), dice)
            else:
                line = dice.choice(NAMES)
                for _ in range(dice.choice([0, 1, 2, 3, 4, 6, 10])):
                    line += dice.choice([b" ", b" ", b" ", b""]) + dice.choice(WORDS)
            if b"{" in (rest := LITERAL.sub(b"", line)) or b"\r" in rest or b"\n" in rest:
                continue  # another literal than it says
            answer = (await client.command(line))[-1]
            status = answer.split(b" ", 2)[1:2]
            assert status in ([b"OK"], [b"NO"], [b"BAD"]), f"GK_STRESS_CHANCE={chance}: {line!r}: {answer!r}"
            assert b"SERVERBUG" not in answer, f"GK_STRESS_CHANCE={chance}: {line!r}"
