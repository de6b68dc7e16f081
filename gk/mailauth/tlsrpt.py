"""TLS reports: what others say of sessions with a domain's servers, read and written (RFC 8460 §4)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gk.mailauth.aggregate import clean
from gk.mailauth.unpacked import ReportError

DOCUMENT = 4 << 20  # octets of one document
DEPTH = 20  # brackets inside each other
POLICIES, FAILURES, STRINGS = 1000, 1000, 50  # that are kept: of a report, of a policy, of the words of a policy

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")


@dataclass(frozen=True, slots=True)
class Failure:
    """Sessions that failed in the same way, in the words of RFC 8460 §4.3."""

    result: str
    mx: str
    sessions: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """What sessions under one policy came to; `kind` is sts, tlsa or no-policy-found."""

    kind: str
    domain: str
    successes: int
    failures: int
    details: tuple[Failure, ...] = ()
    words: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TlsReport:
    """One report; `begin` and `end` as RFC 3339 writes them."""

    organisation: str
    contact: str
    id: str
    begin: str
    end: str
    policies: tuple[PolicyResult, ...] = ()


def read(document: bytes) -> TlsReport:
    """The report in a JSON document. Raises ReportError."""
    if len(document) > DOCUMENT:
        raise ReportError("the report is too large")
    if _depth(document) > DEPTH:
        raise ReportError("the report is nested too deeply")
    try:
        found = json.loads(document)
    except (ValueError, RecursionError):
        raise ReportError("the JSON is damaged") from None
    if not isinstance(found, dict) or not isinstance(found.get("policies"), list):
        raise ReportError("that is no TLS report")
    dates = _table(found.get("date-range"))
    return TlsReport(
        _text(found, "organization-name"), _text(found, "contact-info"), _text(found, "report-id"),
        _text(dates, "start-datetime"), _text(dates, "end-datetime"),
        tuple(_policy(_table(item)) for item in found["policies"][:POLICIES]),
    )  # fmt: skip


def _depth(document: bytes) -> int:
    """How deep the brackets stand inside each other, those in strings left out."""
    deepest = depth = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", document)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _policy(item: Mapping[str, Any]) -> PolicyResult:
    policy, summary = _table(item.get("policy")), _table(item.get("summary"))
    details = [
        Failure(
            _text(d, "result-type"), _text(d, "receiving-mx-hostname"), _count(d, "failed-session-count"),
            _text(d, "failure-reason-code"),
        )
        for d in map(_table, _list(item.get("failure-details"))[:FAILURES])
    ]  # fmt: skip
    return PolicyResult(
        _text(policy, "policy-type"), _text(policy, "policy-domain"),
        _count(summary, "total-successful-session-count"), _count(summary, "total-failure-session-count"),
        tuple(details), _texts(policy.get("policy-string")), _texts(policy.get("mx-host")),
    )  # fmt: skip


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name)
    return clean(value[:1000]) if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    """A list of texts, or a single one, as some write it."""
    items = [value] if isinstance(value, str) else _list(value)[:STRINGS]
    return tuple(clean(item[:1000]) for item in items if isinstance(item, str))


def _count(table: Mapping[str, Any], name: str) -> int:
    value = table.get(name)
    return value if isinstance(value, int) and 0 <= value < 1 << 53 else 0


def write(report: TlsReport) -> bytes:
    """The JSON document of a report."""
    policies = []
    for one in report.policies:
        policy: dict[str, Any] = {"policy-type": one.kind, "policy-domain": one.domain}
        policy |= {name: list(v) for name, v in (("policy-string", one.words), ("mx-host", one.mx)) if v}
        summary = {"total-successful-session-count": one.successes, "total-failure-session-count": one.failures}
        details = [
            {"result-type": d.result, "failed-session-count": d.sessions}
            | ({"receiving-mx-hostname": d.mx} if d.mx else {})
            for d in one.details
        ]
        policies.append({"policy": policy, "summary": summary} | ({"failure-details": details} if details else {}))
    return json.dumps(
        {
            "organization-name": report.organisation,
            "date-range": {"start-datetime": report.begin, "end-datetime": report.end},
            "contact-info": report.contact,
            "report-id": report.id,
            "policies": policies,
        }
    ).encode()
