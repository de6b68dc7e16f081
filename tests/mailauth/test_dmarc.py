"""DMARC: the walk up the tree, alignment, what is asked for, and records that are none (RFC 9989)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.mailauth import dmarc
from gk.mailauth.dkim import Dkim
from gk.mailauth.dmarc import Dmarc
from gk.mailauth.letter import Letter
from gk.mailauth.questions import Questions
from gk.mailauth.spf import Spf
from tests.mailauth.fuzzing import examples
from tests.mailauth.table import Table

NOBODY = Spf("none", "")


async def judged(
    names: Table, domain: str, *signatures: str, spf: str = "", results: tuple[str, str] = ("pass", "pass")
) -> Dmarc:
    """The result for an author's domain; who signed, and for whom SPF was asked."""
    questions = Questions(names, 5)
    way = await dmarc.walk(domain, questions)
    signed = [Dkim(results[0], one, "s") for one in signatures]
    return await dmarc.judge(way, Spf(results[1], spf) if spf else NOBODY, signed, questions)


def published(**records: str) -> Table:
    """Records by the domain they are of, `__` for a dot."""
    names = Table()
    for name, text in records.items():
        domain = name.replace("__", ".")
        names.txt(f"_dmarc.{domain}", text)
        names.add(domain, "A", "192.0.2.1")
    return names


def test_the_names_asked_are_eight_at_most() -> None:
    assert dmarc.names("a.b.test") == ["a.b.test", "b.test", "test"]
    deep = ".".join("abcdefghijkl")
    assert dmarc.names(deep) == [deep, "f.g.h.i.j.k.l", "g.h.i.j.k.l", "h.i.j.k.l", "i.j.k.l", "j.k.l", "k.l", "l"]
    assert len(dmarc.names(".".join("x" * 126))) == 8


@pytest.mark.parametrize(
    ("domain", "organisation"),
    [
        ("example.test", "example.test"),
        ("a.b.example.test", "example.test"),
        ("x.suffix.test", "x.suffix.test"),
        ("a.x.suffix.test", "x.suffix.test"),
        ("suffix.test", "suffix.test"),
        ("mail.own.example.test", "own.example.test"),
        ("nothing.net", "nothing.net"),
        ("a.nothing.net", "a.nothing.net"),
    ],
)
async def test_the_organisation_is_found_on_the_way_up(domain: str, organisation: str) -> None:
    names = published(
        example__test="v=DMARC1; p=reject", suffix__test="v=DMARC1; p=reject; psd=y",
        own__example__test="v=DMARC1; p=none; psd=n",
    )  # fmt: skip
    assert (await dmarc.walk(domain, Questions(names, 5))).organisation == organisation


@pytest.mark.parametrize(
    ("record", "domain", "policy"),
    [
        ("v=DMARC1; p=reject", "a.test", "reject"),
        ("v=DMARC1; p=reject", "sub.a.test", "reject"),
        ("v=DMARC1; p=reject; sp=quarantine", "sub.a.test", "quarantine"),
        ("v=DMARC1; p=none; sp=quarantine; np=reject", "no.a.test", "reject"),
        ("v=DMARC1; p=none; sp=quarantine; np=reject", "sub.a.test", "quarantine"),
        ("v=DMARC1; p=reject; t=y", "a.test", "quarantine"),
        ("v=DMARC1; p=quarantine; t=y", "a.test", "none"),
        ("v=DMARC1", "a.test", "none"),
        ("v=DMARC1; p=what; rua=mailto:x@a.test", "a.test", "none"),
        (" v=DMARC1; p=reject", "a.test", None),
        ("v=DMARC1; p=what", "a.test", None),
        ("v=DMARC1; p=none; sp=what", "a.test", None),
        ("v=dmarc1; p=reject", "a.test", None),
        ("v=DMARC2; p=reject", "a.test", None),
        ("V=DMARC1; P=reject", "a.test", None),
        ("v = DMARC1 ; p = Reject ; unknown = x ; ;;", "a.test", "reject"),
        ("p=reject; v=DMARC1", "a.test", None),
    ],
)
async def test_the_policy_is_what_is_asked_for_that_domain(record: str, domain: str, policy: str | None) -> None:
    names = published(a__test=record)
    names.add("sub.a.test", "A", "192.0.2.1")
    found = await judged(names, domain)
    assert (found.result, found.policy) == (("fail", policy) if policy else ("none", "none"))


async def test_with_two_records_there_is_none() -> None:
    names = published(a__test="v=DMARC1; p=reject")
    names.txt("_dmarc.a.test", "v=DMARC1; p=none")
    names.txt("_dmarc.b.test", "v=DMARC1; p=reject")
    names.txt("_dmarc.b.test", "something else")
    assert (await judged(names, "a.test")).result == "none"
    assert (await judged(names, "b.test")).result == "fail"


@pytest.mark.parametrize(
    ("signer", "spf", "record", "result"),
    [
        ("a.test", "", "", "pass"),
        ("mail.a.test", "", "", "pass"),
        ("mail.a.test", "", "adkim=s", "fail"),
        ("a.test", "", "adkim=s", "pass"),
        ("b.test", "", "", "fail"),
        ("aa.test", "", "", "fail"),
        ("test", "", "", "fail"),
        ("", "bounce.a.test", "", "pass"),
        ("", "bounce.a.test", "aspf=s", "fail"),
        ("", "b.test", "", "fail"),
        ("own.a.test", "", "", "fail"),
    ],
)
async def test_only_the_same_organisation_proves_it(signer: str, spf: str, record: str, result: str) -> None:
    names = published(a__test=f"v=DMARC1; p=reject; {record}", own__a__test="v=DMARC1; p=none; psd=n")
    assert (await judged(names, "a.test", *([signer] if signer else []), spf=spf)).result == result


async def test_what_has_no_answer_is_a_temporary_error_only_where_it_might_prove_something() -> None:
    names = published(a__test="v=DMARC1; p=reject")
    assert (await judged(names, "a.test", "a.test", results=("temperror", "fail"))).result == "temperror"
    assert (await judged(names, "a.test", "b.test", results=("temperror", "fail"))).result == "fail"
    assert (await judged(names, "a.test", spf="a.test", results=("fail", "temperror"))).result == "temperror"
    names.failing.add("_dmarc.sub.a.test")
    assert (await judged(names, "sub.a.test")).result == "temperror"


def test_every_author_counts() -> None:
    text = (
        b'From: "a@b.test" <x@A.test>, team: y@c.test, "z, z"@d.test;\r\nfrom: <@r.test:e@e.test>\r\n'
        b"From: nobody, <ann@b\xc3\xbccher.test>\r\n\r\n"
    )
    expected = ["a.test", "c.test", "d.test", "e.test", "xn--bcher-kva.test"]
    assert list(dmarc.authors(Letter(text, 0, len(text))).domains) == expected


def test_a_thousand_authors_are_five() -> None:
    text = b"From: " + b", ".join(b"x@d%d.test" % n for n in range(1000)) + b"\r\n\r\n"
    found = dmarc.authors(Letter(text, 0, len(text)))
    assert len(found.domains) == 5 and found.fault == dmarc.CROWD
    text = b"From: " + b"(" * 50_000 + b"\r\n\r\n"
    assert dmarc.authors(Letter(text, 0, len(text))) == dmarc.Authors(())


@pytest.mark.parametrize(
    "value",
    [
        b"Ann <ann@a.test\x00>", b"Ann <ann@a.test\xff>", b"Ann <ann@a..test>", b"Ann <ann@[a.test]>", b'"ann@a.test',
        b'"ann@a.test"', b"=?utf-8?q?ann=40a.test?=", b"=?utf-8?b?PGFubkBhLnRlc3Q+?=", b"Ann <ann@=?utf-8?q?a.test?=>",
        "ann\uff20a.test".encode(), "Ann <ann@\uff41.test>".encode(), "Ann <ann@a\u3002test>".encode(),
        b"eve@evil.test, Ann <ann@a..test>", b"eve@evil.test\r\nFrom: =?utf-8?q?ann=40a.test?=",
    ],
)  # fmt: skip
def test_an_author_who_cannot_be_read_but_may_be_shown_is_a_fault(value: bytes) -> None:
    text = b"From: " + value + b"\r\n\r\n"
    assert dmarc.authors(Letter(text, 0, len(text))).fault == dmarc.UNREADABLE


@pytest.mark.parametrize(
    "value", [b"", b"MAILER-DAEMON", b"Mail Delivery System <>", b"root <root@[192.0.2.1]>", b"undisclosed:;"]
)
def test_who_has_no_domain_is_no_fault(value: bytes) -> None:
    text = b"From: " + value + b"\r\n\r\n"
    assert dmarc.authors(Letter(text, 0, len(text))) == dmarc.Authors(())


@pytest.mark.parametrize(
    "value",
    [
        b"ann@a.test", b"Ann <ann@A.TEST.>", b"Ann <ann@a(x).test>", b"Ann <ann@a.test", b"Ann ann@a.test>",
        b"Ann <@evil.test:ann@a.test>", b"Ann <ann @ a.test>", b"Ann <ann@evil@a.test>",
        b"\r\n\tAnn <ann@a\r\n\t.test>",
        b'"eve@evil.test" <ann@a.test> (eve@evil.test)', b"eve@evil.test <ann@a.test>",
    ],
)  # fmt: skip
def test_the_author_is_found_however_it_is_written(value: bytes) -> None:
    text = b"From : " + value + b"\r\n\r\n"
    assert dmarc.authors(Letter(text, 0, len(text))) == dmarc.Authors(("a.test",))


def test_destinations_of_reports_are_read_and_few() -> None:
    text = b"v=DMARC1; p=none; rua=mailto:a@x.test, https://x.test/r ,ftp://x,mailto:" + b",mailto:y@x.test" * 50
    record = dmarc.parse("x.test", text)
    assert record is not None and record.rua[:2] == ("mailto:a@x.test", "https://x.test/r") and len(record.rua) <= 10
    assert dmarc.parse("x.test", b"v=DMARC1; p=none; " + b"x=y;" * 20_000) is None


@examples
@given(st.binary(max_size=200))
def test_any_octets_are_a_record_or_none(octets: bytes) -> None:
    record = dmarc.parse("a.test", b"v=DMARC1;" + octets)
    assert record is None or record.p in dmarc.POLICIES
