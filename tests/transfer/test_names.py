"""Names, uses, flags and what is the same: the small decisions."""

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.store.names import canonical
from gk.transfer import gmail, words
from gk.transfer.lines import arrived, crlf, has_identity, identity, key_of
from gk.transfer.naming import clean, guessed
from gk.transfer.plan import Plan
from gk.transfer.seen import LATELY, Keys
from gk.transfer.values import Folder, Leaving
from tests.transfer.fuzzing import examples


@examples
@given(st.lists(st.text(st.characters()), max_size=30))
def test_every_folder_gets_a_name_a_mailbox_can_have(levels: list[str]) -> None:
    name = clean(levels)
    assert canonical(name) == name


def test_a_good_name_stays_as_it_is() -> None:
    for name in ("INBOX", "Projets/Été", "INBOX/below", "a.b", "日本"):
        assert clean(name.split("/")) == name


def test_bad_names_become_good_ones() -> None:
    assert clean(["a/b", "..", "", "x\ny"]) == "a_b/__/_/x_y"
    assert clean(["inbox"]) == "INBOX"
    assert len(clean(["é" * 300]).encode()) <= 255 and clean(["é" * 300]) != clean(["é" * 301])


def test_the_names_of_other_programs_tell_the_use() -> None:
    folders = [Folder((name,)) for name in ("Envoyés", "Sent Items", "Papierkorb", "Spam", "Brouillons", "Projects")]
    assert {f.name: use for f, use in guessed(folders).items()} == {
        "Sent Items": "\\Sent", "Papierkorb": "\\Trash", "Spam": "\\Junk", "Brouillons": "\\Drafts",
    }  # fmt: skip
    assert guessed([Folder(("Sent",)), Folder(("Gone",), "\\Sent")]) == {}
    assert guessed([Folder(("Work", "Sent"))]) == {}


def account() -> list[Leaving]:
    names = [("INBOX", None), ("Sent", "\\Sent"), ("Bin", "\\Trash"), ("Archive", "\\Archive")]
    return [Leaving(name, n, use, True, 1, 1, 1, 0, 0) for n, (name, use) in enumerate(names)]


def test_a_folder_becomes_the_mailbox_of_its_use_then_of_its_name() -> None:
    folders = [
        Folder(("INBOX",)), Folder(("Gesendet",), "\\Sent"), Folder(("Archives",)), Folder(("Archives", "2020")),
        Folder(("Trash",)), Folder(("Spam",)), Folder(("A/B",)),
    ]  # fmt: skip
    notes: list[str] = []
    plan = Plan(folders, account(), "", notes)
    assert [plan.target(folder) for folder in folders] == [
        "INBOX", "Sent", "Archive", "Archive/2020", "Bin", "Spam", "A_B",
    ]  # fmt: skip
    assert plan.make == {"Spam": "\\Junk"}
    assert "'A/B' is called 'A_B' here" in notes


def test_into_a_folder_everything_goes_below_it_by_name() -> None:
    folders = [Folder(("INBOX",)), Folder(("Sent",), "\\Sent"), Folder(("A", "B"))]
    plan = Plan(folders, account(), "Old", [])
    assert [plan.target(folder) for folder in folders] == ["Old", "Old/Sent", "Old/A/B"]
    assert Plan(folders[1:2], account(), "Old", []).target(folders[1]) == "Old"


@examples
@given(st.frozensets(st.text(max_size=8)))
def test_flags_are_those_a_mailbox_can_keep(given_words: frozenset[str]) -> None:
    for word in words.accepted(given_words):
        assert word in words.SYSTEM.values() or words.is_keyword(word)
    for text in given_words:
        assert not words.as_keyword(text) or words.is_keyword(words.as_keyword(text))


def test_maildir_letters_are_flags_and_back() -> None:
    flags = words.of_maildir("DFPRSTab", {0: "work", 1: "$Label1"})
    assert flags == {*words.SYSTEM.values(), "$Forwarded", "work", "$Label1"}
    assert words.to_maildir(flags, {"work": 0, "$Label1": 1, "$Forwarded": 2}) == "DFRSTabc"


@pytest.mark.parametrize(
    ("labels", "folder", "use", "flags"),
    [
        (b"Inbox,Unread,Important", "INBOX", None, {"$Important"}),
        (b"Sent,Opened,Starred", "Sent", "\\Sent", {"\\Seen", "\\Flagged"}),
        (b"Archived,Work/Client A,Bills", "Work/Client A", None, {"\\Seen", "Bills"}),
        (b"Archived", "Archive", "\\Archive", {"\\Seen"}),
        (b"Trash,Inbox", "Trash", "\\Trash", {"\\Seen"}),
        (b"=?UTF-8?Q?Bo=C3=AEte_de_r=C3=A9ception,Non_lus?=", "INBOX", None, set()),
        (b"=?UTF-8?Q?=C3=89t=C3=A9_2026?=", "Été 2026", None, {"\\Seen"}),
    ],
)
def test_labels_of_gmail_are_places_and_flags(labels: bytes, folder: str, use: str | None, flags: set[str]) -> None:
    placed, found = gmail.placed(labels, frozenset())
    assert (placed.name, placed.use, found) == (folder, use, flags)


def test_line_ends_become_crlf_and_nothing_else_changes() -> None:
    assert crlf(b"a\nb\r\nc\r\0\n") == b"a\r\nb\r\nc\r\0\r\n"[:8] + b"\0\r\n"
    assert crlf(b"a\r\n") == b"a\r\n"


def test_what_is_the_same_is_told_by_message_id_size_and_bytes() -> None:
    one = b"Subject: x\r\nMessage-ID: <a@b>\r\n\r\nbody\r\n"
    assert identity(one) == identity(b"Message-Id: <a@b>\r\n\r\n")
    assert key_of(one) != key_of(one.replace(b"body", b"bode")) != key_of(one + b"more\r\n")
    assert identity(b"Subject: x\r\n\r\na") == identity(b"Subject: x\r\n\r\nb") != identity(b"Subject: y\r\n\r\na")
    assert has_identity(one) and not has_identity(b"Subject: x\r\n\r\nMessage-ID: <a@b>\r\n")


def test_a_message_says_itself_when_it_came() -> None:
    received = b"Received: from a\r\n by b; Thu, 29 Feb 2024 12:00:00 +0100\r\n"
    assert arrived(received + b"Date: Thu, 1 Jan 1970 00:00:01 +0000\r\n\r\n") == 1709204400
    assert arrived(b"Date: Thu, 1 Jan 1970 00:00:01 +0000\r\n\r\n") == 1
    assert arrived(b"Subject: x\r\n\r\nDate: Thu, 1 Jan 1970 00:00:01 +0000\r\n") is None


def test_a_million_keys_take_little_memory() -> None:
    chance = random.Random(1)
    tracemalloc.start()
    keys = Keys()
    first = chance.getrandbits(64)
    keys.add(first)
    for _ in range(3 * LATELY):
        keys.add(chance.getrandbits(64))
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(keys) == 3 * LATELY + 1 and first in keys and 5 not in keys
    assert size < 8 * len(keys) + (8 << 20)
