"""New mail there, taken in here: looked at in ranges of 200 uids, compared with what is known, brought and kept in
batches of 20, a commit each.

What is known by its header and size is not brought a second time; what is larger than a message may be stays there.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from gk import metrics
from gk.errors import Refused, Unavailable
from gk.inbound.remote.parsing import Fetched
from gk.inbound.remote.session import RANGE, Session
from gk.store.db import JOURNAL, Store
from gk.store.remote_marks import Marked, marked
from gk.store.remote_rows import Folder
from gk.store.remote_taking import Arriving, Taken
from gk.store.spool import SpoolFile
from gk.transfer.answers import BadAnswer
from gk.transfer.lines import crlf

log = logging.getLogger(__name__)

BATCH = 20  # messages of a commit
TOGETHER = 4 << 20  # octets of messages brought by one command
PIECE = 256 << 10  # octets of a large message brought at once
TRIES = 5  # sessions one message may end before it is left there
FEW = 8  # messages prepared before others get their turn

SeenElsewhere = Callable[[Sequence[tuple[int, int]]], Awaitable[None]]
Trouble = Counter[tuple[int, int]]  # (folder, uid): sessions that ended while it was brought


class Arrivals:
    """Brings messages of one folder over one session."""

    def __init__(
        self, store: Store, session: Session, folder: Folder, trouble: Trouble, seen_elsewhere: SeenElsewhere
    ) -> None:
        """`seen_elsewhere` is asked to look whether messages of other folders, by (folder, uid), still are there."""
        self._store, self._session, self._folder, self._trouble = store, session, folder, trouble
        self._seen_elsewhere = seen_elsewhere
        self._largest = store.limits.message_bytes

    async def take(self, uids: Sequence[int]) -> Taken:
        """Take in messages of these uids, in order. Raises what the session and the store raise."""
        total = Taken()
        for start in range(0, len(uids), RANGE):
            part = uids[start : start + RANGE]
            told = await self._session.look(part)
            plan, again = await self._plan(part, told)
            for at in range(0, len(plan), BATCH):
                batch = plan[at : at + BATCH]
                taken = await self._batch(batch, again)
                if taken.missed:  # was to be known again, and is not here any more
                    missed = set(taken.missed)
                    _add(total, await self._batch([one for one in batch if one.uid in missed], set()))
                _add(total, taken)
            await self._store.remotes.advance(self._folder.id, last=max(part))
        if total.new:
            metrics.delivered.labels("remote").inc(total.new)
        return total

    async def _plan(self, uids: Sequence[int], told: dict[int, Fetched]) -> tuple[list[Arriving], set[int]]:
        """What is to become of each message, in order of uids; the uids of those to be known again."""
        there = [uid for uid in uids if uid in told]
        headers = [told[uid].header or b"" for uid in there]
        marks = dict(zip(there, await asyncio.to_thread(_marked, headers), strict=True))
        keys = [(one.mark, told[uid].size or 0) for uid, one in marks.items()]
        known = self._store.remotes.compare(self._folder, uids, keys)
        if known.others:  # moved, or copied
            await self._seen_elsewhere(sorted(known.others))
            known = self._store.remotes.compare(self._folder, uids, keys)
        plan: list[Arriving] = []
        again: set[int] = set()
        for uid, one in marks.items():
            if uid in known.uids:
                continue
            found = told[uid]
            size, key = found.size or 0, (one.mark, found.size or 0)
            date = int(time.time()) if found.date is None else found.date
            if key in known.waiting:
                apart = False
                again.add(uid)
                if one.named:  # a second one is a copy
                    known.waiting.discard(key)
            else:
                apart = size > self._largest or (one.named and key in known.present)
            if one.named:
                known.present.add(key)
            plan.append(Arriving(uid, found.flags or 0, date, size, one, None, apart))
        return plan, again

    async def _batch(self, plan: Sequence[Arriving], again: set[int]) -> Taken:
        wanted = [one for one in plan if not one.apart and one.uid not in again]
        brought = await self._bring(wanted)
        kept = False
        try:
            batch = []
            for number, one in enumerate(plan):
                content = brought.get(one.uid)
                if one not in wanted:
                    batch.append(one)
                elif content is None:
                    batch.append(Arriving(one.uid, one.flags, one.date, one.size, one.marked, apart=True))
                else:
                    arrival = await self._store.prepare(content)
                    batch.append(Arriving(one.uid, one.flags, one.date, one.size, one.marked, arrival))
                if number % FEW == FEW - 1:
                    await asyncio.sleep(0)
            taken = await self._store.remotes.arrive(self._folder, batch)
            kept = True
            return taken
        finally:
            for content in () if kept else brought.values():
                if isinstance(content, SpoolFile):
                    content.discard()

    async def _bring(self, wanted: Sequence[Arriving]) -> dict[int, bytes | SpoolFile]:
        """The messages' contents; without those that are too large, or that the server does not send."""
        found: dict[int, bytes | SpoolFile] = {}
        try:
            for group in self._groups(wanted):
                found |= await self._group(group)
        except BaseException:
            for content in found.values():
                if isinstance(content, SpoolFile):
                    content.discard()
            raise
        return found

    def _groups(self, wanted: Sequence[Arriving]) -> list[list[Arriving]]:
        """What is brought by one command; large ones, and those a session ended with, each by itself."""
        groups: list[list[Arriving]] = []
        octets = TOGETHER
        for one in wanted:
            alone = not 0 < one.size <= JOURNAL or self._trouble[self._folder.id, one.uid] > 0
            if alone or octets + one.size > TOGETHER or not groups:
                groups.append([])
                octets = 0
            groups[-1].append(one)
            octets = TOGETHER if alone else octets + one.size
        return groups

    async def _group(self, group: Sequence[Arriving]) -> dict[int, bytes | SpoolFile]:
        keys = [(self._folder.id, one.uid) for one in group]
        if len(group) == 1 and self._trouble[keys[0]] >= TRIES:
            log.warning("event=remote_message_left folder=%d uid=%d", *keys[0])
            del self._trouble[keys[0]]
            return {}
        try:
            found = await self._contents(group)
        except (Unavailable, BadAnswer):
            self._trouble.update(keys)
            raise
        except Refused:
            if len(group) == 1:
                return {}
            found = {}
            for one in group:
                found |= await self._group([one])
        for key in keys:
            self._trouble.pop(key, None)
        return found

    async def _contents(self, group: Sequence[Arriving]) -> dict[int, bytes | SpoolFile]:
        if len(group) == 1 and not 0 < group[0].size <= JOURNAL:
            large = await self._large(group[0].uid)
            return {} if large is None else {group[0].uid: large}
        bodies = await self._session.bodies({one.uid: one.size for one in group})
        return {uid: crlf(body) for uid, body in bodies.items() if body}

    async def _large(self, uid: int) -> SpoolFile | None:
        """A message in pieces, through the spool; None where it is empty or larger than a message may be."""
        spool = self._store.spool()
        try:
            start, last = 0, b""
            while start <= self._largest:
                piece = await self._session.piece(uid, start, PIECE)
                if piece:
                    await spool.write(_joined(last, piece))
                    last = piece[-1:]
                start += len(piece)
                if len(piece) < PIECE:
                    break
            if 0 < spool.size <= self._largest and start <= self._largest:
                return spool
        except BaseException:
            spool.discard()
            raise
        spool.discard()
        return None


def _marked(headers: Sequence[bytes]) -> list[Marked]:
    return [marked(header) for header in headers]


def _joined(last: bytes, piece: bytes) -> bytes:
    """A piece with CRLF line ends, behind one that ended with `last`."""
    return b"\n" + crlf(piece[1:]) if last == b"\r" and piece[:1] == b"\n" else crlf(piece)


def _add(total: Taken, taken: Taken) -> None:
    total.new += taken.new
    total.again += taken.again
    total.apart += taken.apart
    total.senders += taken.senders
    total.conversations += taken.conversations
