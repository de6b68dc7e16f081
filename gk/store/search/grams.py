"""Texts as the trigram and word tables of FTS5 take them, and questions to those tables.

FTS5 stops at a NUL and knows no surrogates; both become U+FFFD, in texts and in needles alike, so a needle's
trigrams are among those of every text that holds it. What they find beyond that, the stored text refutes.
"""

import re
import unicodedata
import zlib

GRAM = 3  # characters; a shorter needle has no trigram
MOST = 12  # trigrams asked for of one needle: more cost more than the candidates they spare
WORDS, WORD = 16, 64  # words of one question, characters of a word
SMALL = 8 << 10  # octets of a text that is packed with the window of its size

_UNFIT = re.compile("[\x00\ud800-\udfff]")
_WORD = re.compile(r"[^\W_]+")


def fit(text: str) -> str:
    """The text as FTS5 is given it."""
    return text if text.isascii() and "\0" not in text else _UNFIT.sub("\ufffd", text)


def match(needle: str) -> str:
    """The FTS5 question for texts that may hold a needle of at least three characters."""
    needle = fit(needle)
    last = len(needle) - GRAM
    starts = range(last + 1)
    if last >= MOST:
        starts = range(0, last + 1, -(-last // (MOST - 1)))
    grams = dict.fromkeys([*(needle[at : at + GRAM] for at in starts), needle[last:]])
    return " AND ".join(map(quoted, grams))


def quoted(text: str) -> str:
    """A string of the FTS5 query language."""
    return '"' + text.replace('"', '""') + '"'


def words(text: str) -> list[str]:
    """The words of a question, each once."""
    found = _WORD.findall(unicodedata.normalize("NFC", fit(text)).casefold())
    return list(dict.fromkeys(word[:WORD] for word in found))[:WORDS]


def pack(text: str) -> bytes:
    """A text as it is stored: lone surrogates, which UTF-7 may hide in mail, included."""
    if not text:
        return b""
    octets = text.encode("utf-8", "surrogatepass")
    if len(octets) > SMALL:
        return zlib.compress(octets, 1)
    packer = zlib.compressobj(
        1, zlib.DEFLATED, 13, 6
    )  # the window and tables of 8 KiB: set up in an eighth of the time
    return packer.compress(octets) + packer.flush()


def unpack(data: bytes) -> str:
    """The inverse; raises zlib.error or UnicodeDecodeError for damaged bytes."""
    return zlib.decompress(data).decode("utf-8", "surrogatepass") if data else ""
