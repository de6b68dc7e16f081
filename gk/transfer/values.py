"""What moves: folders, messages, and what had to be left out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

USES = ("\\Drafts", "\\Sent", "\\Junk", "\\Trash", "\\Archive")
LISTED = 1000  # of each kind are kept to be shown
ALL = "\\All"  # everything once more (RFC 6154 §2): only what stands in no other folder is taken from it


@dataclass(frozen=True, slots=True)
class Folder:
    """One mailbox of a source: its name as levels, as the source has them."""

    levels: tuple[str, ...]
    use: str | None = None  # one of USES, or ALL
    subscribed: bool | None = None  # None: the source does not know
    messages: int = 0  # an estimate, for the progress bar
    size: int = 0  # bytes, the same
    place: str = ""  # where the source finds it

    @property
    def name(self) -> str:
        return "/".join(self.levels)


@dataclass(frozen=True, slots=True)
class Message:
    """One message: CRLF bytes, flags as IMAP words, internal date (epoch; None: not known) and its zone (minutes)."""

    content: bytes
    flags: frozenset[str] = frozenset()
    date: int | None = None
    where: str = ""  # for a person: its file, or its place in one
    folder: Folder | None = None  # the message says itself where it belongs
    weight: int = 0  # bytes of the source that are done with it
    zone: int = 0


@dataclass(frozen=True, slots=True)
class Missed:
    """Something that stays out, and why. `fault` is false where that is as it should be."""

    where: str
    why: str
    fault: bool = True


@dataclass(frozen=True, slots=True)
class Skipped:
    """A message that the other side has already, known without its bytes."""


Item = Message | Missed | Skipped
Known = Callable[[str, int], bool]  # (identity, size): is it on the other side already?


class Source(Protocol):
    """Where mail comes from."""

    notes: list[str]
    """What a person should know about how it was read."""

    def folders(self) -> Sequence[Folder]:
        """All folders, superior ones first."""

    def messages(self, folder: Folder, known: Known) -> Iterator[Item]:
        """Everything in a folder, oldest first."""

    def close(self) -> None:
        """Let go of connections and files."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """A mailbox of the account that is exported, as the action mailbox_list tells of it."""

    name: str
    id: int
    special_use: str | None
    subscribed: bool
    uidvalidity: int
    uidnext: int
    modseq: int
    messages: int
    size: int


@dataclass(frozen=True, slots=True)
class Row:
    """A message of it, as mail_index tells of it."""

    uid: int
    id: int
    size: int
    crc: int
    date: int
    zone: int
    flags: frozenset[str]
    identity: str


class Target(Protocol):
    """Where mail goes to."""

    notes: list[str]

    def begin(self, address: str, mailboxes: Sequence[Leaving]) -> None:
        """Make sure that the mail of this account can go there. Raises Refused."""

    def open(self, mailbox: Leaving) -> bool:
        """Begin a mailbox; false when all of it is there."""

    def has(self, row: Row) -> bool:
        """Whether the message is there already."""

    def put(self, messages: Sequence[tuple[Row, bytes]]) -> dict[int, str]:
        """Write some messages; why those of these uids could not be, "" for what turned out to be there already.

        They are safe once the mailbox is finished.
        """

    def finish(self) -> None:
        """Complete the mailbox."""

    def close(self) -> None:
        """Let go; an unfinished mailbox is left as it can be gone on with."""


@dataclass(slots=True)
class Done:
    """What became of a folder."""

    source: str
    target: str
    messages: int = 0
    bytes: int = 0
    duplicates: int = 0
    left_out: int = 0


@dataclass(slots=True)
class Summary:
    """What became of it all."""

    folders: list[Done] = field(default_factory=list)
    left_out: list[Missed] = field(default_factory=list)  # the first LISTED of them
    missed: int = 0
    notes: list[str] = field(default_factory=list)

    def miss(self, missed: Missed) -> None:
        self.missed += 1
        if len(self.left_out) < LISTED:
            self.left_out.append(missed)

    def note(self, text: str) -> None:
        if text not in self.notes and len(self.notes) < LISTED:
            self.notes.append(text)
