"""DANE: which certificates TLSA records prove (RFC 6698, RFC 7671, RFC 7672)."""

import asyncio
import datetime
import hashlib
import os
import ssl
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gk.mailauth.dane import Untrusted, judge, peer_chain, usable
from gk.net.dns import Tlsa
from tests.authority import Issued, issue

ROOT = issue(authority=True, common="root")
MIDDLE = issue(authority=True, common="middle", issuer=ROOT)
LEAF = issue("mx.far.test", issuer=MIDDLE)
CHAIN = [each.der for each in LEAF.chain]
FUZZ = 10_000 if os.environ.get("GK_FUZZ") else 300
NAMES = ["mx.far.test", "far.test"]


def tlsa(usage: int, selector: int, matching: int, issued: Issued) -> Tlsa:
    data = issued.spki if selector else issued.der
    digest = {0: data, 1: hashlib.sha256(data).digest(), 2: hashlib.sha512(data).digest()}[matching]
    return Tlsa(usage, selector, matching, digest)


def verdict(records: list[Tlsa], chain: list[bytes], names: list[str] = NAMES) -> str:
    """ "" where the chain is proved, else the result that is reported."""
    try:
        judge(usable(records), chain, names)
    except Untrusted as error:
        assert error.code == 0
        return error.result
    return ""


@pytest.mark.parametrize("matching", [0, 1, 2])
@pytest.mark.parametrize("selector", [0, 1])
def test_a_record_of_the_servers_certificate_proves_it(selector: int, matching: int) -> None:
    assert verdict([tlsa(3, selector, matching, LEAF)], CHAIN) == ""
    other = issue("mx.far.test")
    assert verdict([tlsa(3, selector, matching, LEAF)], [other.der, *CHAIN[1:]]) == "tlsa-invalid"


@pytest.mark.parametrize("matching", [0, 1, 2])
@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("anchor", [MIDDLE, ROOT], ids=["middle", "root"])
def test_a_record_of_an_issuer_proves_what_it_issued(anchor: Issued, selector: int, matching: int) -> None:
    assert verdict([tlsa(2, selector, matching, anchor)], CHAIN) == ""
    assert verdict([tlsa(2, selector, matching, anchor)], CHAIN, ["mx.other.test"]) == "certificate-host-mismatch"


def test_the_servers_own_certificate_needs_neither_name_nor_date() -> None:
    old = issue("elsewhere.test", days=(-9, -1))
    assert verdict([tlsa(3, 1, 1, old)], [old.der]) == ""


def test_under_a_trust_anchor_dates_count() -> None:
    old = issue("mx.far.test", issuer=ROOT, days=(-9, -1))
    assert verdict([tlsa(2, 0, 1, ROOT)], [old.der, ROOT.der]) == "certificate-expired"
    young = issue("mx.far.test", issuer=ROOT, days=(1, 9))
    assert verdict([tlsa(2, 0, 1, ROOT)], [young.der, ROOT.der]) == "certificate-not-trusted"
    expired = issue(authority=True, common="expired", days=(-9, -1))
    below = issue("mx.far.test", issuer=expired)
    assert verdict([tlsa(2, 0, 1, expired)], [below.der, expired.der]) == "certificate-not-trusted"


def test_under_a_trust_anchor_any_of_the_names_will_do_and_a_wildcard_stands_for_one_label() -> None:
    domain = issue("far.test", issuer=ROOT)
    assert verdict([tlsa(2, 0, 1, ROOT)], [domain.der, ROOT.der]) == ""
    wild = issue("*.far.test", issuer=ROOT)
    assert verdict([tlsa(2, 0, 1, ROOT)], [wild.der, ROOT.der]) == ""
    assert verdict([tlsa(2, 0, 1, ROOT)], [wild.der, ROOT.der], ["a.mx.far.test"]) == "certificate-host-mismatch"
    nameless = issue(issuer=ROOT, common="mx.far.test")
    assert verdict([tlsa(2, 0, 1, ROOT)], [nameless.der, ROOT.der]) == "certificate-not-trusted"


def test_what_is_no_authority_issues_nothing() -> None:
    under_leaf = issue("mx.far.test", issuer=issue("mx.evil.test", issuer=ROOT))
    assert verdict([tlsa(2, 0, 1, ROOT)], [c.der for c in under_leaf.chain]) == "certificate-not-trusted"
    silent = issue(authority=None, common="silent", issuer=ROOT)
    under_silent = issue("mx.far.test", issuer=silent)
    assert verdict([tlsa(2, 0, 1, ROOT)], [c.der for c in under_silent.chain]) == "certificate-not-trusted"


def test_an_anchor_that_is_only_shown_proves_nothing() -> None:
    stranger = issue("mx.far.test", issuer=issue(authority=True, common="root"))  # the same name, another key
    assert verdict([tlsa(2, 0, 1, ROOT)], [stranger.der, ROOT.der]) == "certificate-not-trusted"
    assert verdict([tlsa(2, 0, 1, ROOT)], [LEAF.der]) == "tlsa-invalid"


def test_a_whole_anchor_in_the_record_need_not_be_shown() -> None:
    assert verdict([tlsa(2, 0, 0, ROOT)], [LEAF.der, MIDDLE.der]) == ""


def test_a_trust_anchor_record_is_not_one_of_the_server() -> None:
    assert verdict([tlsa(2, 1, 1, LEAF)], CHAIN) == "tlsa-invalid"
    assert verdict([tlsa(3, 1, 1, MIDDLE)], CHAIN) == "tlsa-invalid"


def test_one_good_record_among_bad_ones_is_enough() -> None:
    bad = [tlsa(3, 1, 1, issue("mx.far.test")), tlsa(2, 0, 1, issue(authority=True))]
    assert verdict([*bad, tlsa(3, 1, 1, LEAF)], CHAIN) == ""


@pytest.mark.parametrize(
    "record",
    [
        Tlsa(0, 0, 1, b"x" * 32),  # PKIX-TA and PKIX-EE are not for SMTP, RFC 7672 §3.1.3
        Tlsa(1, 1, 1, b"x" * 32),
        Tlsa(4, 1, 1, b"x" * 32),
        Tlsa(3, 2, 1, b"x" * 32),
        Tlsa(3, 1, 3, b"x" * 32),
        Tlsa(3, 1, 1, b"x" * 31),
        Tlsa(3, 1, 2, b"x" * 32),
        Tlsa(3, 0, 0, b"no certificate"),
        Tlsa(2, 1, 0, b"no key"),
        Tlsa(3, 1, 1, b""),
    ],
)
def test_records_of_no_sound_form_are_not_usable(record: Tlsa) -> None:
    assert usable([record]) == ()


def test_of_several_digests_the_strongest_counts() -> None:
    weak, strong, exact = tlsa(3, 1, 1, LEAF), tlsa(3, 1, 2, issue("mx.far.test")), tlsa(3, 1, 0, LEAF)
    assert usable([weak, strong]) == (strong,)
    assert usable([weak, tlsa(3, 0, 2, LEAF)]) == (weak, tlsa(3, 0, 2, LEAF))
    assert usable([exact, strong]) == (exact, strong)


def test_no_more_records_and_certificates_are_looked_at_than_make_sense() -> None:
    assert len(usable([Tlsa(3, 1, 1, bytes([n]) * 32) for n in range(200)])) == 50
    assert verdict([tlsa(2, 0, 1, ROOT)], [LEAF.der, *[MIDDLE.der] * 20, ROOT.der]) == "tlsa-invalid"


def test_no_certificate_proves_nothing() -> None:
    assert verdict([tlsa(3, 1, 1, LEAF)], []) == "validation-failure"
    assert verdict([tlsa(2, 0, 1, ROOT)], [b"garbage", ROOT.der]) == "validation-failure"


def test_the_clock_is_asked_once() -> None:
    with pytest.raises(Untrusted, match="expired"):
        later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=90)
        judge([tlsa(2, 0, 1, ROOT)], CHAIN, NAMES, later)


RECORDS = st.builds(Tlsa, st.integers(0, 4), st.integers(0, 2), st.integers(0, 3), st.binary(max_size=70))


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(st.lists(RECORDS, max_size=5), st.lists(st.binary(max_size=60), max_size=4))
@settings(max_examples=FUZZ, deadline=None)
def test_whatever_is_published_and_shown_there_is_a_verdict(records: list[Tlsa], chain: list[bytes]) -> None:
    assert verdict([*records, tlsa(2, 0, 0, ROOT)], chain) != ""


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(st.integers(0, 2), st.integers(0, 4000), st.integers(1, 255))
@settings(max_examples=FUZZ, deadline=None)
def test_a_damaged_chain_is_not_proved(number: int, at: int, bits: int) -> None:
    damaged = [bytearray(certificate) for certificate in CHAIN]
    signed = 4 + len(LEAF.chain[number].certificate.tbs_certificate_bytes)
    damaged[number][at % signed] ^= bits
    assert verdict([tlsa(2, 0, 1, ROOT)], [bytes(c) for c in damaged]) != ""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_the_chain_of_a_real_session_comes_as_the_server_sent_it(tmp_path: Path, version: ssl.TLSVersion) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.maximum_version = version
    async with await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=LEAF.context(tmp_path)) as server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname="mx.far.test")
        assert peer_chain(writer.get_extra_info("ssl_object")) == CHAIN
        writer.close()
