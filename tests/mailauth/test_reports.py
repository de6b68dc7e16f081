"""Reports of others: the public ones are read as others read them, ours come back, and hostile ones end in an error."""

import base64
import gzip
import io
import json
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.mailauth import aggregate, reports, tlsrpt, unpacked
from gk.mailauth.aggregate import Aggregate, Published, Row, Signature
from gk.mailauth.tlsrpt import Failure, PolicyResult, TlsReport
from gk.mailauth.unpacked import ReportError
from tests.corpus import corpus_path
from tests.mailauth.fuzzing import examples

ROW = Row(
    "2001:db8::1", 3, "reject", "fail", "fail", "a.test", "b.test", ("local_policy",),
    (Signature("c.test", "s1", "pass"), Signature("a.test", "s2", "fail")), "b.test", "mfrom", "softfail",
)  # fmt: skip
AGGREGATE = Aggregate(
    "Us <& Co>", "dmarc@us.test", "1!a.test", 1_795_046_400, 1_795_132_799,
    Published("a.test", "reject", "none", "reject", "r", "s", "n"),
    (ROW, Row("192.0.2.1", 1, "pass", "pass", "pass", "a.test")),
)  # fmt: skip
EXPIRED = Failure("certificate-expired", "mx.a.test", 2)
TLS = TlsReport(
    "Us", "mailto:tls@us.test", "1_a.test", "2026-11-19T00:00:00Z", "2026-11-19T23:59:59Z",
    (
        PolicyResult("sts", "a.test", 10, 2, (EXPIRED,), ("version: STSv1",), ("mx.a.test",)),
        PolicyResult("no-policy-found", "a.test", 1, 0),
    ),
)  # fmt: skip
XML, JSON = aggregate.write(AGGREGATE, "GK"), tlsrpt.write(TLS)


def zipped(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return out.getvalue()


def mailed(content: bytes, kind: str = "application/gzip", name: str = "r.xml.gz") -> bytes:
    """A message with an attachment, as reporters send it."""
    body = base64.encodebytes(content).replace(b"\n", b"\r\n")
    return (
        b"From: r@them.test\r\nSubject: Report Domain: a.test\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b\r\n'
        + f'Content-Type: {kind}; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n\r\n'.encode()
        + body + b"--b--\r\n"
    )  # fmt: skip


def test_what_we_write_comes_back() -> None:
    assert aggregate.read(XML) == AGGREGATE
    assert tlsrpt.read(JSON) == TLS


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (mailed(gzip.compress(XML)), AGGREGATE),
        (mailed(zipped(("r.xml", XML)), "application/zip", "r.zip"), AGGREGATE),
        (mailed(XML, "text/xml", "r.xml"), AGGREGATE),
        (mailed(gzip.compress(XML), "application/octet-stream", "r.xml.gz"), AGGREGATE),
        (mailed(gzip.compress(JSON), "application/tlsrpt+gzip", "r"), TLS),
        (mailed(JSON, "application/tlsrpt+json", "r.json"), TLS),
        (b"Content-Type: application/gzip\r\n\r\n" + gzip.compress(XML), AGGREGATE),
        (mailed(b"\xef\xbb\xbf" + XML, "application/xml"), AGGREGATE),
        (mailed(b"hello", "text/plain", "hello.txt"), None),
        (b"Subject: hello\r\n\r\nHello.\r\n", None),
        (b"", None),
    ],
)
def test_a_report_is_found_however_it_is_packed(message: bytes, expected: object) -> None:
    assert reports.read(message) == expected


def test_the_public_reports_are_read_as_others_read_them() -> None:
    for number in ("002", "003", "005", "100", "101"):
        expected = json.loads(corpus_path("dmarc", "reports", f"{number}.json").read_text())
        if int(number) < 100:
            found = reports.document(corpus_path("dmarc", "reports", f"{number}.xml").read_bytes())
        else:
            raw = corpus_path("dmarc", "reports", f"{number}.eml").read_bytes()
            found = reports.read(raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))  # type: ignore[assignment]
        assert isinstance(found, Aggregate)
        meta = expected["report_metadata"]
        assert (found.organisation, found.id) == (meta["org_name"], meta["report_id"])
        assert (found.begin, found.end) == (meta["date_range"]["begin"], meta["date_range"]["end"])
        assert found.published.domain == expected["policy_published"]["domain"]
        assert [_plain(row) for row in found.rows] == [_expected(record) for record in expected["record"]]
    found = reports.document(corpus_path("reports", "tlsrpt", "rpt03.json").read_bytes())  # type: ignore[assignment]
    assert isinstance(found, TlsReport)
    assert [(one.kind, one.successes) for one in found.policies] == [("no-policy-found", 1), ("invalid-policy-type", 1)]


def _plain(row: Row) -> tuple[Any, ...]:
    dkim = [(s.domain, s.selector, s.result) for s in row.signatures]
    return row.source, row.messages, row.disposition, row.dkim, row.spf, row.author, dkim


def _expected(record: dict[str, Any]) -> tuple[Any, ...]:
    row, evaluated = record["row"], record["row"]["policy_evaluated"]
    dkim = [(s["domain"], s["selector"] or "", s["result"].lower()) for s in record["auth_results"]["dkim"]]
    words = [evaluated[name].lower() for name in ("disposition", "dkim", "spf")]
    return row["source_ip"], row["count"], *words, record["identifiers"]["header_from"], dkim


BOMB = b'<!DOCTYPE f [<!ENTITY a "aaaa">' + b'<!ENTITY b "&a;&a;">' + b"]><feedback>&b;</feedback>"


@pytest.mark.parametrize(
    "content",
    [
        BOMB, b'<!DOCTYPE f SYSTEM "file:///etc/passwd"><feedback/>', b"<feedback>" * 100_000, b"<feedback><a>" * 30,
        b"<feedback>" + b"<a/>" * (aggregate.ELEMENTS + 1) + b"</feedback>", b"<feedback></feedback>", b"<html></html>",
        b'<?xml version="1.0" encoding="utf-7"?><feedback/>', b"<feedback xmlns:x='" + b"x" * 100_000 + b"'/>", b"",
        b"[" * 100_000, b"{" * 100_000, b'{"policies":' + b"[" * 30 + b"]" * 30 + b"}", b'{"policies": 1}', b"{",
        b'{"policies":[], "x": ' + b"9" * 10_000 + b"}", b'{"x":"' + b"a" * (5 << 20) + b'"}', b"\xff\xfe\x00",
        gzip.compress(XML)[:-9], gzip.compress(b"x") + b"x", gzip.compress(b"\0" * (40 << 20)), b"\x1f\x8b",
        zipped(("r.xml", b"\0" * (40 << 20))), zipped(), zipped(("a", XML), ("b", XML)), zipped(("r.xml", XML))[:-5],
        zipped(*[(str(n), b"") for n in range(30)]), b"PK\x03\x04" + b"\0" * 100, b"x" * (unpacked.PACKED + 1),
    ],
    ids=range(29),
)  # fmt: skip
def test_what_was_made_to_hurt_is_an_error_and_nothing_else(content: bytes) -> None:
    with pytest.raises(ReportError):
        reports.document(unpacked.unpacked(content))


def test_a_report_of_a_million_rows_is_read_in_part() -> None:
    document = XML.replace(b"</feedback>", b"<record><row><count>1</count></row></record>" * 20_000 + b"</feedback>")
    found = aggregate.read(document)
    assert len(found.rows) == aggregate.ROWS and found.dropped == 20_002 - aggregate.ROWS


def test_values_are_short_and_of_printable_characters() -> None:
    found = aggregate.read(XML.replace(b"dmarc@us.test", b"&#x202e;&#9;&#x9b;2J" + b"x" * 100_000))
    assert found.email.isprintable() and found.email.startswith("2Jx") and len(found.email) <= aggregate.TEXT
    assert aggregate.write(Aggregate("\x00]]>&<", "", "", 0, 0, Published("a.test")), "").count(b"\x00") == 0


@examples
@given(st.binary(max_size=200), st.sampled_from([b"", b"<feedback>", b"{", b"\x1f\x8b\x08", b"PK\x03\x04"]))
def test_any_octets_are_a_report_or_an_error(octets: bytes, start: bytes) -> None:
    try:
        reports.document(unpacked.unpacked(start + octets))
    except ReportError:
        pass
    try:
        reports.read(mailed(start + octets))
    except ReportError:
        pass


_keys = st.sampled_from(
    ["policies", "policy", "summary", "failure-details", "date-range", "policy-string", "mx-host", "report-id"]
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=20,
)


@examples
@given(_json)
def test_any_json_is_a_report_or_an_error(value: object) -> None:
    try:
        tlsrpt.read(
            json.dumps({"policies": [value, {"policy": value, "summary": value, "failure-details": value}]}).encode()
        )
    except ReportError:
        pass
