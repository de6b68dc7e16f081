"""The store: opens the data directory, owns its connections, and hands out its rooms.

`async with Store.open(config, bus) as store` is the only way in; closing it finishes what was promised.
"""

import asyncio
import mmap
import os
import time
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from gk import events, metrics
from gk.bus import Bus
from gk.config import Config
from gk.errors import DiskFull, Overloaded, ReadOnly, Refused, Unavailable
from gk.message.parsed import Parsed, parse
from gk.service import supervise
from gk.store import delivery
from gk.store.accounts import Accounts
from gk.store.activity import Activities
from gk.store.bans import BanRows
from gk.store.conversations import Conversations
from gk.store.directory import connect_reader, lock, prepare
from gk.store.erasure import Erasure
from gk.store.filer import Filer
from gk.store.forwards import Forwards
from gk.store.greylist import Greylist
from gk.store.known import Known
from gk.store.ledger import Ledger
from gk.store.lessons import Lessons
from gk.store.mailboxes import Mailboxes
from gk.store.metadata import Metadata
from gk.store.outgoing import Outgoing
from gk.store.rejects import Rejects
from gk.store.remotes import Remotes
from gk.store.replies import Replies
from gk.store.reports import ReportCounts
from gk.store.scripts import Scripts
from gk.store.search.room import Search
from gk.store.sending import Sending
from gk.store.snapshots import Snapshots
from gk.store.space import Space
from gk.store.spool import SpoolFile
from gk.store.tls import TlsRecords
from gk.store.triages import Triages
from gk.store.values import (
    Added,
    Annotated,
    Arrival,
    Expunged,
    Fact,
    Filing,
    Flagged,
    Queued,
    Recipient,
    Renamed,
    Subscribed,
    Taught,
    ToTriage,
    Triaged,
)
from gk.store.verdicts import Verdicts
from gk.store.writer import Commits, Work

T = TypeVar("T")

JOURNAL = 256 << 10  # bytes of a message that still goes through the journal; larger ones are spooled
IN_LOOP = 64 << 10  # bytes scanned in the event loop; more goes to a thread


class Store:
    """All that is kept: mailboxes, accounts, the outgoing queue."""

    def __init__(self, config: Config, bus: Bus, space: Space) -> None:
        self.data, self.limits, self.retention = config.data, config.limits, config.retention
        self.delivering = delivery.Bounds(
            self.limits.keywords, self.limits.mailboxes, config.triage.enabled, _answered(config)
        )
        self.bus = bus
        self.space = space
        self.reader = connect_reader(config.data)
        self.commits = Commits(config.data / "gk.db", self._publish, space.relieve)
        self.filer = Filer(config.data, lambda: connect_reader(config.data), self.commits, self._settled)
        self.snapshots = Snapshots(self)
        self.mailboxes = Mailboxes(self)
        self.metadata = Metadata(self)
        self.accounts = Accounts(self)
        self.sending = Sending(self)
        self.scripts = Scripts(self)
        self.outgoing = Outgoing(self)
        self.forwards = Forwards(self)
        self.tls = TlsRecords(self)
        self.reports = ReportCounts(self)
        self.verdicts = Verdicts(self)
        self.lessons = Lessons(self)
        self.known = Known(self)
        self.conversations = Conversations(self)
        self.erasure = Erasure(self)
        self.activity = Activities(self)
        self.ledger = Ledger(self)
        self.triages = Triages(self)
        self.replies = Replies(self)
        self.remotes = Remotes(self)
        self.bans = BanRows(self)
        self.rejects = Rejects(self)
        self.greylist = Greylist(self)
        self.search = Search(config.data)
        self._spool = config.data / "spool"

    @classmethod
    @asynccontextmanager
    async def open(cls, config: Config, bus: Bus) -> AsyncIterator["Store"]:
        """Lock, migrate and serve the data directory; raise ConfigError with the remedy where it cannot be had."""
        with_lock = lock(config.data)
        try:
            prepare(config.data)
            space = Space(config.data, config.limits)
            store = cls(config, bus, space)
            try:
                async with supervise(store.commits):
                    store._begin()
                    async with supervise(store.filer, space):
                        yield store
            finally:
                store.search.close()
                if store.commits.broken is None:
                    store.reader.close()
                # else it stays open until the process ends: the last connection to close would checkpoint, and so
                # sync again what could not be synced
        finally:
            os.close(with_lock)

    def _begin(self) -> None:
        """What a stop without warning may have left."""
        known = {name for (name,) in self.reader.execute("SELECT spool FROM message WHERE spool IS NOT NULL")}
        with os.scandir(self._spool) as files:
            for file in files:
                if file.name not in known:
                    os.unlink(file.path)  # never acknowledged
        messages, size = self.reader.execute(
            "SELECT count(*), coalesce(sum(m.size), 0) FROM filing f JOIN message m ON m.id = f.message"
            " WHERE f.kind = 0"
        ).fetchone()
        self.space.backlog(messages, size)
        self.outgoing.begin()
        self.lessons.begin()
        self.mailboxes.begin()

    # --- messages in --------------------------------------------------------------------------------------------------

    def check_space(self, size: int) -> None:
        """Raise ReadOnly or DiskFull when a message of that size cannot be taken now."""
        if self.commits.broken:
            raise ReadOnly(self.commits.broken)
        self.space.check(size)

    def spool(self) -> SpoolFile:
        """Where to put a message of more than JOURNAL bytes while it arrives."""
        return SpoolFile(self._spool, self.commits.fail)

    async def prepare(self, content: bytes | SpoolFile, verdict: Mapping[str, Any] | None = None) -> Arrival:
        """Scan a message with CRLF line ends, off the loop when it is large; `verdict` is kept with it."""
        if isinstance(content, bytes):
            if len(content) > JOURNAL:
                spooled = self.spool()
                await spooled.write(content)
                return await self.prepare(spooled, verdict)
            parsed = parse(content) if len(content) <= IN_LOOP else await asyncio.to_thread(parse, content)
            return Arrival(len(content), zlib.crc32(content), parsed, content, verdict)
        mapped = content.map()  # before the sync, which throws the file away where it fails
        parsed, _ = await asyncio.gather(asyncio.to_thread(_parse_mapped, mapped), content.sync())
        return Arrival(content.size, content.crc, parsed, content, verdict)

    async def deliver(
        self, arrival: Arrival, recipients: Sequence[Recipient], *, door: str = "smtp"
    ) -> list[tuple[int, int]]:
        """Put a message into the mailboxes of its recipients, stored once; (mailbox, uid) of each after the commit.

        Raises DiskFull, ReadOnly, Overloaded: then nothing was stored.
        """
        await self.space.room()
        now = int(time.time())
        placed = await self.keep(
            arrival,
            lambda db, facts: delivery.deliver(db, facts, arrival, recipients, now, self.delivering),
        )
        metrics.delivered.labels(door).inc(len(placed))
        return placed

    async def keep(self, arrival: Arrival, work: Work[T]) -> T:
        """Commit a unit that enters a message; its spool file stays if the unit does."""
        return await self.keep_all([arrival], work)

    async def keep_all(self, arrivals: Sequence[Arrival], work: Work[T]) -> T:
        """The same for several messages.

        Where nobody knows what became of the commit (an I/O error, a caller cancelled), the next start looks whether
        a row names the file.
        """
        spools = [a.content for a in arrivals if isinstance(a.content, SpoolFile)]
        try:
            result = await self.commits.do(work)
        except (Refused, DiskFull, Overloaded):
            for spool in spools:
                spool.discard()
            raise
        except Unavailable:
            for spool in spools:
                spool.kept = True
            raise
        for spool in spools:
            spool.kept = True
        return result

    # --- after a commit -----------------------------------------------------------------------------------------------

    def _publish(self, facts: list[Fact]) -> None:
        for fact in facts:
            match fact:
                case Added(account=account, mailbox=mailbox, uids=uids):
                    self.snapshots.apply(fact)
                    for uid in uids:
                        self.bus.publish(events.MessageDelivered(account, mailbox, uid))
                case Flagged(account=account, mailbox=mailbox, uids=uids):
                    self.snapshots.apply(fact)
                    self.bus.publish(events.FlagsChanged(account, mailbox, tuple(uids)))
                case Expunged(account=account, mailbox=mailbox, uids=uids):
                    self.snapshots.apply(fact)
                    self.bus.publish(events.MessagesExpunged(account, mailbox, tuple(uids)))
                case Renamed(account=account, mailbox=mailbox):
                    self.snapshots.renamed(fact)
                    self.bus.publish(events.MailboxChanged(account, mailbox))
                case Subscribed(account=account):
                    self.bus.publish(events.MailboxChanged(account, 0))
                case Annotated(account=account, mailbox=mailbox):
                    self.bus.publish(events.MailboxChanged(account, mailbox))
                case Taught():
                    self.lessons.taught()
                case ToTriage():
                    self.triages.delivered()
                case Triaged():
                    self.bus.publish(
                        events.MessageTriaged(
                            fact.account, fact.mailbox, fact.uid, fact.category, fact.urgency, fact.needs_response,
                            fact.priority, fact.moved,
                        )
                    )  # fmt: skip
                case Queued(queue_id=queue_id):
                    self.bus.publish(events.MessageQueued(queue_id))
                case Filing(messages=messages, size=size, copied=copied):
                    self.space.backlog(messages, size, copied=copied)
                    self.filer.wake(messages)
        self.snapshots.announce(facts)

    def _settled(self, messages: int, size: int) -> None:
        self.space.backlog(-messages, -size)


def _answered(config: Config) -> frozenset[str] | None:
    """The users whose mail may be answered; all where one rule names none, None where there are no rules."""
    rules = config.replies.rules
    if not rules:
        return None
    return (
        frozenset(user.lower() for rule in rules for user in rule.users) if all(r.users for r in rules) else frozenset()
    )


def _parse_mapped(mapped: mmap.mmap) -> Parsed:
    with mapped as content:
        return parse(content)
