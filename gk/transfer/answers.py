"""Answers of an IMAP server (RFC 3501 §7) as values: atoms, strings and lists in each other.

Any bytes give a value or BadAnswer. A list is a Python list; NIL is None; atoms and strings are bytes, an atom with a
bracketed section (`BODY[HEADER.FIELDS (MESSAGE-ID)]`) is one of them.
"""

import re
from collections.abc import Sequence
from typing import Any

from gk.errors import GkError

DEPTH = 50
_SPACE = re.compile(rb"[ \r\n]*")
_QUOTED = re.compile(rb'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_ATOM = re.compile(rb"[^\s()\[\]\"{]*+(?:\[[^\]]*+\][^\s()\[\]\"{]*+)*+")
_LITERAL = re.compile(rb"~?\{(\d{1,19})\+?\}\Z")

Piece = bytes | tuple[bytes, bytes]


class BadAnswer(GkError):
    """The server says something that is not IMAP."""


def values(pieces: Sequence[Piece]) -> list[Any]:
    """One answer as imaplib gives it: text, or (text that ends in a literal's size, the literal)."""
    top: list[Any] = []
    stack = [top]
    for piece in pieces:
        text, literal = piece if isinstance(piece, tuple) else (piece, None)
        if literal is not None:
            text = _LITERAL.sub(b"", text)
        _read(text, stack)
        if literal is not None:
            stack[-1].append(literal)
    if len(stack) != 1:
        raise BadAnswer("the server sent a list without its end")
    return top


def _read(text: bytes, stack: list[list[Any]]) -> None:
    at = 0
    while True:
        blank = _SPACE.match(text, at)
        at = blank.end() if blank else at
        if at == len(text):
            return
        first = text[at]
        if first == 0x28:  # (
            if len(stack) == DEPTH:
                raise BadAnswer("the server sent lists too deep in each other")
            inner: list[Any] = []
            stack[-1].append(inner)
            stack.append(inner)
            at += 1
        elif first == 0x29:  # )
            if len(stack) == 1:
                raise BadAnswer("the server sent a bracket too many")
            stack.pop()
            at += 1
        elif found := _QUOTED.match(text, at):
            stack[-1].append(_ESCAPE.sub(rb"\1", found[1]))
            at = found.end()
        elif (found := _ATOM.match(text, at)) and found.end() > at:
            stack[-1].append(None if found[0].upper() == b"NIL" else found[0])
            at = found.end()
        else:
            raise BadAnswer("the server sent something that is not IMAP")


def grouped(answers: Sequence[Piece | None]) -> list[list[Piece]]:
    """imaplib's list of pieces as one list for each answer: a piece without a literal ends it."""
    groups: list[list[Piece]] = []
    current: list[Piece] = []
    for piece in answers:
        if piece is None:
            continue
        current.append(piece)
        if not isinstance(piece, tuple):
            groups.append(current)
            current = []
    return [*groups, current] if current else groups


def fetched(pieces: Sequence[Piece]) -> dict[bytes, Any]:
    """`7 (UID 3 FLAGS (\\Seen))` as items by their name in upper case; empty when it is no such answer."""
    read = values(pieces)
    items = next((value for value in read if isinstance(value, list)), [])
    pairs = zip(items[::2], items[1::2], strict=False)
    return {name.upper(): value for name, value in pairs if isinstance(name, bytes)}
