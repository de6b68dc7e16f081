"""Changes of a header section: fields removed and fields added (RFC 5293)."""

import re
from dataclasses import dataclass

_FOLDED = (b" ", b"\t")
_ENDS = re.compile(rb"\r?\n\Z")


@dataclass(frozen=True, slots=True)
class Edits:
    """`removed` counts fields from 0 in the order of the header; `first` and `last` are whole fields with CRLF."""

    removed: frozenset[int] = frozenset()
    first: tuple[bytes, ...] = ()
    last: tuple[bytes, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.removed or self.first or self.last)


NO_EDITS = Edits()


def edited(header: bytes, edits: Edits) -> bytes:
    """The header section, its empty line included if it had one, with the changes made."""
    if not edits:
        return header
    kept: list[bytes] = []
    rest = b""
    count, keep = -1, True
    at = 0
    while at < len(header):
        end = header.find(b"\n", at) + 1 or len(header)
        line = header[at:end]
        if line in (b"\n", b"\r\n"):
            rest = header[at:]
            break
        if not line.startswith(_FOLDED) or at == 0:
            keep = True
            if b":" in line:
                count += 1
                keep = count not in edits.removed
        if keep:
            kept.append(line)
        at = end
    body = b"".join(kept)
    if edits.last and body and not _ENDS.search(body):
        body += b"\r\n"
    return b"".join(edits.first) + body + b"".join(edits.last) + rest
