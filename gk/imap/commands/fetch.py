"""FETCH and UID FETCH (RFC 3501 §6.4.5, §6.4.8; MODSEQ and CHANGEDSINCE of RFC 7162; ids of RFC 8474).

Three ways, by what is asked for: the snapshot's arrays alone, rows of the index, or the messages themselves. Each goes
in slices, between which others have their turn and a slow client is waited for.
"""

import asyncio
import functools
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from gk.errors import Unavailable
from gk.imap import fetch_items, fetched
from gk.imap.conversation import Conversation
from gk.imap.fetch_items import Fetch, Item, Section
from gk.imap.grammar import Cursor
from gk.imap.plain_body import plain_body
from gk.imap.registry import announce, command
from gk.imap.reply import Reply, bad, no, ok
from gk.imap.session import SELECTED
from gk.imap.view import Slice
from gk.message.part import Part
from gk.store.content import IN_MEMORY, Content
from gk.store.values import SEEN, Flags

ARRAY_SLICE, ROW_SLICE, CONTENT_SLICE = 2000, 500, 100  # messages
ROW_BYTES = 1 << 20  # of the columns of a slice
HEADER_SECTIONS = 10  # of one FETCH that are taken from the index for a whole slice
CONTENT_BYTES = 2 << 20  # of the messages read at once
PIECE = 256 << 10  # bytes of a large message in memory
IN_LOOP = 16 << 10  # bytes of a header or structure that are worked on in the event loop: up to 4 ms

END = b")\r\n"

T = TypeVar("T")
Rows = dict[str, Sequence[Any]]  # columns of the index by name
Made = dict[Item, Sequence[bytes]]

announce("OBJECTID")


@command("FETCH", when=SELECTED, expunges=False)
async def fetch(c: Conversation, args: Cursor) -> Reply:
    return await _fetch(c, args, by_uid=False)


@command("UID FETCH", when=SELECTED)
async def uid_fetch(c: Conversation, args: Cursor) -> Reply:
    return await _fetch(c, args, by_uid=True)


async def _fetch(c: Conversation, args: Cursor, *, by_uid: bool) -> Reply:
    args.space()
    chosen = args.sequence_set()
    args.space()
    wanted = fetch_items.parse(args)
    view = c.view
    if b"MODSEQ" in wanted.items:
        c.session.enable("CONDSTORE")  # RFC 7162 §3.1
    numbers = view.select(chosen, by_uid=by_uid)
    if numbers is None:
        return bad("there is no message of that number")
    if wanted.changed_since is not None:
        numbers = view.changed_since(numbers, wanted.changed_since)
    if by_uid and b"UID" not in wanted.items:
        wanted = Fetch((b"UID", *wanted.items), wanted.changed_since)
    complete = await _Fetching(c, wanted).run(numbers)
    if complete:
        return ok("that is all")
    return no("some of them were expunged meanwhile", "EXPUNGEISSUED")


class _Fetching:
    """One FETCH under way."""

    def __init__(self, c: Conversation, wanted: Fetch) -> None:
        self._c, self._view = c, c.view
        self._sees = wanted.sees and not c.view.read_only
        self._contents = [i for i in wanted.items if isinstance(i, Section) and not fetched.from_header(i)]
        self._headers = [i for i in wanted.items if isinstance(i, Section) and fetched.from_header(i)]
        if len(self._headers) > HEADER_SECTIONS:  # then message by message
            self._contents += self._headers
            self._headers = []
        plain: list[Item] = [i for i in wanted.items if not isinstance(i, Section)]
        self._items: list[Item] = [*plain, *self._headers]
        self._template = fetched.template(self._items)
        columns = {fetched.COLUMNS[i] for i in plain if isinstance(i, bytes) and i in fetched.COLUMNS}
        if self._headers or any(not s.path and s.text for s in self._contents):
            columns.add("header")
        if any(s.path for s in self._contents):
            columns.add("parts")
        if self._contents:
            columns.add("size")
        self._columns = tuple(sorted(columns))

    async def run(self, numbers: Sequence[int]) -> bool:
        """Answer for these messages; whether all of them were there."""
        most = CONTENT_SLICE if self._contents else ROW_SLICE if self._columns else ARRAY_SLICE
        complete, start = True, 0
        seen: frozenset[int] = frozenset()
        while start < len(numbers):
            part = self._view.look(numbers[start : start + most])
            if self._sees:
                seen |= await self._see(part)
                part = self._view.look(part.numbers)
            self._c.tell(self._view.introduce(part.flags))
            rows, part, last = self._rows(part)
            start = start + most if last is None else bisect_right(numbers, last, start)
            made = await self._make(rows)
            complete &= part.complete
            if self._contents:
                await self._with_contents(part, rows, made, seen)
            else:
                self._c.tell(self._lines(part, rows, made, seen))
            await self._c.flush()
        return complete

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
            return {}, part, None
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

    async def _make(self, rows: Rows) -> Made:
        """The items that are made from a column of the index."""
        made: Made = {}
        for item in self._items:
            if isinstance(item, Section):
                of_header = functools.partial(fetched.of_header, item)
                made[item] = [await _made(of_header, head) for head in rows.get("header", ())]
            elif item == b"BODY":
                made[item] = [await _made(plain_body, structure) for structure in rows.get("bodystructure", ())]
        return made

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
                columns.append(fetched.column(item, rows[fetched.COLUMNS[item]]))
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

    # -- messages themselves

    async def _with_contents(self, part: Slice, rows: Rows, made: Made, seen: frozenset[int]) -> None:
        heads = self._heads(part, rows, made, seen)
        start, count = 0, len(part.uids)
        while start < count:
            stop, size = start, 0
            while stop < count and (stop == start or size + rows["size"][stop] <= CONTENT_BYTES):
                size += rows["size"][stop]
                stop += 1
            contents = await self._c.store.mailboxes.contents(self._c.mailbox, list(part.uids[start:stop]))
            for place, content in zip(range(start, stop), contents, strict=True):
                if content is None:
                    part.complete = False
                    continue
                try:
                    await self._message(heads[place], content, {name: rows[name][place] for name in self._columns})
                finally:
                    content.close()
            start = stop
            await self._c.flush()

    async def _message(self, head: bytes, content: Content, row: dict[str, Any]) -> None:
        c = self._c
        tree: Part | None = await _made(fetched.tree, row["parts"]) if "parts" in row else None
        head_size = len(row.get("header", b""))
        joint = b"" if head.endswith(b"(") else b" "
        c.tell(head)
        for item in self._contents:
            found = fetched.span(item, content.size, head_size, tree)
            c.tell(joint, item.label, b" ")
            joint = b" "
            if found is None:
                c.tell(b"NIL")
            elif item.fields is not None:
                c.tell(await _made(functools.partial(fetched.filtered, item), await _read(content, *found)))
            else:
                await self._piece(content, *fetched.narrowed(found, item.partial))
            await c.breathe()
        c.tell(END)

    async def _piece(self, content: Content, start: int, end: int) -> None:
        """A literal of these bytes of the message, a large one in pieces."""
        if end - start <= PIECE:
            data = await _read(content, start, end)
            if data:
                self._c.tell(b"{%d}\r\n" % len(data), fetched.clean(data))
            else:
                self._c.tell(b'""')
            return
        self._c.tell(b"{%d}\r\n" % (end - start))
        for at in range(start, end, PIECE):
            self._c.tell(fetched.clean(await _read(content, at, min(at + PIECE, end))))
            await self._c.flush()


async def _made(make: Callable[[bytes], T], value: bytes) -> T:
    """What is made of a value of the index; off the loop where that takes long."""
    return make(value) if len(value) <= IN_LOOP else await asyncio.to_thread(make, value)


async def _read(content: Content, start: int, end: int) -> bytes:
    """Bytes of a message; off the loop when they are on the disk."""
    if content.size <= IN_MEMORY:
        return content.read(start, end - start)
    return await asyncio.to_thread(content.read, start, end - start)
