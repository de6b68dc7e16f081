"""The messages themselves as FETCH answers them: BODY sections and BINARY (RFC 3501 §6.4.5, RFC 3516 §4.2).

Messages are read ahead while the ones before are written; a large one is never in memory as a whole.
"""

import asyncio
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from gk.imap import fetched
from gk.imap.conversation import Conversation
from gk.imap.fetch_items import Binary, Section
from gk.message.binary import BadEncoding, decoded
from gk.message.part import Part
from gk.store.content import IN_MEMORY, Content

CONTENTS, CONTENT_BYTES = 64, 1 << 20  # messages read at once, and their bytes
PIECE = 256 << 10  # bytes of a large message in memory
IN_LOOP = 16 << 10  # bytes of a header or structure that are worked on in the event loop: up to 4 ms
DECODED_AT_ONCE = 1 << 20  # octets of an encoded part that is decoded as a whole

END = b")\r\n"

T = TypeVar("T")


class FetchedContents:
    """Tells what is taken from the messages' bytes."""

    def __init__(self, c: Conversation, items: Sequence[Section | Binary]) -> None:
        self._c, self._items = c, items
        self._binary = [item for item in items if isinstance(item, Binary)]
        self.undecodable = False  # a part could not be decoded: its message was left out

    async def tell(self, uids: Sequence[int], heads: Sequence[bytes], rows: Mapping[str, Sequence[Any]]) -> bool:
        """Answer for these messages; `heads` are what comes before, `rows` their columns. Whether all were there."""
        try:
            async with asyncio.TaskGroup() as ahead:
                return await self._tell(ahead, uids, heads, rows)
        except BaseExceptionGroup as group:  # the client is gone, or a message cannot be read
            raise group.exceptions[0] from None

    async def _tell(
        self, ahead: asyncio.TaskGroup, uids: Sequence[int], heads: Sequence[bytes], rows: Mapping[str, Sequence[Any]]
    ) -> bool:
        complete = True
        read = functools.partial(self._c.store.mailboxes.contents, self._c.mailbox)
        batches = list(_batches(rows["size"]))
        coming = ahead.create_task(read(list(uids[slice(*batches[0])]))) if batches else None
        for number, (start, stop) in enumerate(batches):
            assert coming is not None
            contents = await coming
            if number + 1 < len(batches):
                coming = ahead.create_task(read(list(uids[slice(*batches[number + 1])])))
            try:
                for place, content in zip(range(start, stop), contents, strict=True):
                    if content is None:
                        complete = False
                    else:
                        await self._message(heads[place], content, {name: rows[name][place] for name in rows})
            finally:
                for content in contents:
                    if content is not None:
                        content.close()
            await self._c.flush()
        return complete

    async def _message(self, head: bytes, content: Content, row: dict[str, Any]) -> None:
        c = self._c
        tree: Part | None = await made_of(fetched.tree, row["parts"]) if "parts" in row else None
        head_size = len(row.get("header", b""))
        try:
            binary = {item: await _binary(content, item, head_size, tree) for item in self._binary}
        except BadEncoding:
            self.undecodable = True
            return
        joint = b"" if head.endswith(b"(") else b" "
        c.tell(head)
        for item in self._items:
            c.tell(joint, item.label, b" ")
            joint = b" "
            if isinstance(item, Binary):
                await binary[item].tell(c)
                continue
            found = fetched.span(item, content.size, head_size, tree)
            if found is None:
                c.tell(b"NIL")
            elif item.fields is not None:
                c.tell(await made_of(functools.partial(fetched.filtered, item), await _read(content, *found)))
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


class _Decoded:
    """The answer to one BINARY item: its bytes, or how many there are and how they are made piece by piece."""

    def __init__(
        self,
        data: bytes | None,
        size: int = 0,
        nul: bool = False,
        again: Callable[[], Iterator[bytes]] | None = None,
    ) -> None:
        self._data, self._size, self._nul, self._again = data, size, nul, again

    async def tell(self, c: Conversation) -> None:
        if self._data is not None:
            c.tell(self._data)
            return
        assert self._again is not None
        c.tell(b"%b{%d}\r\n" % (b"~" if self._nul else b"", self._size))
        pieces = self._again()
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            c.tell(piece)
            await c.flush()


async def _binary(content: Content, item: Binary, head: int, tree: Part | None) -> _Decoded:
    """What a BINARY item is answered with; raises BadEncoding before anything was told."""
    wanted = item.section
    found = fetched.span(wanted, content.size, head, tree)
    if found is None:
        return _Decoded(b"0" if item.size else b"NIL")
    if wanted.fields is not None:
        text = await made_of(functools.partial(fetched.filtered, wanted), await _read(content, *found))
        return _Decoded(b"%d" % len(text.partition(b"\r\n")[2]) if item.size else text)
    part = fetched.encoded_part(wanted, tree) or Part(found[0], *found, encoding=b"")
    if found[1] - found[0] <= DECODED_AT_ONCE:
        if content.size <= IN_MEMORY and found[1] - found[0] <= IN_LOOP:
            return _whole(content, item, part)
        return await asyncio.to_thread(_whole, content, item, part)
    size, nul = await asyncio.to_thread(_measured, content, item, part)
    if item.size:
        return _Decoded(b"%d" % size)
    return _Decoded(None, size, nul, lambda: _cut(decoded(content.sliced, part), wanted.partial))


def _whole(content: Content, item: Binary, part: Part) -> _Decoded:
    pieces = decoded(content.sliced, part)
    if item.size:
        return _Decoded(b"%d" % sum(map(len, pieces)))
    data = b"".join(pieces)
    if item.section.partial is not None:
        first, length = item.section.partial
        data = data[first : first + length]
    return _Decoded(b"%b{%d}\r\n%b" % (b"~" if b"\0" in data else b"", len(data), data))


def _measured(content: Content, item: Binary, part: Part) -> tuple[int, bool]:
    size, nul = 0, False
    for piece in _cut(decoded(content.sliced, part), item.section.partial):
        size += len(piece)
        nul = nul or b"\0" in piece
    return size, nul


def _cut(pieces: Iterator[bytes], partial: tuple[int, int] | None) -> Iterator[bytes]:
    """The bytes `<first.length>` leaves of the pieces; all pieces are made, so that an error at the end is seen."""
    first, length = partial if partial is not None else (0, 1 << 62)
    at = 0
    for piece in pieces:
        kept = piece[max(0, first - at) : max(0, first + length - at)]
        at += len(piece)
        if kept:
            yield kept


def _batches(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Places from and to, so that the messages between are of a bounded size together."""
    start, size = 0, 0
    for place, more in enumerate(sizes):
        if place > start and (size + more > CONTENT_BYTES or place - start == CONTENTS):
            yield start, place
            start, size = place, 0
        size += more
    if start < len(sizes):
        yield start, len(sizes)


async def made_of(make: Callable[[bytes], T], value: bytes) -> T:
    """What is made of a value of the index; off the loop where that takes long."""
    return make(value) if len(value) <= IN_LOOP else await asyncio.to_thread(make, value)


async def _read(content: Content, start: int, end: int) -> bytes:
    """Bytes of a message; off the loop when they are on the disk."""
    if content.size <= IN_MEMORY:
        return content.read(start, end - start)
    return await asyncio.to_thread(content.read, start, end - start)
