"""Comparators (RFC 4790): i;octet, i;ascii-casemap and i;ascii-numeric."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
INFINITE = (1 << 62, "")


@dataclass(frozen=True, slots=True)
class Comparator:
    """`key` makes of a text what is equal and ordered as the comparator says; `parts` whether texts can contain it."""

    name: str
    key: Callable[[str], Any]
    parts: bool


def casemap(text: str) -> str:
    """ASCII letters in lower case, nothing else changed; as long as the text itself."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def numeric(text: str) -> tuple[int, str]:
    """The digits a text begins with, so that they compare as a number of any length; without any, infinity."""
    end = 0
    while end < len(text) and "0" <= text[end] <= "9":
        end += 1
    if not end:
        return INFINITE  # RFC 4790 §9.1.1
    digits = text[:end].lstrip("0")
    return len(digits), digits


def _same(text: str) -> str:
    return text


CASEMAP = Comparator("i;ascii-casemap", casemap, True)
COMPARATORS = {
    "i;ascii-casemap": CASEMAP,
    "i;octet": Comparator("i;octet", _same, True),
    "i;ascii-numeric": Comparator("i;ascii-numeric", numeric, False),
}
