"""DMARC aggregate reports: what receivers say of mail in a domain's name, read and written (RFC 9990, RFC 7489 App. C).

The XML is read by expat, element by element; a document type, and so every entity of its own, ends the reading.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape

from gk.mailauth.unpacked import ReportError

ELEMENTS, DEPTH = 500_000, 20  # of one document
ROWS = 10_000  # that are kept
TEXT = 253  # characters of one value that are kept
REPEATED = 10  # signatures and reasons of a row that are kept


@dataclass(frozen=True, slots=True)
class Signature:
    """One DKIM result of a row."""

    domain: str
    selector: str
    result: str


@dataclass(frozen=True, slots=True)
class Row:
    """Messages with the same results. `dkim` and `spf` tell whether the method proved the author's domain."""

    source: str
    messages: int
    disposition: str
    dkim: str
    spf: str
    author: str
    sender: str = ""
    reasons: tuple[str, ...] = ()
    signatures: tuple[Signature, ...] = ()
    spf_domain: str = ""
    spf_scope: str = ""
    spf_result: str = ""

    @property
    def passed(self) -> bool:
        return "pass" in (self.dkim, self.spf)


@dataclass(frozen=True, slots=True)
class Published:
    """The policy a report is about."""

    domain: str
    p: str = ""
    sp: str = ""
    np: str = ""
    adkim: str = ""
    aspf: str = ""
    testing: str = ""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One report. `begin` and `end` in seconds since 1970; `dropped` rows were too many to be kept."""

    organisation: str
    email: str
    id: str
    begin: int
    end: int
    published: Published
    rows: tuple[Row, ...] = ()
    dropped: int = 0


@dataclass(slots=True)
class _Element:
    name: str
    text: str = ""
    children: list["_Element"] = field(default_factory=list)

    def all(self, name: str) -> list["_Element"]:
        return [child for child in self.children if child.name == name]

    def inside(self, *names: str) -> "_Element":
        """The element below these names, an empty one where there is none."""
        found = self
        for name in names:
            found = next(iter(found.all(name)), _Element(name))
        return found

    def of(self, *names: str) -> str:
        """The text below these names, fit to be shown."""
        return clean(self.inside(*names).text)


class _Reader:
    """Hands over each element right below the root, and forgets it."""

    def __init__(self) -> None:
        self._stack: list[_Element] = []
        self._count = 0
        self.parts: dict[str, _Element] = {}
        self.rows: list[Row] = []
        self.dropped = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > ELEMENTS or len(self._stack) >= DEPTH:
            raise ReportError("the report has too many elements")
        element = _Element(name.rpartition(":")[2])
        if not self._stack and element.name != "feedback":
            raise ReportError("that is no aggregate report")
        if len(self._stack) > 1:
            self._stack[-1].children.append(element)
        self._stack.append(element)

    def text(self, text: str) -> None:
        element = self._stack[-1]
        if len(element.text) < TEXT:
            element.text += text[:TEXT]

    def end(self, name: str) -> None:
        element = self._stack.pop()
        if len(self._stack) != 1:
            return
        if element.name != "record":
            self.parts.setdefault(element.name, element)
        elif len(self.rows) < ROWS:
            self.rows.append(_row(element))
        else:
            self.dropped += 1

    def refuse(self, *_: object) -> None:
        raise ReportError("the report has a document type")


def read(document: bytes) -> Aggregate:
    """The report in an XML document. Raises ReportError."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = reader.refuse
    try:
        parser.Parse(document, True)
    except ReportError:
        raise
    except (expat.ExpatError, ValueError, LookupError):  # the last two: encodings Python does not know
        raise ReportError("the XML is damaged") from None
    meta = reader.parts.get("report_metadata", _Element(""))
    policy = reader.parts.get("policy_published", _Element(""))
    if not policy.of("domain"):
        raise ReportError("the report does not say which domain it is about")
    published = Published(*(policy.of(name) for name in ("domain", "p", "sp", "np", "adkim", "aspf", "testing")))
    return Aggregate(
        meta.of("org_name"), meta.of("email"), meta.of("report_id"),
        _number(meta.of("date_range", "begin")), _number(meta.of("date_range", "end")),
        published, tuple(reader.rows), reader.dropped,
    )  # fmt: skip


def _row(record: _Element) -> Row:
    row, results = record.inside("row"), record.inside("auth_results")
    evaluated = row.inside("policy_evaluated")
    signatures = [Signature(*(s.of(name) for name in ("domain", "selector", "result"))) for s in results.all("dkim")]
    spf = results.inside("spf")
    return Row(
        row.of("source_ip"), _number(row.of("count")), evaluated.of("disposition").lower(),
        evaluated.of("dkim").lower(), evaluated.of("spf").lower(),
        record.of("identifiers", "header_from"), record.of("identifiers", "envelope_from"),
        tuple(reason.of("type") for reason in evaluated.all("reason")[:REPEATED]), tuple(signatures[:REPEATED]),
        spf.of("domain"), spf.of("scope"), spf.of("result"),
    )  # fmt: skip


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,12}", text) else 0


def clean(text: str) -> str:
    """A stranger's value, fit to stand in a document and on a screen."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())[:TEXT]


def write(report: Aggregate, generator: str) -> bytes:
    """The XML document of a report (RFC 9990 App. A)."""
    return "\n".join(_lines(report, generator)).encode()


def _lines(report: Aggregate, generator: str) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield '<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">'
    yield "<version>1.0</version>"
    meta = _tags(org_name=report.organisation, email=report.email, report_id=report.id)
    dates = _tags(begin=report.begin, end=report.end)
    yield f"<report_metadata>{meta}<date_range>{dates}</date_range>{_tags(generator=generator)}</report_metadata>"
    of = report.published
    policy = _tags(domain=of.domain, p=of.p, sp=of.sp, np=of.np, adkim=of.adkim, aspf=of.aspf, testing=of.testing)
    yield f"<policy_published>{policy}<discovery_method>treewalk</discovery_method></policy_published>"
    for row in report.rows:
        reasons = "".join(f"<reason>{_tags(type=reason)}</reason>" for reason in row.reasons)
        evaluated = _tags(disposition=row.disposition, dkim=row.dkim, spf=row.spf) + reasons
        head = _tags(source_ip=row.source, count=row.messages)
        signatures = "".join(
            f"<dkim>{_tags(domain=s.domain, selector=s.selector, result=s.result)}</dkim>" for s in row.signatures
        )
        spf = _tags(domain=row.spf_domain, scope=row.spf_scope, result=row.spf_result)
        yield f"<record><row>{head}<policy_evaluated>{evaluated}</policy_evaluated></row>"
        yield f"<identifiers>{_tags(header_from=row.author, envelope_from=row.sender)}</identifiers>"
        yield f"<auth_results>{signatures}{f'<spf>{spf}</spf>' if row.spf_domain else ''}</auth_results></record>"
    yield "</feedback>\n"


def _tags(**values: str | int) -> str:
    """An element for each value that is not empty."""
    return "".join(f"<{name}>{escape(clean(str(v)))}</{name}>" for name, v in values.items() if v != "")
