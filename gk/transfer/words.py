"""Flags as IMAP words, and as the letters and fields other formats write them with."""

import re
from collections.abc import Iterable, Mapping

SEEN, ANSWERED, FLAGGED, DELETED, DRAFT = "\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"
SYSTEM = {word.lower(): word for word in (SEEN, ANSWERED, FLAGGED, DELETED, DRAFT)}
FORWARDED = "$Forwarded"
LONGEST = 64  # bytes of a keyword
_KEYWORD = re.compile(r'[^\x00-\x20\x7f-\U0010ffff(){%*"\\\]]{1,64}')  # flag-keyword, RFC 3501 §9
_FORBIDDEN = re.compile(r'[\x00-\x20\x7f-\U0010ffff(){%*"\\\]]+')
_MAILDIR = {"D": DRAFT, "F": FLAGGED, "R": ANSWERED, "S": SEEN, "T": DELETED, "P": FORWARDED}


def is_keyword(word: str) -> bool:
    return _KEYWORD.fullmatch(word) is not None


def accepted(words: Iterable[str]) -> frozenset[str]:
    r"""Those of the flags a mailbox can keep; \Recent and flags of other servers' own are none of them."""
    found = set()
    for word in words:
        if word.startswith("\\"):
            if known := SYSTEM.get(word.lower()):
                found.add(known)
        elif is_keyword(word):
            found.add(word)
    return frozenset(found)


def as_keyword(text: str) -> str:
    """A label people gave as a keyword, "" when nothing is left of it."""
    plain = _FORBIDDEN.sub("_", text.strip()).strip("_")
    return plain[:LONGEST]


def of_maildir(letters: str, keywords: Mapping[int, str]) -> frozenset[str]:
    """The flags behind the letters of a Maildir file name; `keywords` are those of dovecot-keywords."""
    found = {_MAILDIR[letter] for letter in letters if letter in _MAILDIR}
    found |= {keywords[n] for c in letters if "a" <= c <= "z" and (n := ord(c) - ord("a")) in keywords}
    return accepted(found)


def to_maildir(flags: frozenset[str], keywords: Mapping[str, int]) -> str:
    """The letters of flags, in order; `keywords` maps a keyword to its number below 26."""
    letters = {letter for letter, word in _MAILDIR.items() if word in flags and word != FORWARDED}
    letters |= {chr(ord("a") + keywords[word]) for word in flags if word in keywords}
    return "".join(sorted(letters))
