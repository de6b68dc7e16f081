"""The relaxed canonicalisation, by the examples of RFC 6376, by others' signatures, and in pieces."""

import base64
import re
from hashlib import sha256

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from dkim.canonicalization import Relaxed
from hypothesis import given
from hypothesis import strategies as st

from gk.mailauth import relaxed
from gk.mailauth.tags import tags
from tests.corpus import corpus_path
from tests.mailauth.fuzzing import examples

EMPTY = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="  # RFC 6376 §3.4.4
RFC8463 = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="  # the key of its appendix A.2


def body(*pieces: bytes) -> bytes:
    out: list[bytes] = []
    taker = relaxed.Body(out.append)
    for piece in pieces:
        taker.feed(piece)
    taker.finish()
    return b"".join(out)


def test_the_fields_of_rfc_6376_3_4_5_come_out_as_there() -> None:
    assert relaxed.field(b"A", b" X") == b"a:X\r\n"
    assert relaxed.field(b"B ", b" Y\t\r\n\tZ  ") == b"b:Y Z\r\n"


def test_the_body_of_rfc_6376_3_4_5_comes_out_as_there() -> None:
    assert body(b" C \r\nD \t E\r\n\r\n\r\n") == b" C\r\nD E\r\n"


@pytest.mark.parametrize("text", [b"", b"\r\n", b"\r\n\r\n\r\n", b" \t\r\n", b"\t", b"  \r\n \r\n\t"])
def test_a_body_without_a_word_is_empty(text: bytes) -> None:
    assert body(text) == b""
    assert base64.b64encode(relaxed.body_hash(text, 0, len(text))).decode() == EMPTY


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (b"no line end", b"no line end\r\n"),
        (b"blanks and no line end \t", b"blanks and no line end\r\n"),
        (b"\r\n\r\nlate", b"\r\n\r\nlate\r\n"),
        (b"\tone\t \r\n\t\r\n  two \r\n \r\n", b" one\r\n\r\n two\r\n"),
        (b"8 bit \xe9\xff \x00", b"8 bit \xe9\xff \x00\r\n"),
        (b"bare\rreturn\r\r\n", b"bare\rreturn\r\r\n"),
    ],
)
def test_blanks_and_line_ends_are_reduced(text: bytes, canonical: bytes) -> None:
    assert body(text) == canonical


@given(st.lists(st.sampled_from([b"a", b" ", b"\t", b"\r\n", b"\xe9", b".", b"word"]), max_size=60))
@examples
def test_a_body_comes_out_as_with_dkimpy(words: list[bytes]) -> None:
    text = b"".join(words) + b"\r\n"
    assert body(text) == Relaxed.canonicalize_body(text)


@given(st.lists(st.text("a \t\r\n\x00", max_size=12).map(str.encode), max_size=12))
@examples
def test_the_pieces_make_no_difference(pieces: list[bytes]) -> None:
    text = b"".join(pieces)
    assert body(*pieces) == body(text) == body(*(text[at : at + 1] for at in range(len(text))))


@given(
    st.sampled_from([b"Subject", b"X-a", b"LIST-ID"]),
    st.lists(st.sampled_from([b"word", b" ", b"\t", b"\r\n ", b"\r\n\t", b"\xc3\xa9", b":"]), max_size=30),
)
@examples
def test_a_field_comes_out_as_with_dkimpy(name: bytes, words: list[bytes]) -> None:
    value = b"".join(words)
    ((canonical_name, canonical_value),) = Relaxed.canonicalize_headers([(name, value + b"\r\n")])
    assert relaxed.field(name, value) == canonical_name + b":" + canonical_value


def test_fifty_megabytes_are_hashed_in_slices() -> None:
    line = b"x \t y" + b" " * 57 + b"\r\n"

    class Lines:
        """A body that exists only as slices."""

        largest = 0

        def __getitem__(self, where: slice) -> bytes:
            self.largest = max(self.largest, where.stop - where.start)
            return line * ((where.stop - where.start) // len(line))

    lines, size = Lines(), 50 << 20
    assert relaxed.body_hash(lines, 0, size) == sha256(b"x y\r\n" * (size // len(line))).digest()
    assert lines.largest == relaxed.PIECE


def test_a_body_of_nothing_but_blanks_or_line_ends_costs_no_more_than_others() -> None:
    for text in (b" " * (8 << 20), b"\r\n" * (4 << 20), b"\t \r\n" * (2 << 20)):
        assert base64.b64encode(relaxed.body_hash(text, 0, len(text))).decode() == EMPTY


@pytest.mark.parametrize(("name", "good"), [("ma-001", True), ("mut-relaxed-ok", True), ("mut-relaxed-bad", False)])
def test_the_signature_of_rfc_8463_verifies_as_it_should(name: str, good: bool) -> None:
    raw = re.sub(rb"\r?\n", b"\r\n", corpus_path("dkim", f"{name}.msg").read_bytes())
    header, _, _ = raw.partition(b"\r\n\r\n")
    fields = [line.partition(b":")[::2] for line in re.split(rb"\r\n(?![ \t])", header)]
    signature = next(v for n, v in fields if n == b"DKIM-Signature" and b"a=ed25519" in v)
    said = tags(signature.decode().replace("\r\n", ""))
    left = {n.lower(): [v for m, v in fields if m.lower() == n.lower()] for n, _ in fields}
    signed = b""
    for word in said["h"].split(":"):
        if values := left.get(word.strip().encode()):
            signed += relaxed.field(word.strip().encode(), values.pop())
    without = re.sub(rb"(;\s*b=).*", rb"\1", signature, flags=re.DOTALL)
    signed += relaxed.field(b"DKIM-Signature", without).removesuffix(b"\r\n")
    body_hash = base64.b64encode(relaxed.body_hash(raw, len(header) + 4, len(raw))).decode()
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(RFC8463))
    try:
        key.verify(base64.b64decode(said["b"].replace(" ", "")), sha256(signed).digest())
        verified = body_hash == said["bh"]
    except InvalidSignature:
        verified = False
    assert verified is good
