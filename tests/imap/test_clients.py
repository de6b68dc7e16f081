"""Python's own IMAP clients, from end to end."""

import datetime
import imaplib

import imapclient

from tests.imap.client import message
from tests.imap.conftest import ALICE, PASSWORD, House


def test_imaplib_reads_and_writes(threaded: House) -> None:
    with imaplib.IMAP4(threaded.host, threaded.port) as m:
        m.login(ALICE, PASSWORD)
        assert "IDLE" in m.capabilities or m.capability()[0] == "OK"
        assert m.select()[1] == [b"0"]
        for word in ("one", "two", "three"):
            assert m.append("INBOX", r"(\Flagged)", imaplib.Time2Internaldate(1_700_000_000), message(word))[0] == "OK"
        assert m.noop()[0] == "OK"
        assert m.search(None, "FLAGGED", "SUBJECT", "two")[1] == [b"2"]
        typ, data = m.fetch("2", "(UID FLAGS BODY.PEEK[])")
        assert typ == "OK" and data[0][1] == message("two")
        assert m.store("1", "+FLAGS", r"(\Deleted)")[0] == "OK"
        assert m.expunge()[1] == [b"1"]
        assert m.create("Plans")[0] == "OK"
        assert m.copy("1:2", "Plans")[0] == "OK"
        assert m.status("Plans", "(MESSAGES)")[1] == [b"Plans (MESSAGES 2)"]
        assert m.rename("Plans", "Old/Plans")[0] == "OK"
        assert (b'(\\HasNoChildren) "/" Old/Plans') in m.list('""', "*")[1]
        assert m.uid("SEARCH", "ALL")[1] == [b"2 3"]
        assert m.close()[0] == "OK"
        assert m.delete("Old/Plans")[0] == "OK"


def test_imaplib_authenticates(threaded: House) -> None:
    with imaplib.IMAP4(threaded.host, threaded.port) as m:
        m.authenticate("PLAIN", lambda _: f"\0{ALICE}\0{PASSWORD}".encode())
        assert m.select(readonly=True)[0] == "OK"


def test_imapclient_reads_and_writes(threaded: House) -> None:
    with imapclient.IMAPClient(threaded.host, threaded.port, ssl=False) as c:
        c.login(ALICE, PASSWORD)
        assert c.has_capability("UIDPLUS") and c.has_capability("MOVE")
        assert c.namespace().personal == ((("", "/"),))
        assert b"GK" in c.id_({"name": "test"})[0]
        assert c.find_special_folder(b"\\Sent") == "Sent"
        c.create_folder("Été & co")
        assert "Été & co" in [name for _, _, name in c.list_folders()]
        c.subscribe_folder("Été & co")
        when = datetime.datetime(2026, 2, 1, 12, 0, tzinfo=datetime.UTC)
        for n in range(5):
            c.append("Été & co", message(f"m{n}"), flags=["\\Seen", "$Work"], msg_time=when)
        chosen = c.select_folder("Été & co")
        assert chosen[b"EXISTS"] == 5 and chosen[b"UIDNEXT"] == 6 and b"$Work" in chosen[b"FLAGS"]
        fetched = c.fetch([1, 2], ["ENVELOPE", "INTERNALDATE", "RFC822.SIZE", "BODYSTRUCTURE", "FLAGS"])
        assert fetched[1][b"ENVELOPE"].subject == b"m0"
        assert fetched[2][b"RFC822.SIZE"] == len(message("m1"))
        assert fetched[1][b"BODYSTRUCTURE"][:2] == (b"text", b"plain")
        assert set(fetched[1][b"FLAGS"]) >= {b"\\Seen", b"$Work"}
        assert c.search(["SUBJECT", "m3"]) == [4]
        assert c.search(["BODY", "été"], charset="UTF-8") == []
        assert c.add_flags([1], ["\\Flagged"])[1]
        assert c.remove_flags([1], ["\\Seen"])[1]
        c.move([5], "Trash")
        c.delete_messages([4])
        c.uid_expunge([4])
        assert c.search() == [1, 2, 3]
        c.idle()
        assert c.idle_done()[0] == b"no longer idling"
        assert c.folder_status("Trash", ["MESSAGES", "UNSEEN"]) == {b"MESSAGES": 1, b"UNSEEN": 0}
        c.unselect_folder()
        c.rename_folder("Été & co", "Hiver")
        c.delete_folder("Hiver")


def test_imapclient_uses_condstore(threaded: House) -> None:
    with imapclient.IMAPClient(threaded.host, threaded.port, ssl=False) as c:
        c.login(ALICE, PASSWORD)
        c.enable("CONDSTORE")
        c.append("INBOX", message("one"))
        c.append("INBOX", message("two"))
        modseq = c.select_folder("INBOX")[b"HIGHESTMODSEQ"]
        c.set_flags([2], ["\\Seen"])
        assert list(c.fetch([1, 2], ["FLAGS"], modifiers=[f"CHANGEDSINCE {modseq}"])) == [2]
