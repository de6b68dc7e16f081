"""`:matches`: patterns, and what wildcards stood for; never slow."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.sieve.wildcard import Wildcard, quoted


def captures(pattern: str, value: str) -> list[str] | None:
    spans = Wildcard(pattern).match(value)
    return None if spans is None else [value[start:end] for start, end in spans]


@pytest.mark.parametrize(
    ("pattern", "value", "found"),
    [
        ("", "", []),
        ("", "x", None),
        ("abc", "abc", []),
        ("abc", "abcd", None),
        ("*", "", [""]),
        ("*", "abc", ["abc"]),
        ("?", "", None),
        ("?", "a", ["a"]),
        ("a*c", "abc", ["b"]),
        ("a*c", "ac", [""]),
        ("a*a", "a", None),
        ("*a*", "banana", ["b", "nana"]),  # stars take as little as they can, RFC 5229 §3.2
        ("*a?", "banana", None),
        ("*a?a", "banana", ["ban", "n"]),
        ("**", "ab", ["", "ab"]),
        ("[*] ?*", "[lists] hello", ["lists", "h", "ello"]),
        ("*??c*", "abcbc", ["", "a", "b", "bc"]),
        (r"\*\?", "*?", []),
        (r"\*", "x", None),
        (r"a\\*", "a\\b", ["b"]),
        (r"\a", "a", []),
        ("a\\", "a\\", []),
        ("?.x", "é.x", ["é"]),
        ("*\n*", "a\nb", ["a", "b"]),
    ],
)
def test_patterns(pattern: str, value: str, found: list[str] | None) -> None:
    assert captures(pattern, value) == found


def slow(pattern: str, value: str) -> bool:
    """The definition itself, for short texts."""
    if not pattern:
        return not value
    if pattern[0] == "*":
        return slow(pattern[1:], value) or (bool(value) and slow(pattern, value[1:]))
    return bool(value) and pattern[0] in ("?", value[0]) and slow(pattern[1:], value[1:])


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=8))
def test_a_pattern_matches_what_its_definition_says(pattern: str, value: str) -> None:
    found = captures(pattern, value)
    assert (found is not None) is slow(pattern, value)
    if found is not None:
        pieces = iter(found)
        assert "".join(next(pieces) if c in "*?" else c for c in pattern) == value


@given(st.text(max_size=30))
def test_a_quoted_text_matches_itself_only(text: str) -> None:
    assert captures(quoted(text), text) == []
    assert captures(quoted(text), text + "x") is None


def test_no_pattern_takes_long() -> None:
    began = time.process_time()
    value = "a" * 100_000
    for pattern in ("*a" * 2000 + "b", "a*" * 2000 + "b", "*" * 5000 + "b", "*" + "a?" * 100 + "b*"):
        assert captures(pattern, value) is None
    assert time.process_time() - began < 1.0
