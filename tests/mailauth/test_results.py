"""The Authentication-Results field, read back by another library whatever strangers wrote."""

import re

import authres
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.mailauth import iprev
from gk.mailauth.arc import Arc
from gk.mailauth.authentic import Authentic, Sent
from gk.mailauth.dkim import Dkim
from gk.mailauth.dmarc import Dmarc, Record
from gk.mailauth.iprev import Iprev
from gk.mailauth.questions import Questions
from gk.mailauth.results import header
from gk.mailauth.spf import Spf
from tests.mailauth.fuzzing import examples
from tests.mailauth.table import Table

SENT = Sent("192.0.2.1", "mx.a.test", "ann@a.test")
FOUND = Authentic(
    Spf("pass", "a.test"),
    (
        Dkim("pass", "a.test", "s1", "rsa-sha256", "AbC+/123"),
        Dkim("permerror", "b.test", "s2", "ed25519-sha256", "XyZ", 'no "key" (of theirs); here'),
    ),
    (Dmarc("pass", "a.test", "reject", Record("a.test", "v=DMARC1; p=reject")),),
    Arc("none"),
    Iprev("pass", "192.0.2.1", "mx.a.test"),
)


def read(field: bytes) -> authres.AuthenticationResultsHeader:
    text = re.sub(r"\r\n[ \t]+", " ", field.decode()).strip()
    return authres.AuthenticationResultsHeader.parse(text)


def test_another_library_reads_all_of_it() -> None:
    field = header(FOUND, SENT, "mail.example.test", "none")
    parsed = read(field)
    assert parsed.authserv_id == "mail.example.test"
    assert [(r.method, r.result) for r in parsed.results] == [
        ("spf", "pass"), ("dkim", "pass"), ("dkim", "permerror"), ("dmarc", "pass"), ("arc", "none"), ("iprev", "pass"),
    ]  # fmt: skip
    spf, first, second, dmarc, _, named = parsed.results
    assert spf.smtp_mailfrom == "ann@a.test"
    assert {(p.type, p.name): p.value for p in first.properties} == {
        ("header", "d"): "a.test", ("header", "s"): "s1", ("header", "a"): "rsa-sha256", ("header", "b"): "AbC+/123",
    }  # fmt: skip
    assert second.reason == "no 'key' (of theirs); here"
    assert [p.value for p in (*dmarc.properties, *named.properties)] == ["a.test", "192.0.2.1"]
    assert max(map(len, field.split(b"\r\n"))) <= 78


def test_a_null_sender_is_told_by_the_name_of_the_client() -> None:
    found = Authentic(Spf("none", "mx.a.test", helo=True), (), (), Arc("none"), Iprev("permerror", "192.0.2.1"))
    parsed = read(header(found, Sent("192.0.2.1", "mx.a.test", ""), "mail.example.test"))
    assert parsed.results[0].smtp_helo == "mx.a.test"
    assert [(r.method, r.result) for r in parsed.results][1:3] == [("dkim", "none"), ("dmarc", "none")]


_text = st.text(max_size=30)


@examples
@given(_text, _text, _text, _text, _text)
def test_no_text_of_a_stranger_escapes_from_its_place(local: str, helo: str, domain: str, b: str, reason: str) -> None:
    found = Authentic(
        Spf("fail", domain), (Dkim("fail", domain, helo, "rsa-sha256", b, reason),), (Dmarc("fail", domain),),
        Arc("pass", (domain,), (b"",)), Iprev("pass", "192.0.2.1", domain),
    )  # fmt: skip
    field = header(found, Sent("192.0.2.1", helo, f"{local}@{domain}"), "mail.example.test")
    assert re.fullmatch(rb"[\x20-\x7e\t]*(\r\n[ \t][\x20-\x7e\t]+)*\r\n", field)
    methods = re.findall(r"(?:^|;)\s*(\w+)=", re.sub(r'"(?:[^"\\]|\\.)*"', "", field.decode()))
    assert methods == ["spf", "dkim", "dmarc", "arc", "iprev"]


def test_the_field_is_never_long() -> None:
    many = tuple(Dkim("fail", "d" * 253, "s" * 253, "a" * 253, "b", "r" * 200) for _ in range(50))
    found = Authentic(FOUND.spf, many, FOUND.dmarc, FOUND.arc, FOUND.iprev)
    assert len(header(found, SENT, "mail.example.test")) < 5000


@pytest.mark.parametrize(
    ("address", "result", "name"),
    [
        ("192.0.2.1", "pass", "mx.a.test"),
        ("192.0.2.2", "fail", ""),
        ("192.0.2.3", "permerror", ""),
        ("192.0.2.4", "temperror", ""),
        ("2001:db8::1", "pass", "six.a.test"),
        ("::ffff:192.0.2.1", "pass", "mx.a.test"),
        ("nowhere", "permerror", ""),
    ],
)
async def test_the_name_of_an_address_has_to_lead_back(address: str, result: str, name: str) -> None:
    names = Table()
    names.add("1.2.0.192.in-addr.arpa", "PTR", "other.test.", "MX.a.test.")
    names.add("2.2.0.192.in-addr.arpa", "PTR", "mx.a.test.")
    names.failing.add("4.2.0.192.in-addr.arpa")
    names.add("mx.a.test", "A", "192.0.2.1")
    names.add("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "PTR", "six.a.test.")
    names.add("six.a.test", "AAAA", "2001:0db8::0001")
    found = await iprev.check(address, Questions(names, 5))
    assert (found.result, found.name) == (result, name)
