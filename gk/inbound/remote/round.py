"""One round for one account elsewhere: what changed here goes there, then what changed there comes here."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from gk.config import Remote
from gk.errors import Unavailable
from gk.inbound.remote import places
from gk.inbound.remote.arriving import Arrivals, Trouble
from gk.inbound.remote.leaving import Departures, Targets
from gk.inbound.remote.parsing import Listed, Selected
from gk.inbound.remote.places import TRASH, Place
from gk.inbound.remote.session import RANGE, Session
from gk.store.db import Store
from gk.store.remote_rows import Folder
from gk.transfer.answers import BadAnswer

LATELY, ALL = 1000, 2000  # messages whose flags are looked at each time; as many as these are all
FULL = 900.0  # seconds after which all of them are, where the server does not tell which changed


@dataclass(slots=True)
class Tally:
    """What a round did: messages new here, known again, left there, told of there, changed here, gone there."""

    new: int = 0
    again: int = 0
    left: int = 0
    told: int = 0
    changed: int = 0
    gone: int = 0
    senders: int = 0
    conversations: int = 0


@dataclass(slots=True)
class _Pair:
    """A folder there and its row."""

    place: Place
    folder: Folder
    modseq: int = 0  # as it was when the folder was selected


class Rounds:
    """The rounds of one session."""

    def __init__(self, store: Store, session: Session, remote: Remote, account: int, trouble: Trouble) -> None:
        self._store, self._session, self._remote, self._account = store, session, remote, account
        self._trouble = trouble
        self._pairs: list[_Pair] = []
        self._uses: dict[str, Listed] = {}
        self._at = b""  # the mailbox that is selected
        self._full: dict[int, float] = {}  # folder → when all its flags were looked at, on the monotonic clock

    async def begin(self, row: int) -> None:
        """See what mailboxes there are. Raises Refused where the one to watch is not there."""
        listed = await self._session.mailboxes()
        self._uses = places.used(listed)
        self._row = row
        self._listed = listed
        await self._match()

    async def _match(self) -> None:
        self._pairs = [
            _Pair(place, await self._store.remotes.folder(self._row, self._account, place.there.name, place.here))
            for place in places.watched(self._remote, self._listed)
        ]

    @property
    def mailboxes(self) -> frozenset[int]:
        """The mailboxes here that are in step."""
        return frozenset(folder.mailbox for folder in self._store.remotes.folders(self._row))

    @property
    def single(self) -> bool:
        """Whether IDLE tells of all there is."""
        return len(self._pairs) == 1

    @property
    def settled(self) -> bool:
        """Whether nothing changed here since the last round."""
        return all(self._store.remotes.settled(folder) for folder in self._store.remotes.folders(self._row))

    async def go(self) -> Tally:
        """Do it. Raises what the session and the store raise."""
        await self._match()
        tally = Tally()
        targets = self._targets()
        new: dict[int, list[int]] = {}
        for pair in self._pairs:
            found = await self._select(pair)
            new[pair.folder.id] = await self._see(pair, found, tally)
            await self._tell(pair, targets, found, tally)
            tally.changed += await self._flags(pair.folder, found)
        watched = {pair.folder.id for pair in self._pairs}
        for folder in self._store.remotes.folders(self._row):
            if folder.id not in watched and not self._store.remotes.settled(folder):
                await self._aside(folder, targets, tally)
        for pair in self._pairs:
            if uids := new[pair.folder.id]:
                validity = pair.folder.uidvalidity
                if self._at != pair.place.there.raw:
                    await self._select(pair)
                if pair.folder.uidvalidity != validity:
                    continue  # other uids than a moment ago: the next round sees to it
                await self._bring(pair.folder, uids, tally)
            await self._store.remotes.advance(pair.folder.id, modseq=pair.modseq)
            await self._store.remotes.prune(pair.folder.id)
        if self._at != self._pairs[0].place.there.raw:  # the one to idle on
            await self._selected(self._pairs[0].place.there)
        for pair in self._pairs:  # what was changed here by this round is nothing to tell
            await self._quiet(pair)
        return tally

    def _targets(self) -> Targets:
        targets: Targets = {pair.folder.mailbox: (pair.place.there, "") for pair in self._pairs}
        for use, there in self._uses.items():
            here = self._store.mailboxes.with_use(self._account, use)
            if here is not None:
                targets.setdefault(here.id, (there, use))
        return targets

    # --- there --------------------------------------------------------------------------------------------------------

    async def _select(self, pair: _Pair) -> Selected:
        """Select it; where its uids are others than before, everything waits to be known again."""
        found = await self._selected(pair.place.there)
        await self._confirm(pair, found)
        return found

    async def _selected(self, there: Listed) -> Selected:
        self._at = there.raw
        return await self._session.select(there.raw)

    async def _confirm(self, pair: _Pair, found: Selected) -> None:
        folder = pair.folder
        if folder.uidvalidity == 0:
            await self._store.remotes.adopt(folder)
        lower = 0 < found.uidnext <= folder.last  # a server that gives the same uids anew and does not say so
        if folder.uidvalidity != found.uidvalidity or lower:
            await self._store.remotes.begin(folder.id, found.uidvalidity)
        pair.folder = self._again(folder)

    def _again(self, folder: Folder) -> Folder:
        now = self._store.remotes.at(folder.id)
        if now is None:
            raise BadAnswer("the account was removed")
        return now

    async def _see(self, pair: _Pair, found: Selected, tally: Tally) -> list[int]:
        """Messages that are gone, before it is told what changed here: those were touched. The uids of new ones."""
        folder = pair.folder
        new: list[int] = []
        if not found.uidnext or found.uidnext > folder.last + 1:
            new = [uid for uid in await self._session.search("UID", f"{folder.last + 1}:*") if uid > folder.last]
        known = await self._store.remotes.count(folder.id)
        if known + len(new) != found.exists:
            there, had = await self._session.search("ALL"), await self._store.remotes.uids(folder.id)
            gone, new = await asyncio.to_thread(_apart, had, there)
            tally.gone += await self._store.remotes.vanish(folder, gone)
        pair.modseq = found.modseq
        pair.folder = self._again(folder)
        return new

    async def _flags(self, folder: Folder, found: Selected) -> int:
        """Take over flags: of what changed where the server says so (RFC 7162), else of what is looked at."""
        if not folder.last or (found.modseq and found.modseq == folder.modseq):
            return 0
        if found.modseq and folder.modseq:
            changed = await self._session.search("MODSEQ", str(folder.modseq + 1))
            uids = [uid for uid in changed if uid <= folder.last]
        else:
            uids = await self._store.remotes.uids(folder.id)
            due = time.monotonic() - self._full.get(folder.id, -FULL) >= FULL
            if len(uids) > ALL and not due:
                uids = uids[-LATELY:]
            else:
                self._full[folder.id] = time.monotonic()
        count = 0
        for start in range(0, len(uids), RANGE):
            told = await self._session.flags(uids[start : start + RANGE])
            flags = [(uid, one.flags) for uid, one in told.items() if one.flags is not None]
            count += await self._store.remotes.flagged(folder, flags)
        return count

    async def _bring(self, folder: Folder, uids: Sequence[int], tally: Tally) -> None:
        async def seen_elsewhere(messages: Sequence[tuple[int, int]]) -> None:
            await self._look_elsewhere(folder, messages)

        taken = await Arrivals(self._store, self._session, folder, self._trouble, seen_elsewhere).take(uids)
        tally.new += taken.new
        tally.again += taken.again
        tally.left += taken.apart
        tally.senders += taken.senders
        tally.conversations += taken.conversations

    async def _look_elsewhere(self, back: Folder, messages: Sequence[tuple[int, int]]) -> None:
        """See whether messages still are in other folders, and come back to this one."""
        by_name = {one.name: one for one in self._listed}
        uids: dict[int, list[int]] = {}
        for number, uid in messages:
            uids.setdefault(number, []).append(uid)
        for folder in self._store.remotes.folders(self._row):
            if folder.id not in uids or folder.name not in by_name:
                continue
            found = await self._selected(by_name[folder.name])
            if found.uidvalidity != folder.uidvalidity:
                await self._store.remotes.begin(folder.id, found.uidvalidity)
                continue
            for start in range(0, len(uids[folder.id]), RANGE):
                part = uids[folder.id][start : start + RANGE]
                there = await self._session.flags(part)
                await self._store.remotes.lose(folder.id, [uid for uid in part if uid not in there])
        again = await self._selected(by_name[back.name])
        if again.uidvalidity != back.uidvalidity:
            raise Unavailable("the uids of a mailbox changed meanwhile")

    # --- here ---------------------------------------------------------------------------------------------------------

    async def _tell(self, pair: _Pair, targets: Targets, found: Selected, tally: Tally) -> None:
        if found.writable:
            tally.told += await self._departures(pair.folder, targets, pair.place.there).tell()
            pair.folder = self._again(pair.folder)

    def _departures(self, folder: Folder, targets: Targets, own: Listed) -> Departures:
        return Departures(self._store, self._session, folder, targets, self._uses.get(TRASH), own)

    async def _aside(self, folder: Folder, targets: Targets, tally: Tally) -> None:
        """A folder that is not watched, but holds messages that were moved there: Trash, Archive, Junk."""
        there = next((one for one in self._listed if one.name == folder.name), None)
        if there is None:
            return
        pair = _Pair(Place(there, ""), folder)
        await self._quiet(pair)
        if self._store.remotes.settled(pair.folder):
            return
        found = await self._selected(there)
        if folder.uidvalidity != found.uidvalidity:
            await self._store.remotes.begin(folder.id, found.uidvalidity)
            return
        await self._tell(pair, targets, found, tally)

    async def _quiet(self, pair: _Pair) -> None:
        """What changed here and is the same there is nothing to tell."""
        folder = self._again(pair.folder)
        if not self._store.remotes.settled(folder):
            changes = await self._store.remotes.changes(folder)
            if changes is not None and not changes[0] and not changes[1]:
                await self._store.remotes.pushed(folder.id, changes[2])


def _apart(had: Sequence[int], there: Sequence[int]) -> tuple[list[int], list[int]]:
    """What is only in the one, and what is only in the other, each in order."""
    before, now = set(had), set(there)
    return sorted(before - now), sorted(now - before)
