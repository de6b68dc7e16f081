"""Modified UTF-7, strictly."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gk.message.utf7 import BadEncoding, decode, encode

EXAMPLES = 10_000 if os.environ.get("GK_FUZZ") else 300


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("INBOX", b"INBOX"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # RFC 3501 §5.1.3
        ("R&D", b"R&-D"),
        ("☺!", b"&Jjo-!"),
        ("😀", b"&2D3eAA-"),
        ("\t", b"&AAk-"),
    ],
)
def test_names_have_their_encoding(name: str, wire: bytes) -> None:
    assert encode(name) == wire
    assert decode(wire) == name


@pytest.mark.parametrize(
    "wire",
    [b"&", b"&Jjo", b"&AGE-", b"&Jjo-&Jjo-", b"\xc3\xa9", b"a\tb", b"&2D0-", b"&Jj-", b"&Jjp-", b"&J/o-", b"&====-"],
)
def test_other_bytes_are_refused(wire: bytes) -> None:
    with pytest.raises(BadEncoding):
        decode(wire)


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(BadEncoding):
        encode("\ud800")


@settings(max_examples=EXAMPLES)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_a_name_comes_back(name: str) -> None:
    assert decode(encode(name)) == name


@settings(max_examples=EXAMPLES)
@given(
    st.lists(st.sampled_from([b"&", b"-", b"AAA", b"Jjo", b"a", b",", b"+", b"2D3eAA", b"\xff"]), max_size=8).map(
        b"".join
    )
)
def test_bytes_are_refused_or_come_back(wire: bytes) -> None:
    try:
        name = decode(wire)
    except BadEncoding:
        return
    assert encode(name) == wire
