"""Some fields of a header, found in one pass of one regular expression (RFC 3501 §6.4.5, HEADER.FIELDS)."""

import re
from collections.abc import Callable
from functools import lru_cache

from gk.message.header import filter_fields

NAME = 998  # octets: no field of a message has a longer name (RFC 5322 §2.1.1)
COMPILED = 1000  # octets of the names of one expression; making it takes 1 ms, and the last 256 are kept


@lru_cache(256)
def finder(names: frozenset[bytes]) -> Callable[[bytes], list[bytes]]:
    """A function from a header with a line end before it to its fields of these names (lower case), in order.

    Each comes as it stands, folded lines included, without its last LF.
    """
    wanted = b"|".join(map(re.escape, sorted(names)))
    return re.compile(rb"\n((?:" + wanted + rb")[ \t]*+:[^\n]*+(?:\n[ \t][^\n]*+)*+)", re.IGNORECASE).findall


def fields(header: bytes, names: frozenset[bytes]) -> bytes:
    """The fields of these names and the empty line."""
    if sum(map(len, names)) > COMPILED:
        return filter_fields(header, set(names), False)
    found = finder(names)(b"\n" + header)
    if not found:
        return b"\r\n"
    text = b"\n".join(found)
    return text + (b"\n\r\n" if text.endswith(b"\r") else b"\r\n\r\n")
