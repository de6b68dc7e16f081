"""The stored part table: enough of the tree of parts to serve every section of a message without a new scan.

One line per part, depth first, columns parted by tabs: children, start, body, end, lines, type, subtype, encoding,
disposition, id, then the parameters and, behind an empty column, those of the disposition.
"""

from gk.message.header import Params
from gk.message.part import Part


def dump(part: Part) -> bytes:
    """The tree as bytes; ENVELOPE fields, description, language, location and MD5 are left out."""
    rows: list[bytes] = []
    todo = [part]
    while todo:
        item = todo.pop()
        columns = [
            b"%d\t%d\t%d\t%d\t%d" % (len(item.children), item.start, item.body, item.end, item.lines),
            item.type,
            item.subtype,
            item.encoding,
            item.disposition or b"",
            item.id or b"",
        ]
        for pair in item.params:
            columns.append(b"=".join(pair))  # noqa: PERF401 - faster than extend for one or two
        if item.disposition_params:
            columns.append(b"")
            columns.extend(map(b"=".join, item.disposition_params))
        row = b"\t".join(columns)
        if b"\n" in row or row.count(b"\t") != len(columns) + 3:
            row = b"\t".join([columns[0], *map(_flat, columns[1:])])
        rows.append(row)
        todo.extend(reversed(item.children))
    return b"\n".join(rows)


def _flat(value: bytes) -> bytes:
    return value.replace(b"\t", b" ").replace(b"\n", b" ")


def load(blob: bytes) -> Part:
    """The tree that `dump` gave these bytes for; raises ValueError for other bytes."""
    top: Part | None = None
    open_parts: list[tuple[Part, int]] = []
    for row in blob.split(b"\n"):
        columns = row.split(b"\t")
        if len(columns) < 10:
            raise ValueError("part table row too short")
        count, start, body, end, lines = map(int, columns[:5])
        type_, subtype, encoding, disposition, identity = columns[5:10]
        params, placing = _pairs(columns[10:])
        part = Part(start, body, end, type_, subtype, params, encoding, lines)
        part.disposition = disposition or None
        part.disposition_params = placing
        part.id = identity or None
        if top is None:
            top = part
        elif not open_parts:
            raise ValueError("part table row without a parent")
        else:
            parent, left = open_parts.pop()
            parent.children.append(part)
            if left > 1:
                open_parts.append((parent, left - 1))
        if count > 0:
            open_parts.append((part, count))
    if top is None or open_parts:
        raise ValueError("part table cut short")
    return top


def _pairs(columns: list[bytes]) -> tuple[Params, Params]:
    if not columns:
        return (), ()
    split = columns.index(b"") if b"" in columns else len(columns)
    return _split(columns[:split]), _split(columns[split + 1 :])


def _split(columns: list[bytes]) -> Params:
    found: list[tuple[bytes, bytes]] = []
    for column in columns:
        name, _, value = column.partition(b"=")
        found.append((name, value))
    return tuple(found)
