"""What becomes of the folders of a source: uses, everything-folders, and what a source knows before it reads."""

import sqlite3
from collections.abc import Iterator, Sequence

from gk.cli.several import actions
from gk.config import load
from gk.transfer.lines import identity
from gk.transfer.moving_in import MovingIn
from gk.transfer.values import ALL, Folder, Item, Known, Message, Missed, Skipped, Summary
from tests.site import ALICE, Site


class Shelf:
    """A source in memory; it asks before it hands a message out, as IMAP does."""

    def __init__(self, **folders: list[bytes]) -> None:
        self._folders = folders
        self.notes: list[str] = []
        self.asked: list[tuple[str, bool]] = []

    def folders(self) -> Sequence[Folder]:
        return [
            Folder((name,), ALL if name == "Everything" else None, messages=len(m)) for name, m in self._folders.items()
        ]

    def messages(self, folder: Folder, known: Known) -> Iterator[Item]:
        for content in self._folders[folder.name]:
            there = known(identity(content), len(content))
            self.asked.append((folder.name, there))
            yield Skipped() if there else Message(content, date=7)

    def close(self) -> None:
        """Nothing is open."""


def mail(number: int) -> bytes:
    return f"Message-ID: <{number}@x>\r\n\r\nbody {number}\r\n".encode()


def moved(site: Site, source: Shelf) -> Summary:
    shown: list[tuple[int, int]] = []
    with actions(load(site.path)) as act:
        summary = MovingIn(act, ALICE, source, progress=lambda done, total, label: shown.append((done, total))).run()
    assert shown == sorted(shown) and all(done <= total for done, total in shown)
    return summary


def counts(site: Site) -> dict[str, int]:
    db = sqlite3.connect(site.data / "gk.db")
    found = dict(db.execute("SELECT name, messages FROM mailbox WHERE messages"))
    db.close()
    return found


def test_a_folder_of_everything_gives_what_stands_nowhere_else(site: Site) -> None:
    source = Shelf(Everything=[mail(n) for n in range(6)], INBOX=[mail(0), mail(1)], Work=[mail(1), mail(2)])
    summary = moved(site, source)
    assert counts(site) == {"INBOX": 2, "Work": 2, "Archive": 3}
    assert [(f.source, f.messages, f.duplicates) for f in summary.folders] == [
        ("INBOX", 2, 0), ("Work", 2, 0), ("Everything", 3, 3),
    ]  # fmt: skip


def test_what_is_known_is_not_read_again(site: Site) -> None:
    moved(site, Shelf(INBOX=[mail(1), mail(2)]))
    again = Shelf(INBOX=[mail(1), mail(2), mail(3)])
    summary = moved(site, again)
    assert again.asked == [("INBOX", True), ("INBOX", True), ("INBOX", False)]
    assert [(f.messages, f.duplicates) for f in summary.folders] == [(1, 2)]


def test_the_same_message_twice_in_a_folder_is_kept_once(site: Site) -> None:
    moved(site, Shelf(INBOX=[mail(1), mail(1)], Work=[mail(1)]))
    assert counts(site) == {"INBOX": 1, "Work": 1}


def test_thousands_of_faults_are_counted_and_the_first_are_kept() -> None:
    summary = Summary()
    for number in range(5000):
        summary.miss(Missed(str(number), "broken"))
        summary.note(str(number))
    assert summary.missed == 5000 and len(summary.left_out) == 1000 == len(summary.notes)
