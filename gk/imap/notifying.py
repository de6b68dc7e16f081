"""A session with NOTIFY: what happens in its account's mailboxes is told while it waits for commands (RFC 5465).

Committed changes are noted as they come, by the store's own call, and told by the session's task when it rests.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from gk.imap.commands.status import status_line
from gk.imap.fetching import Fetching
from gk.imap.notify import FLAGS, GONE, NAMED, NEW, NOTED, SERVER_NOTED, SUBSCRIBED, Wanted
from gk.store.values import Added, Annotated, Expunged, Fact, Flagged, Mailbox, Renamed, Subscribed

if TYPE_CHECKING:
    from gk.imap.conversation import Conversation

WAITING = 1000  # notes of names and metadata for a session that does not rest; more, and it is told so (RFC 5465 §5.8)

_EVENTS: dict[type, bytes] = {Added: NEW, Expunged: GONE, Flagged: FLAGS}


class Notifying:
    """Between NOTIFY SET and NOTIFY NONE, or the end."""

    def __init__(self, c: "Conversation", wanted: Wanted, wake: Callable[[], None]) -> None:
        self._c, self._wanted, self._wake = c, wanted, wake
        self._changed: dict[int, set[bytes]] = {}  # events of mailboxes that are not selected
        self._lines: list[bytes] = []
        self._overflow = False
        self._end = c.store.snapshots.watch(c.account.id, self._heard)

    def stop(self) -> None:
        self._end()

    def statuses(self) -> None:
        """How the mailboxes are now, as NOTIFY SET STATUS wants it told before its answer (RFC 5465 §3.1)."""
        subscribed = self._c.store.mailboxes.subscribed(self._c.account.id)
        for box in self._c.store.mailboxes.list(self._c.account.id):
            events = self._wanted.of(box.name, subscribed)
            if events & {NEW, GONE, FLAGS} and not self._is_selected(box.id):
                self._c.tell(self._status(box, events))

    def _heard(self, fact: Fact) -> None:
        match fact:
            case Added(mailbox=mailbox) | Expunged(mailbox=mailbox) | Flagged(mailbox=mailbox):
                if not self._is_selected(mailbox):
                    self._changed.setdefault(mailbox, set()).add(_EVENTS[type(fact)])
            case Renamed() | Subscribed() | Annotated():
                self._named(fact)
            case _:
                return
        self._wake()

    def _named(self, fact: Renamed | Subscribed | Annotated) -> None:
        mailboxes = self._c.store.mailboxes
        subscribed = mailboxes.subscribed(self._c.account.id)
        line = b""
        match fact:
            case Renamed(name=name) if self._wants(NAMED, name, subscribed):
                attributes = b"\\NonExistent" if fact.deleted else b""
                old = b' ("OLDNAME" (%b))' % self._c.spelled(fact.before) if fact.before is not None else b""
                line = b'* LIST (%b) "/" %b%b\r\n' % (attributes, self._c.spelled(name), old)
            case Subscribed(name=name) if self._wants(SUBSCRIBED, name, subscribed):
                attributes = b"\\Subscribed" if name in subscribed else b""
                if mailboxes.find(self._c.account.id, name) is None:
                    attributes = (attributes + b" \\NonExistent").strip()
                line = b'* LIST (%b) "/" %b\r\n' % (attributes, self._c.spelled(name))
            case Annotated(mailbox=0):
                if any(SERVER_NOTED in group.events for group in self._wanted.groups):
                    line = b'* METADATA "" %b\r\n' % " ".join(fact.entries).encode()
            case Annotated(mailbox=number):
                box = mailboxes.by_id(self._c.account.id, number)
                if box is not None and self._wants(NOTED, box.name, subscribed):
                    line = b"* METADATA %b %b\r\n" % (self._c.spelled(box.name), " ".join(fact.entries).encode())
        if line:
            self._overflow |= len(self._lines) == WAITING
            self._lines[WAITING - 1 :] = [line]

    def _wants(self, event: bytes, name: str, subscribed: set[str]) -> bool:
        return event in self._wanted.of(name, subscribed)

    def _is_selected(self, mailbox: int) -> bool:
        view = self._c.session.selected
        return view is not None and view.snapshot.mailbox.id == mailbox

    async def tell(self) -> bool:
        """Tell what is due; False when too much was, and no more will be."""
        await self._selected()
        lines, self._lines = self._lines, []
        self._c.tell(*lines)
        changed, self._changed = self._changed, {}
        if changed:
            mailboxes = self._c.store.mailboxes
            subscribed = mailboxes.subscribed(self._c.account.id)
            for number, happened in changed.items():
                box = mailboxes.by_id(self._c.account.id, number)
                if box is not None and (events := self._wanted.of(box.name, subscribed)) & happened:
                    self._c.tell(self._status(box, events))
                    await self._c.breathe()
        if self._overflow:
            self._c.tell(b"* OK [NOTIFICATIONOVERFLOW] there was too much to tell\r\n")
        return not self._overflow

    async def _selected(self) -> None:
        view, group = self._c.session.selected, self._wanted.selected
        if view is None or group is None or not group.events or not view.behind or view.snapshot.deleted:
            return
        last = view.last_uid
        for piece in view.news(expunges=group.kind == b"SELECTED", flags=FLAGS in group.events):
            self._c.tell(piece)
            await self._c.breathe()
        if group.fetch is not None and view.last_uid > last:
            await Fetching(self._c, group.fetch, by_uid=True).run(view.above(last))

    def _status(self, box: Mailbox, events: frozenset[bytes]) -> bytes:
        items = [b"MESSAGES", b"UIDNEXT", b"UIDVALIDITY"]
        if FLAGS in events:
            items += [b"UNSEEN", b"HIGHESTMODSEQ"]  # RFC 5465 §5.3
        return status_line(self._c, box, tuple(items))
