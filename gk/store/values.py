"""The values that cross the store's door."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gk.message.parsed import Parsed
    from gk.store.spool import SpoolFile

SEEN, ANSWERED, FLAGGED, DELETED, DRAFT = 1, 2, 4, 8, 16
SYSTEM = 0xFF  # the low byte of a stored flags value; above it stands the id of a keyword set
KEYWORDS = 8  # bits to shift by

INBOX = "INBOX"
DELIMITER = "/"
SPECIAL = (
    ("Drafts", "\\Drafts"),
    ("Sent", "\\Sent"),
    ("Junk", "\\Junk"),
    ("Trash", "\\Trash"),
    ("Archive", "\\Archive"),
)


@dataclass(frozen=True, slots=True)
class Account:
    """A user: the address is also the login name."""

    id: int
    address: str
    name: str


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox as its account names it; INBOX is always spelled so."""

    id: int
    account: int
    name: str
    uidvalidity: int
    special_use: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """What STATUS tells (RFC 9051 §6.3.11); `size` in bytes, `modseq` is HIGHESTMODSEQ."""

    messages: int
    unseen: int
    deleted: int
    size: int
    recent: int
    uidnext: int
    uidvalidity: int
    modseq: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What an account has and may have; sizes in octets, a limit of 0 is none."""

    messages: int
    messages_limit: int
    size: int
    size_limit: int


@dataclass(frozen=True, slots=True)
class Flags:
    """System flag bits and keywords."""

    system: int = 0
    keywords: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class When:
    """An internal date: seconds since 1970, and the zone its day is reckoned in, minutes east."""

    epoch: int
    zone: int = 0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message ready to be stored: its CRLF bytes, or where they are spooled, and what the scanner found."""

    size: int
    crc: int  # CRC-32 of the content, checked whenever it is read back
    parsed: "Parsed"
    content: "bytes | SpoolFile"
    verdict: Mapping[str, Any] | None = None  # plain values, kept with it


@dataclass(frozen=True, slots=True)
class Recipient:
    """One mailbox a message is delivered to; `address` is the envelope recipient.

    `use` names a special use (RFC 6154) whose mailbox the account has, or gets, instead of `mailbox`.
    """

    account: int
    mailbox: int
    address: str
    flags: Flags = Flags()
    use: str = ""


# What a committed unit of work changed; snapshots apply it, the bus hears of it.


@dataclass(frozen=True, slots=True)
class Added:
    account: int
    mailbox: int
    uids: "array[int]"
    flags: "array[int]"
    modseq: int


@dataclass(frozen=True, slots=True)
class Flagged:
    account: int
    mailbox: int
    uids: "array[int]"
    flags: "array[int]"  # the new value of each
    modseq: int


@dataclass(frozen=True, slots=True)
class Expunged:
    account: int
    mailbox: int
    uids: "array[int]"
    modseq: int


@dataclass(frozen=True, slots=True)
class Renamed:
    """A mailbox was made, renamed or deleted."""

    account: int
    mailbox: int
    deleted: bool = False
    name: str = ""  # of now, or when it was deleted
    before: str | None = None  # the name it had


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A name was subscribed to, or no longer is."""

    account: int
    name: str


@dataclass(frozen=True, slots=True)
class Annotated:
    """Metadata of a mailbox changed, or with 0 of the account."""

    account: int
    mailbox: int
    entries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Taught:
    """An account said of messages that they are junk, or wanted."""

    account: int


@dataclass(frozen=True, slots=True)
class ToTriage:
    """There are delivered messages to judge."""


@dataclass(frozen=True, slots=True)
class Triaged:
    """It is known what a message is about."""

    account: int
    mailbox: int
    uid: int
    category: str = ""
    urgency: str = ""
    needs_response: bool = False
    priority: int = 5
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Queued:
    queue_id: int


@dataclass(frozen=True, slots=True)
class Filing:
    """There is new work for the filer."""

    messages: int = 0  # entries without their file yet, more or (negative) less
    size: int = 0
    copied: bool = False  # they bring no content of their own


Fact = Added | Flagged | Expunged | Renamed | Subscribed | Annotated | Taught | ToTriage | Triaged | Queued | Filing
