"""What a script decides about a message, and what its surroundings must tell it: values and one protocol."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gk.sieve.edit import NO_EDITS, Edits

INBOX = "INBOX"


class Surroundings(Protocol):
    """What a script may ask and cannot know."""

    @property
    def now(self) -> int:
        """The time, in seconds since 1970."""

    @property
    def zone(self) -> int:
        """Minutes east of UTC of the user's clock."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The items of RFC 5183 §4, names in lower case."""

    def mailbox_exists(self, name: str) -> bool:
        """Whether mail can be filed into that mailbox (RFC 5490 §3.1)."""

    def special_use_exists(self, name: str | None, uses: tuple[str, ...]) -> bool:
        """Whether a mailbox has each of the uses, or the named one has all of them (RFC 8579 §3)."""

    def is_duplicate(self, handle: str, id: str) -> bool:
        """Whether that id was remembered under that handle and is not forgotten yet (RFC 7352)."""


@dataclass(frozen=True, slots=True)
class Filing:
    """The message is to be stored; `edits` is what of the header was changed when the script said so."""

    mailbox: str
    flags: tuple[str, ...] = ()
    create: bool = False
    special_use: str = ""
    edits: Edits = NO_EDITS


@dataclass(frozen=True, slots=True)
class Redirect:
    """The message is to be sent on to an address."""

    address: str
    edits: Edits = NO_EDITS


@dataclass(frozen=True, slots=True)
class Reject:
    """The message is to be refused with these words; `protocol` prefers doing so in SMTP (RFC 5429 §2.1)."""

    reason: str
    protocol: bool


@dataclass(frozen=True, slots=True)
class Vacation:
    """The sender is to be answered (RFC 5230); `seconds` is how long it is not answered again under that handle.

    `mime` says that `reason` is a MIME entity, header and all; `sender` and `subject` are "" where not given.
    """

    reason: str
    handle: str
    seconds: int
    subject: str = ""
    sender: str = ""
    addresses: tuple[str, ...] = ()
    mime: bool = False


@dataclass(frozen=True, slots=True)
class Remembered:
    """An id the `duplicate` test looked at, to be remembered so long if the script ends well (RFC 7352 §3.1).

    `renew` says that one known already is remembered anew.
    """

    handle: str
    id: str
    seconds: int
    renew: bool


@dataclass(frozen=True, slots=True)
class Traced:
    """One step that was made: a test with its result, an action with True; `text` is how it stands in the script."""

    line: int
    text: str
    result: bool
    program: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """All of it. Without filings, redirects and a rejection the message is discarded.

    With an error nothing of what the script did before counts: the message is kept in INBOX as it came.
    """

    filings: tuple[Filing, ...] = ()
    redirects: tuple[Redirect, ...] = ()
    reject: Reject | None = None
    vacation: Vacation | None = None
    remembered: tuple[Remembered, ...] = ()
    trace: tuple[Traced, ...] = field(default=(), repr=False)
    error: str | None = None
    stopped: bool = False
    program: str = ""  # the one that failed
    exhausted: bool = False  # because its budget was used up
