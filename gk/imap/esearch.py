"""ESEARCH responses as bytes (RFC 4731 §3.2, RFC 9051 §7.3.4)."""

from collections.abc import Mapping, Sequence

from gk.imap.search_options import Options
from gk.store.chosen import uid_set


def response(
    tag: bytes,
    options: Options,
    found: Sequence[int],
    *,
    by_uid: bool,
    modseq: int | None = None,
    scores: Mapping[int, int] | None = None,
) -> bytes:
    """`* ESEARCH (TAG "a1") UID …`; `found` are message numbers or uids in the order of the command.

    Where nothing was found there is neither MIN nor MAX nor ALL, COUNT is 0 and PARTIAL is NIL (RFC 4731 §3.1,
    RFC 9394 §3.1). `scores` are the relevancies of what was found, told in the order of ALL or PARTIAL (RFC 6203 §4).
    """
    items = ["UID"] if by_uid else []
    if found and options.min:
        items.append(f"MIN {found[0]}")
    if found and options.max:
        items.append(f"MAX {found[-1]}")
    if options.count:
        items.append(f"COUNT {len(found)}")
    shown = found
    if found and options.all:
        items.append(f"ALL {sequence_set(found)}")
    if options.partial is not None:
        shown = options.partial.of(found)
        items.append(f"PARTIAL ({options.partial.written.decode()} {sequence_set(shown) if shown else 'NIL'})")
    if options.relevancy and shown and scores:
        items.append(f"RELEVANCY ({' '.join([str(scores[number]) for number in shown])})")
    if modseq is not None:
        items.append(f"MODSEQ {modseq}")
    return b'* ESEARCH (TAG "%b")%b\r\n' % (tag, "".join([f" {item}" for item in items]).encode())


def sequence_set(values: Sequence[int]) -> str:
    """Values in their order as a sequence set: only what ascends by ones becomes a range (RFC 5267 §3.2)."""
    first, last = values[0], values[-1]
    if last - first == len(values) - 1 > 0 and (type(values) is range or list(values) == list(range(first, last + 1))):
        return f"{first}:{last}"
    return uid_set(values)
