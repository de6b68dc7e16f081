"""A FETCH under way (RFC 3501 §6.4.5).

Three ways, by what is asked for: the snapshot's arrays alone, rows of the index, or the messages themselves. Each goes
in slices, between which others have their turn and a slow client is waited for.
"""

import functools
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from gk.errors import Unavailable
from gk.imap import fetched
from gk.imap.conversation import Conversation
from gk.imap.fetch_items import Binary, Fetch, Item, Section
from gk.imap.fetched_contents import END, FetchedContents, made_of
from gk.imap.plain_body import plain_body
from gk.imap.view import Slice
from gk.message import table
from gk.message.preview import preview
from gk.store.content import Content
from gk.store.values import SEEN, Flags

ARRAY_SLICE, ROW_SLICE = 2000, 500  # messages
PREVIEWED = 100  # messages read at once for their previews
PREVIEW_IN_LOOP = 4 << 10  # bytes of a message whose preview is made in the event loop: 1 ms
ROW_BYTES = 1 << 20  # of the columns of a slice
HEADER_SECTIONS = 10  # of one FETCH that are taken from the index for a whole slice

Rows = dict[str, Sequence[Any]]  # columns of the index by name
Made = dict[Item, Sequence[bytes]]


class Fetching:
    """One FETCH. `complete`: all messages were there; `undecodable`: a BINARY could not be answered."""

    def __init__(self, c: Conversation, wanted: Fetch, *, by_uid: bool) -> None:
        self._c, self._view = c, c.view
        self.complete, self.undecodable = True, False
        self._lazy = wanted.lazy
        items = wanted.items
        if by_uid and b"UID" not in items:
            items = (b"UID", *items)
        self._sees = wanted.sees and not c.view.read_only
        self._binary = [i for i in items if isinstance(i, Binary)]
        self._sections = [i for i in items if isinstance(i, Section) and not fetched.from_header(i)]
        self._headers = [i for i in items if isinstance(i, Section) and fetched.from_header(i)]
        if len(self._headers) > HEADER_SECTIONS:  # then message by message
            self._sections += self._headers
            self._headers = []
        of_contents: list[Section | Binary] = [*self._sections, *self._binary]
        plain: list[Item] = [i for i in items if isinstance(i, bytes)]
        self._items: list[Item] = [*plain, *self._headers]
        self._template = fetched.template(self._items)
        columns = {fetched.COLUMNS[i] for i in plain if isinstance(i, bytes) and i in fetched.COLUMNS}
        columns |= {more for item, more in fetched.MORE_COLUMNS.items() if item in plain}
        sections = [*self._sections, *(item.section for item in self._binary)]
        if self._headers or any(not s.path and s.text for s in sections):
            columns.add("header")
        if any(item.path for item in of_contents):
            columns.add("parts")
        if of_contents:
            columns.add("size")
        self._columns = tuple(sorted(columns))
        self._from_contents = FetchedContents(c, of_contents) if of_contents else None

    async def run(self, numbers: Sequence[int]) -> None:
        """Answer for these messages."""
        if self._items == [b"UID"] and self._from_contents is None:
            await self._run_uids(numbers)
            return
        most = ROW_SLICE if self._columns else ARRAY_SLICE
        start = 0
        seen: frozenset[int] = frozenset()
        while start < len(numbers):
            part = self._view.look(numbers[start : start + most])
            if self._sees:
                self.complete &= part.complete
                seen |= await self._see(part)
                part = self._view.look(part.numbers)
            self._c.tell(self._view.introduce(part.flags))
            rows, part, last = self._rows(part)
            start = start + most if last is None else bisect_right(numbers, last, start)
            made = await self._make(part, rows)
            self.complete &= part.complete
            if self._from_contents is not None:
                heads = self._heads(part, rows, made, seen)
                self.complete &= await self._from_contents.tell(part.uids, heads, rows)
                self.undecodable |= self._from_contents.undecodable
            else:
                self._c.tell(self._lines(part, rows, made, seen))
            await self._c.flush()

    async def _run_uids(self, numbers: Sequence[int]) -> None:
        """Nothing but uids: the view has them even of messages that went meanwhile (RFC 2180 §4.1.1)."""
        template = self._template + END
        for start in range(0, len(numbers), ARRAY_SLICE):
            part = numbers[start : start + ARRAY_SLICE]
            self._c.tell(b"".join([template % pair for pair in zip(part, self._view.uids(part), strict=True)]))
            await self._c.flush()

    async def _see(self, part: Slice) -> frozenset[int]:
        """Set \\Seen where it is not set; the uids. A store that cannot write does not keep mail from being read."""
        unseen = [uid for uid, value in zip(part.uids, part.flags, strict=True) if not value & SEEN]
        if not unseen:
            return frozenset()
        try:
            await self._c.store.mailboxes.store_flags(self._c.mailbox, unseen, "add", Flags(SEEN))
        except Unavailable:
            return frozenset()
        self._view.told(unseen)
        return frozenset(unseen)

    def _rows(self, part: Slice) -> tuple[Rows, Slice, int | None]:
        """The columns asked for, by name, the slice without messages that are gone from the index, and where it ends
        early: at this message number."""
        if not self._columns or not len(part.uids):
            return dict.fromkeys(self._columns, ()), part, None
        rows = self._c.store.mailboxes.rows(self._c.mailbox, part.uids, self._columns, ROW_BYTES)
        if not rows:
            return dict.fromkeys(self._columns, ()), part.only(set()), None
        last = None
        if rows[-1][0] < part.uids[-1]:
            part = part.up_to(rows[-1][0])
            last = part.numbers[-1]
        if len(rows) < len(part.uids):
            part = part.only({row[0] for row in rows})
        _, *columns = zip(*rows, strict=True)
        return dict(zip(self._columns, columns, strict=True)), part, last

    async def _make(self, part: Slice, rows: Rows) -> Made:
        """The items that are made from a column of the index, or of the search index."""
        made: Made = {}
        for item in self._items:
            if isinstance(item, Section):
                of_header = functools.partial(fetched.of_header, item)
                made[item] = [await made_of(of_header, head) for head in rows.get("header", ())]
            elif item == b"BODY":
                made[item] = [await made_of(plain_body, structure) for structure in rows.get("bodystructure", ())]
            elif item == b"INTERNALDATE":
                made[item] = list(map(fetched.internal_date, rows.get("internaldate", ()), rows.get("zone", ())))
            elif item == b"SAVEDATE":
                made[item] = [b"NIL" if date is None else fetched.internal_date(date) for date in rows.get("saved", ())]
            elif item == b"PREVIEW":
                made[item] = await self._previews(part)
        return made

    async def _previews(self, part: Slice) -> list[bytes]:
        """The beginnings of the texts: as indexed, or made now unless that is too much to ask (RFC 8970 §3.1)."""
        store, mailbox = self._c.store, self._c.mailbox
        known = await store.search.previews(mailbox, part.uids)
        missing = [] if self._lazy else [uid for uid in part.uids if uid not in known]
        for start in range(0, len(missing), PREVIEWED):
            uids = missing[start : start + PREVIEWED]
            trees: dict[int, bytes] = dict(store.mailboxes.rows(mailbox, uids, ("parts",)))
            for uid, content in zip(uids, await store.mailboxes.contents(mailbox, uids), strict=True):
                if content is not None and uid in trees:
                    try:
                        if content.size + len(trees[uid]) <= PREVIEW_IN_LOOP:
                            known[uid] = _preview(content, trees[uid])
                        else:
                            known[uid] = await self._c.computed(_preview, content, trees[uid])
                    finally:
                        content.close()
                await self._c.breathe()
        return [fetched.string(known[uid].encode()) if uid in known else b"NIL" for uid in part.uids]

    def _lines(self, part: Slice, rows: Rows, made: Made, seen: frozenset[int]) -> bytes:
        if seen:
            return b"".join([line + END for line in self._heads(part, rows, made, seen)])
        template = self._template + END
        return b"".join([template % values for values in zip(*self._values(part, rows, made), strict=True)])

    def _heads(self, part: Slice, rows: Rows, made: Made, seen: frozenset[int]) -> list[bytes]:
        """`* 1 FETCH (…` of each message: all that needs no content."""
        template = self._template
        lines = [template % values for values in zip(*self._values(part, rows, made), strict=True)]
        if seen:
            self._add_flags(part, lines, seen)
        return lines

    def _values(self, part: Slice, rows: Rows, made: Made) -> list[Sequence[Any]]:
        """The columns of the template."""
        columns: list[Sequence[Any]] = [part.numbers]
        for item in self._items:
            if item in made:
                columns.append(made[item])
            elif item == b"UID":
                columns.append(part.uids)
            elif item == b"FLAGS":
                columns.append(self._view.rendered(part))
            elif item == b"MODSEQ":
                columns.append(part.modseqs)
            else:
                assert isinstance(item, bytes)
                columns.append(rows[fetched.COLUMNS[item]])
        return columns

    def _add_flags(self, part: Slice, lines: list[bytes], seen: frozenset[int]) -> None:
        """\\Seen was set by this FETCH, so the client learns the new flags (RFC 3501 §6.4.5)."""
        flags = self._view.rendered(part)
        for place, uid in enumerate(part.uids):
            if uid not in seen:
                continue
            more = []
            if b"FLAGS" not in self._items:
                more.append(b"FLAGS (%b)" % flags[place])
            if self._view.with_modseq and b"MODSEQ" not in self._items:
                more.append(b"MODSEQ (%d)" % part.modseqs[place])
            if more:
                joint = b"" if lines[place].endswith(b"(") else b" "
                lines[place] += joint + b" ".join(more)


def _preview(content: Content, parts: bytes) -> str:
    return preview(content.sliced, table.load(parts))
