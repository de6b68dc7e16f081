"""Words as signals see them: small letters without accents, one character for one.

`fold` keeps offsets: the fold of `text[i]` stands at `i`. It is one table look-up per octet of ISO 8859-1, which holds
all letters of French and English but œ; whatever it does not hold becomes a blank.
"""

import unicodedata
from itertools import pairwise

STEM = 6  # letters of a word that count: facture, factures, facturer and facturation are one

_BASE = {"æ": "a", "Æ": "a", "ø": "o", "Ø": "o", "ß": "s"}


def _table() -> bytes:
    table = bytearray(b" " * 256)
    for code in range(256):
        letter = bytes([code]).decode("latin-1")
        plain = _BASE.get(letter) or unicodedata.normalize("NFD", letter)[0].lower()
        if "a" <= plain <= "z":
            table[code] = ord(plain)
        elif "0" <= plain <= "9":
            table[code] = ord("0")
    return bytes(table)


_FOLD = _table()


def composed(text: str) -> str:
    """The text with accents put together with their letters (Unicode NFC), which `fold` needs."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def fold(text: str) -> str:
    """Small unaccented letters, `0` for every digit, a blank for all else; as long as `text`."""
    if not text.isascii() and ("œ" in text or "Œ" in text):
        text = text.replace("œ", "o").replace("Œ", "o")
    return text.encode("latin-1", "replace").translate(_FOLD).decode("ascii")


def stems(folded: str) -> list[str]:
    """The first six letters of each word, in order."""
    return [word[:STEM] for word in folded.split()]


def pairs(words: list[str]) -> list[str]:
    """Each two neighbouring words as one."""
    return list(map(" ".join, pairwise(words)))
