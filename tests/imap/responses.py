"""A server's responses as values, read by rules of their own: nothing of the server's code is used."""

import re
from typing import Any

_TOKEN = re.compile(
    rb'(?P<gap>[ \r\n]+)|(?P<open>\()|(?P<close>\))|"(?P<quoted>(?:[^"\\]|\\.)*)"|~?\{(?P<size>\d+)\}\r\n'
    rb'|(?P<atom>[^ \r\n()"\[\]{}]+(?:\[[^\]]*\][^ \r\n()"]*)?|\[|\]|.)',
    re.DOTALL,
)
_CODE = re.compile(rb"(?:\*|\S+) (OK|NO|BAD|BYE) (?:\[([A-Z-]+)(?: ([^\]]*))?\])?")


def parsed(response: bytes) -> list[Any]:
    """`* 1 FETCH (UID 7 FLAGS ())` → [b"*", b"1", b"FETCH", [b"UID", b"7", b"FLAGS", []]]."""
    stack: list[list[Any]] = [[]]
    at = 0
    while at < len(response):
        token = _TOKEN.match(response, at)
        assert token is not None
        at = token.end()
        if token["open"]:
            stack.append([])
        elif token["close"]:
            closed = stack.pop()
            stack[-1].append(closed)
        elif token["quoted"] is not None:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", token["quoted"]))
        elif token["size"] is not None:
            stack[-1].append(response[at : at + int(token["size"])])
            at += int(token["size"])
        elif token["atom"]:
            stack[-1].append(token["atom"])
    assert len(stack) == 1, f"brackets do not match: {response!r}"
    return stack[0]


def pairs(items: list[Any]) -> dict[bytes, Any]:
    """The items of a FETCH or a STATUS by name, in upper case."""
    return {name.upper(): value for name, value in zip(items[::2], items[1::2], strict=True)}


def code(response: bytes) -> tuple[bytes, bytes, bytes] | None:
    """(status, response code, its argument) of a status response."""
    found = _CODE.match(response)
    return None if found is None else (found[1], found[2] or b"", found[3] or b"")


def numbers(text: bytes) -> list[int]:
    """The numbers of a set, in the order they are written."""
    out: list[int] = []
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        a, b = int(first), int(last or first)
        out += range(a, b + 1) if a <= b else range(a, b - 1, -1)
    return out
