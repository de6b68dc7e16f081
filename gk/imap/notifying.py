"""A session with NOTIFY: what happens in its account's mailboxes is told while it waits for commands (RFC 5465).

Committed changes are noted as they come, by the store's own call, and told by the session's task when it rests. What
is noted costs next to nothing: one RENAME may change thousands of names, and hundreds of sessions may hear of it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from gk.imap import reply
from gk.imap.commands.status import status_line
from gk.imap.fetching import Fetching
from gk.imap.notify import FLAGS, GONE, NAMED, NEW, NOTED, SERVER_NOTED, SUBSCRIBED, Wanted
from gk.store.values import Added, Annotated, Expunged, Fact, Flagged, Renamed, Subscribed

if TYPE_CHECKING:
    from gk.imap.conversation import Conversation

# Notes for a session that does not rest, and mailboxes with news for it: more, and it is told so (RFC 5465 §5.8).
WAITING = 10_000  # twice what one RENAME can change

_EVENTS: dict[type, bytes] = {Added: NEW, Expunged: GONE, Flagged: FLAGS}
_NAMES: dict[type, frozenset[bytes]] = {
    Renamed: frozenset({NAMED}),
    Subscribed: frozenset({SUBSCRIBED}),
    Annotated: frozenset({NOTED, SERVER_NOTED}),
}


class Notifying:
    """Between NOTIFY SET and NOTIFY NONE, or the end."""

    def __init__(self, c: "Conversation", wanted: Wanted, wake: Callable[[], None]) -> None:
        self._c, self._wanted, self._wake = c, wanted, wake
        self._anywhere = frozenset[bytes]().union(*(group.events for group in wanted.groups))
        self._changed: dict[int, set[bytes]] = {}  # events of mailboxes that are not selected
        self._named: list[Renamed | Subscribed | Annotated] = []
        self._overflow = False
        self._end = c.store.snapshots.watch(c.account.id, self._heard)

    def stop(self) -> None:
        self._end()

    async def statuses(self) -> None:
        """How the mailboxes are now, as NOTIFY SET STATUS wants it told before its answer (RFC 5465 §3.1)."""
        mailboxes, account = self._c.store.mailboxes, self._c.account.id
        subscribed = mailboxes.subscribed(account)
        for box in mailboxes.list(account):
            events = self._wanted.of(box.name, subscribed)
            if events & {NEW, GONE, FLAGS} and not self._is_selected(box.id):
                await self._tell_status(box.id, events)
            await self._c.breathe()

    def _heard(self, fact: Fact) -> None:
        if self._overflow:
            return
        match fact:
            case Added(mailbox=mailbox) | Expunged(mailbox=mailbox) | Flagged(mailbox=mailbox):
                if not self._is_selected(mailbox):
                    self._changed.setdefault(mailbox, set()).add(_EVENTS[type(fact)])
                    self._overflow = len(self._changed) > WAITING
            case Renamed() | Subscribed() | Annotated():
                if self._anywhere.isdisjoint(_NAMES[type(fact)]):
                    return
                self._overflow = len(self._named) == WAITING
                if not self._overflow:
                    self._named.append(fact)  # whether it is wanted is looked at when it is told
            case _:
                return
        self._wake()

    def _line(self, fact: Renamed | Subscribed | Annotated, subscribed: set[str]) -> bytes:
        """What is told of a note, b"" when it is not wanted."""
        mailboxes = self._c.store.mailboxes
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
                if SERVER_NOTED in self._anywhere:
                    line = b'* METADATA "" %b\r\n' % b" ".join(map(reply.astring, fact.entries))
            case Annotated(mailbox=number):
                box = mailboxes.by_id(self._c.account.id, number)
                if box is not None and self._wants(NOTED, box.name, subscribed):
                    entries = b" ".join(map(reply.astring, fact.entries))
                    line = b"* METADATA %b %b\r\n" % (self._c.spelled(box.name), entries)
        return line

    def _wants(self, event: bytes, name: str, subscribed: set[str]) -> bool:
        return event in self._wanted.of(name, subscribed)

    def _is_selected(self, mailbox: int) -> bool:
        view = self._c.session.selected
        return view is not None and view.snapshot.mailbox.id == mailbox

    async def tell(self) -> bool:
        """Tell what is due; False when too much was, and no more will be."""
        await self._selected()
        mailboxes, account = self._c.store.mailboxes, self._c.account.id
        named, self._named = self._named, []
        changed, self._changed = self._changed, {}
        subscribed = mailboxes.subscribed(account) if named or changed else set()
        for fact in named:
            self._c.tell(self._line(fact, subscribed))
            await self._c.breathe()
        for number, happened in changed.items():
            box = mailboxes.by_id(account, number)
            if box is not None and (events := self._wanted.of(box.name, subscribed)) & happened:
                await self._tell_status(number, events)
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

    async def _tell_status(self, number: int, events: frozenset[bytes]) -> None:
        items = [b"MESSAGES", b"UIDNEXT", b"UIDVALIDITY"]
        if FLAGS in events:
            items += [b"UNSEEN", b"HIGHESTMODSEQ"]  # RFC 5465 §5.3
        box = self._c.store.mailboxes.by_id(self._c.account.id, number)
        if box is not None:  # else it was deleted while others had their turn
            self._c.tell(status_line(self._c, box, tuple(items)))
        await self._c.breathe()
