"""The patterns that leap from one possible letter to the next find what the plain ones find."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gk.inbound.spam import seen, signs

WORD = re.compile(r"[^\W_]+(?:['.@$!%-][^\W_]+)*|[$!€£]+")
TAG = re.compile(r"<([a-z]+)|\b((?:color|bgcolor|src|face|size)=[^\s>]{1,30})")
BARE = re.compile(r"\bhttps?://[^\s<>\"']{1,2000}|\bwww\.[^\s<>\"']{1,200}", re.IGNORECASE)

pieces = st.sampled_from(
    [*"aZ9_'.@$!%-€£é \n<>=cbsfhwxſΣ", "color=", "bgcolor=", "src=", "face=", "size=", "http://", "HTTPS://", "WWW."]
)  # fmt: skip
texts = st.lists(pieces, max_size=12).map("".join)


@given(texts)
def test_words_are_the_same_whichever_pattern_finds_them(text: str) -> None:
    assert signs._WORD.findall(text) == WORD.findall(text)
    plain = text.encode("ascii", "ignore").decode()
    assert signs._ASCII_WORD.findall(plain) == WORD.findall(plain)


@given(texts)
def test_tags_and_their_values_are_found_as_the_plain_pattern_finds_them(text: str) -> None:
    expected = [tag or value for tag, value in TAG.findall(text)]
    assert [found.removeprefix("<") for found in signs._TAG.findall(text)] == expected


@given(texts)
def test_links_in_text_are_found_as_the_plain_pattern_finds_them(text: str) -> None:
    assert seen._BARE.findall(text) == BARE.findall(text)
