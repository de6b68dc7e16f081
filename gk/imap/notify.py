"""What NOTIFY asks for, as values (RFC 5465 §8): which events of which mailboxes a client wants to be told of."""

from collections.abc import Iterator, Set
from dataclasses import dataclass

from gk.imap import fetch_items
from gk.imap.fetch_items import Fetch
from gk.imap.grammar import BadSyntax, Cursor
from gk.store.values import DELIMITER, INBOX

GROUPS = 50  # of one NOTIFY
NAMES = 500  # of one group
EVENTS = 20

NEW, GONE, FLAGS = b"MESSAGENEW", b"MESSAGEEXPUNGE", b"FLAGCHANGE"
NAMED, SUBSCRIBED = b"MAILBOXNAME", b"SUBSCRIPTIONCHANGE"
NOTED, SERVER_NOTED = b"MAILBOXMETADATACHANGE", b"SERVERMETADATACHANGE"
KNOWN = frozenset({NEW, GONE, FLAGS, NAMED, SUBSCRIBED, NOTED, SERVER_NOTED})
SPELLED = (
    "FlagChange MailboxMetadataChange MailboxName MessageExpunge MessageNew ServerMetadataChange SubscriptionChange"
)
_SELECTED = (b"SELECTED", b"SELECTED-DELAYED")
_ALL = (b"INBOXES", b"PERSONAL", b"SUBSCRIBED")
_NAMED = (b"SUBTREE", b"MAILBOXES")


class BadEvent(BadSyntax):
    """An event this server does not tell of: NO [BADEVENT]."""


@dataclass(frozen=True, slots=True)
class Group:
    """Some mailboxes and what is wanted of them. `kind` is the filter in upper case; `fetch` is for new messages."""

    kind: bytes
    names: frozenset[str]
    events: frozenset[bytes]
    fetch: Fetch | None = None

    @property
    def of_selected(self) -> bool:
        return self.kind in _SELECTED

    def holds(self, name: str, subscribed: Set[str]) -> bool:
        """Whether a mailbox of that name is meant."""
        match self.kind:
            case b"PERSONAL":
                return True
            case b"INBOXES":  # where mail arrives by itself
                return name == INBOX
            case b"SUBSCRIBED":
                return name in subscribed
            case b"MAILBOXES":
                return name in self.names
            case b"SUBTREE":
                return any(above in self.names for above in _above(name))
        return False


def _above(name: str) -> Iterator[str]:
    """A name and all its superiors."""
    while name:
        yield name
        name = name.rpartition(DELIMITER)[0]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One NOTIFY SET: its groups in order, the first that holds a mailbox counts; `status`: tell how things are now."""

    groups: tuple[Group, ...]
    status: bool

    @property
    def selected(self) -> Group | None:
        return next((group for group in self.groups if group.of_selected), None)

    def of(self, name: str, subscribed: Set[str]) -> frozenset[bytes]:
        """The events wanted of a mailbox that is not selected."""
        return next((group.events for group in self.groups if group.holds(name, subscribed)), frozenset())


def parse(cursor: Cursor) -> Wanted | None:
    """`NONE`, which is None, or `SET [STATUS] (…) (…)` to the end of the command; raises BadSyntax, BadEvent."""
    if cursor.skip_word(b"NONE"):
        cursor.end()
        return None
    if not cursor.skip_word(b"SET"):
        raise BadSyntax("NOTIFY SET or NOTIFY NONE")
    cursor.space()
    status = cursor.skip_word(b"STATUS")
    if status:
        cursor.space()
    groups: list[Group] = []
    while True:
        if len(groups) == GROUPS:
            raise BadSyntax("too many groups")
        groups.append(_group(cursor))
        if not cursor.more():
            break
        cursor.space()
    if sum(group.of_selected for group in groups) > 1:
        raise BadSyntax("the selected mailbox is named twice")  # RFC 5465 §6.1
    return Wanted(tuple(groups), status)


def _group(cursor: Cursor) -> Group:
    cursor.need(b"(")
    kind = cursor.word()
    names: frozenset[str] = frozenset()
    if kind in _NAMED:
        cursor.space()
        names = frozenset(cursor.listed(cursor.mailbox, NAMES) if cursor.at(b"(") else [cursor.mailbox()])
        if not names:
            raise BadSyntax("no mailbox is named")
    elif kind not in _SELECTED and kind not in _ALL:
        raise BadSyntax("an unknown filter of mailboxes")
    cursor.space()
    events: set[bytes] = set()
    fetch: Fetch | None = None
    if not cursor.skip_word(b"NONE"):
        fetch = _events(cursor, events)
    cursor.need(b")")
    if fetch is not None and kind not in _SELECTED:
        raise BadSyntax("only of the selected mailbox can new messages be fetched")  # RFC 5465 §5.2
    if (NEW in events) != (GONE in events) or (FLAGS in events and NEW not in events):
        raise BadSyntax("MessageNew and MessageExpunge go together, and FlagChange goes with both")  # RFC 5465 §5
    unknown = events - KNOWN
    if unknown:
        raise BadEvent("that event is not told here")
    if kind in _SELECTED and events - {NEW, GONE, FLAGS}:
        raise BadSyntax("of the selected mailbox only messages are told")  # RFC 5465 §5
    return Group(kind, names, frozenset(events), fetch)


def _events(cursor: Cursor, events: set[bytes]) -> Fetch | None:
    fetch: list[Fetch] = []

    def event() -> None:
        word = cursor.word()
        events.add(word)
        if word == NEW and cursor.at(b" ("):
            cursor.space()
            fetch.append(fetch_items.parse_list(cursor))

    cursor.listed(event, EVENTS)
    if not events:
        raise BadSyntax("an empty list of events")
    return fetch[0] if fetch else None
