"""DKIM signatures verified: public vectors, our own, those that promise too little, and those made to hurt."""

import base64
import functools

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicNumbers, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from gk.mailauth import dkim
from gk.mailauth.letter import Letter
from gk.mailauth.signature import Fault, published
from tests.corpus import corpus_path
from tests.mailauth.fuzzing import examples
from tests.mailauth.signed import TEXT, Author, by_hand, record_of, results
from tests.mailauth.yamlish import documents

NAME = "s._domainkey.a.test"


@functools.cache
def key(bits: int = 2048) -> RSAPrivateKey:
    return generate_private_key(65537, bits)


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory) -> Author:
    return Author(tmp_path_factory.mktemp("keys"))


def test_the_public_vectors_pass() -> None:
    (cases,) = documents(corpus_path("dkim", "vectors.yml").read_text())
    wrong = []
    for case in cases:
        message = corpus_path("dkim", case["message"]).read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        found = results(message, {name: text.encode() for name, text in (case["keys"] or {}).items()})
        expected = case["expect"] if isinstance(case["expect"], list) else [case["expect"]]
        if ("pass" in expected) != any(one.result == "pass" for one in found):
            wrong.append((case["id"], found))
    assert wrong == [] and len(cases) == 22


def test_what_we_sign_verifies(author: Author) -> None:
    found = results(author.sign(), author.published)
    assert [(one.result, one.domain, one.algorithm) for one in found] == [
        ("pass", "a.test", "rsa-sha256"),
        ("pass", "a.test", "ed25519-sha256"),
    ]
    assert len({one.beginning for one in found}) == 2
    at, length = found[1].where
    assert author.sign()[at : at + length].startswith(b"DKIM-Signature: v=1; a=ed25519-sha256;")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Hello.\r\n", b"Hello!\r\n"),
        (b"Subject: hello", b"Subject: other"),
        (b"To: bob", b"From: eve@b.test\r\nTo: bob"),
        (b"Date: ", b"Subject: another\r\nDate: "),
    ],
)
def test_what_was_changed_fails(author: Author, old: bytes, new: bytes) -> None:
    found = results(author.sign().replace(old, new), author.published)
    assert [one.result for one in found] == ["fail", "fail"]


@pytest.mark.parametrize(
    ("tags", "flags", "result"),
    [
        ("", "", "pass"),
        ("l=3;", "", "policy"),
        (f"l={len(b'Hello.') + 2};", "", "pass"),
        ("x=1000000000;", "", "fail"),
        ("t=99999999999;", "", "permerror"),
        ("i=ann@a.test;", "t=s;", "pass"),
        ("i=ann@sub.a.test;", "", "pass"),
        ("i=ann@sub.a.test;", "t=s;", "permerror"),
        ("i=ann@b.test;", "", "permerror"),
        ("q=dns/other;", "", "permerror"),
        ("", "h=sha1;", "permerror"),
        ("", "s=tlsrpt;", "permerror"),
        ("", "k=dsa;", "permerror"),
        ("", "v=DKIM2;", "permerror"),
    ],
)
def test_a_signature_counts_only_with_all_it_should_have(tags: str, flags: str, result: str) -> None:
    record = record_of(key(), flags).replace(b"v=DKIM1; v=DKIM2", b"v=DKIM2")
    (found,) = results(by_hand(TEXT, key(), tags), {NAME: record})
    assert found.result == result, found


def test_text_added_behind_l_is_not_the_authors() -> None:
    message = by_hand(TEXT, key(), f"l={len(b'Hello.') + 2};") + b"And buy this.\r\n"
    (found,) = results(message, {NAME: record_of(key())})
    assert found.result == "policy"


@pytest.mark.parametrize("bits", [1024, 4096])
def test_keys_of_fair_length_count(bits: int) -> None:
    (found,) = results(by_hand(TEXT, key(bits), ""), {NAME: record_of(key(bits))})
    assert found.result == "pass"


def test_a_short_key_counts_for_nothing_and_a_long_one_is_not_used() -> None:
    short = (  # openssl genrsa 512
        b"v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMP7vtFyE0mhSOJTXNUW99xYgkwpDDGF"
        b"0oepWZEXG/EX4uo7p/hFzZ2Cjq1tgyZo6seOEvWLMFE2W5/XzcBgHQcCAwEAAQ=="
    )
    huge = RSAPublicNumbers(65537, (1 << 16383) + 1).public_key()
    octets = base64.b64encode(huge.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    slow = RSAPublicNumbers((1 << 1000) + 1, key().public_key().public_numbers().n).public_key()
    costly = base64.b64encode(slow.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    for record in (short, b"v=DKIM1; p=" + octets, b"v=DKIM1; p=" + costly, b"v=DKIM1; p=" + b"A" * 64_000):
        found = published(record)
        assert isinstance(found, Fault) and found.result == "policy", found
        assert [one.result for one in results(by_hand(TEXT, key(), ""), {NAME: record})] == ["policy"]


def test_no_answer_about_the_key_is_a_temporary_error(author: Author) -> None:
    message = author.sign()
    assert [one.result for one in dkim.verify(Letter(message, 0, len(message)), {})] == ["temperror"] * 2


def test_of_a_thousand_signatures_five_are_looked_at(author: Author) -> None:
    signature = author.sign()[: -len(TEXT)]
    message = b"DKIM-Signature: v=1; a=rsa-sha256; d=b.test; s=x; h=from; bh=AA==; b=AA==\r\n" * 1000 + signature + TEXT
    letter = Letter(message, 0, len(message))
    assert dkim.wanted(letter) == ["x._domainkey.b.test"] * 5
    assert [one.result for one in results(message, author.published)] == ["permerror"] * 5


@pytest.mark.parametrize(
    "value",
    [
        b"v=1; a=rsa-sha256; d=a.test; s=s; h=" + b"from:" * 3000 + b"; bh=AA==; b=AA==",
        b"v=1; a=rsa-sha256; d=a.test; s=s; h=from; bh=AA==; b=" + b" \t" * 4000 + b"AA==",
        b"v=1; a=rsa-sha256; d=a.test; s=s; h=from; bh=AA==; b=" + b"A\r\n " * 1500,
        b"v=1; a=rsa-sha256; d=a.test; s=s; h=from; bh=AA==; " + b"b " * 3000 + b"=AA==",
        b"v=1;" + b";" * 8000,
        b"=" * 8000,
        b"v=1; a=rsa-sha256; d=" + b"a." * 2000 + b"; s=s; h=from; bh=AA==; b=AA==",
        b"v=1; a=\xff\xfe; d=\xff; s=\xff; h=from; bh=\xff; b=\xff; l=" + b"9" * 5000,
        b"v=1; a=rsa-sha256; c=/; d=a.test; s=s; h=from; bh=A; b=A; t=" + b"9" * 4500,
        b"",
    ],
)
def test_a_hostile_signature_proves_nothing(value: bytes) -> None:
    message = b"DKIM-Signature: " + value + b"\r\n" + TEXT
    (found,) = results(message, {NAME: record_of(key())})
    assert found.result in ("permerror", "fail", "policy")
    assert len(found.reason) <= 120 and len(found.domain) <= 253


def test_a_body_of_nothing_but_blanks_verifies(author: Author) -> None:
    body = (b" " * 60_000 + b"x\r\n") * 20 + b"\r\n" * 100_000
    text = TEXT + body
    assert [one.result for one in results(author.sign(text), author.published)] == ["pass", "pass"]


_lines = st.lists(st.sampled_from([b"", b" ", b"a", b"a  b\t", b"\tx ", b"  "]), max_size=12)


@examples
@given(lines=_lines, canon=st.sampled_from([b"simple", b"relaxed"]), header=st.sampled_from([b"simple", b"relaxed"]))
def test_dkimpys_signatures_verify_whatever_the_body_is(lines: list[bytes], canon: bytes, header: bytes) -> None:
    message = TEXT + b"".join(line + b"\r\n" for line in lines)
    pem = _pem()
    field = dkimpy.sign(
        message, b"s", b"a.test", pem, canonicalize=(header, canon), include_headers=[b"From", b"Subject"]
    )
    (found,) = results(field + message, {NAME: record_of(key())})
    assert found.result == "pass"


@functools.cache
def _pem() -> bytes:
    return key().private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


_tag = st.sampled_from([b"v=1", b"a=rsa-sha256", b"d=a.test", b"s=s", b"h=from", b"bh=AA==", b"b=AA==", b"c=x", b"l=1"])


@examples
@given(st.lists(st.one_of(_tag, st.binary(max_size=20)), max_size=12), st.binary(max_size=200))
def test_any_signature_and_key_have_a_result(tags: list[bytes], record: bytes) -> None:
    value = b"; ".join(tags).replace(b"\r", b"").replace(b"\n", b"")
    message = b"DKIM-Signature: " + value + b"\r\n" + TEXT
    (found,) = results(message, {NAME: record})
    assert found.result in ("permerror", "fail", "policy")


@examples
@given(st.binary(max_size=300))
def test_any_octets_are_a_letter(octets: bytes) -> None:
    letter = Letter(octets, 0, len(octets))
    letter.body_hash("sha256", True)
    for field in letter.fields:
        at, length = field.where
        assert octets[at : at + length].lower().startswith(field.name)
    assert isinstance(dkim.verify(letter, {}), list)


def test_a_message_in_pieces_hashes_as_in_one(author: Author) -> None:
    text = TEXT + b"line of text \r\n" * 30_000 + b"\r\n\r\n"
    assert [one.result for one in results(author.sign(text), author.published)] == ["pass", "pass"]
    field = dkimpy.sign(text, b"s", b"a.test", _pem(), canonicalize=(b"simple", b"simple"), include_headers=[b"From"])
    (found,) = results(field + text, {NAME: record_of(key())})
    assert found.result == "pass"
