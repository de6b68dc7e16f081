"""Messages and DNS records made to hurt whoever judges them: tests want a verdict, benchmarks measure what it takes."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gk.mailauth.letter import Letter
from tests.mailauth.signed import TEXT
from tests.mailauth.table import Table

SIGNATURE = b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=a.test; s=%s; h=%s; bh=%s; b=%s\r\n"
OCTETS = base64.b64encode(b"\1" * 512)  # what the signature of a key of 4,096 bits looks like
SHORT = (  # openssl genrsa 512
    "v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMP7vtFyE0mhSOJTXNUW99xYgkwpDDGF"
    "0oepWZEXG/EX4uo7p/hFzZ2Cjq1tgyZo6seOEvWLMFE2W5/XzcBgHQcCAwEAAQ=="
)
FULL = 64 << 10  # octets a TXT record may have


@dataclass(frozen=True, slots=True)
class Hostile:
    """One attempt. `expected` are results by method; `records` what the DNS says, TXT by name."""

    name: str
    message: bytes
    expected: dict[str, tuple[str, ...]]
    records: dict[str, list[str]] = field(default_factory=dict)
    sender: str = "ann@a.test"

    def names(self) -> Table:
        """The DNS of the attempt."""
        table = Table()
        for name, texts in self.records.items():
            for text in texts:
                table.txt(name, text)
        hosts = [f"h{number}.test" for number in range(1000)]
        table.add("9.2.0.192.in-addr.arpa", "PTR", *hosts)
        for host in hosts:
            table.add(host, "A", "198.51.100.7")
        table.add("a.test", "MX", *((10, host) for host in hosts))
        return table


def key_of(bits: int) -> str:
    """The record of a number that passes for an RSA key of so many bits."""
    public = RSAPublicNumbers(65537, (1 << bits - 1) + 1).public_key()
    octets = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; p={base64.b64encode(octets).decode()}"


def attempts() -> Iterator[Hostile]:
    """All of them."""
    yield from _policies()
    yield from _signatures()
    yield from _chains()
    yield from _authors()


def _policies() -> Iterator[Hostile]:
    largest = "v=spf1 " + " ".join(f"ip4:198.51.{n // 256 % 256}.{n % 256}" for n in range(490))
    endless = "%{d}.%{d}.%{d}.%{d}.%{d}.%{d}"
    policies: dict[str, tuple[str, dict[str, list[str]]]] = {
        "a policy of 64 KiB": ("permerror", {"a.test": ["v=spf1 " + "ip4:198.51.100.1 " * 3600 + "-all"]}),
        "a term of 64 KiB": ("permerror", {"a.test": ["v=spf1 a:" + "x." * (FULL // 2 - 10) + " -all"]}),
        "blanks of 64 KiB": ("permerror", {"a.test": ["v=spf1" + " " * (FULL - 10) + "-all"]}),
        "a hundred other records": ("none", {"a.test": ["x" * FULL] * 100}),
        "a hundred policies": ("permerror", {"a.test": ["v=spf1 -all"] * 100}),
        "ten policies of 8 KiB": (
            "softfail",
            {f"p{n}.test": [f"{largest} include:p{n + 1}.test ~all"] for n in range(9)}
            | {"p9.test": [f"{largest} ~all"], "a.test": ["v=spf1 include:p0.test ~all"]},
        ),
        "policies that include each other": (
            "permerror", {"a.test": ["v=spf1 include:b.test -all"], "b.test": ["v=spf1 include:a.test -all"]}
        ),
        "a policy that includes itself many times": ("permerror", {"a.test": ["v=spf1 " + "include:a.test " * 400]}),
        "a policy that leads to itself": ("permerror", {"a.test": ["v=spf1 redirect=a.test"]}),
        "macros that expand without end": ("permerror", {"a.test": [f"v=spf1 redirect={endless}"]}),
        "macros in a hundred terms": (
            "permerror", {"a.test": ["v=spf1 " + f"exists:{endless}.%{{i}}.%{{h}}.a.test " * 100 + "-all"]}
        ),
        "an explanation that expands without end": (
            "fail", {"a.test": ["v=spf1 -all exp=e.test"], "e.test": ["%{s}%{l}%{d}" * 600]}
        ),
        "a thousand exchangers": ("permerror", {"a.test": ["v=spf1 mx -all"]}),
        "a thousand names of one address": ("fail", {"a.test": ["v=spf1 ptr -all"]}),
    }  # fmt: skip
    for name, (result, records) in policies.items():
        yield Hostile(name, TEXT, {"spf": (result,)}, records, "u" * 64 + "@a.test")


def _signatures() -> Iterator[Hostile]:
    def signed(*selectors: bytes, names: bytes = b"from", body: bytes = b"Hello.\r\n") -> bytes:
        digest = base64.b64encode(Letter(b"\r\n" + body, 0, len(body) + 2).body_hash("sha256", True)[0])
        head = TEXT.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        return b"".join(SIGNATURE % (selector, names, digest, OCTETS) for selector in selectors) + head + body

    keys = {
        "short": SHORT,
        "long": key_of(16384),
        "huge": "v=DKIM1; p=" + "A" * FULL,
        "tags": "v=DKIM1; p=AA==;" + "n=x;" * 15000,
    }
    for name, record in keys.items():
        records = {f"{name}._domainkey.a.test": [record]}
        yield Hostile(f"a key that is {name}", signed(name.encode()), {"dkim": ("policy",)}, records)
    largest = {"s._domainkey.a.test": [key_of(4096)]}
    yield Hostile("a thousand signatures", signed(*[b"s"] * 1000), {"dkim": ("fail",) * 5}, largest)
    many = b":".join([b"from"] * 400)
    fields = b"X-Field: of many\r\n" * 1900
    yield Hostile(
        "signatures of long lists", fields + signed(*[b"s"] * 5, names=many), {"dkim": ("fail",) * 5}, largest
    )
    worthless = b"DKIM-Signature: " + b"=;" * 4000 + b"\r\n" + b"DKIM-Signature:" + b" " * 60_000 + b"x\r\n"
    yield Hostile("fields that are no signatures", worthless + TEXT, {"dkim": ("permerror",) * 2})
    for name, body in (
        ("blanks", b" " * 59_000), ("line ends", b"\r\n" * 29_000), ("both", b" \t\r\n" * 14_000),
        ("blanks of 4 MB", b" " * (4 << 20)), ("line ends of 4 MB", b"\r\n" * (2 << 20)),
    ):  # fmt: skip
        message = signed(*[b"s"] * 5, body=body + b"x\r\n")
        yield Hostile(f"a body of {name}", message, {"dkim": ("fail",) * 5}, largest)


def _chains() -> Iterator[Hostile]:
    one = (
        b"ARC-Seal: i=%d; cv=%s; a=rsa-sha256; d=a.test; s=s; b=AA==\r\nARC-Authentication-Results: i=%d; x\r\n"
        b"ARC-Message-Signature: i=%d; a=rsa-sha256; d=a.test; s=s; h=from; bh=AA==; b=AA==\r\n"
    )
    whole = b"".join(one % (n, b"pass" if n > 1 else b"none", n, n) for n in range(1, 51))
    records = {"s._domainkey.a.test": [key_of(4096)]}
    yield Hostile("a chain of fifty", whole + TEXT, {"arc": ("fail",)}, records)
    yield Hostile("a thousand seals", one % (1, b"none", 1, 1) * 1000 + TEXT, {"arc": ("fail",)}, records)
    long = one % (1, b"none", 1, 1) + b"ARC-Authentication-Results: i=2;" + b"(" * 60_000 + b"\r\n"
    yield Hostile("a chain of comments", long + TEXT, {"arc": ("fail",)}, records)


def _authors() -> Iterator[Hostile]:
    rest = TEXT.partition(b"\r\n")[2]
    reject = {"_dmarc.a.test": ["v=DMARC1; p=reject"]}
    crowd = b"From: " + b", ".join(b"x@d%d.test" % n for n in range(999)) + b", ann@a.test\r\n"
    yield Hostile("a thousand authors", crowd + rest, {"dmarc": ("none",) * 5 + ("permerror",)}, reject)
    yield Hostile(
        "two thousand From fields", b"From: ann@a.test\r\n" * 1999 + rest, {"dmarc": ("fail", "permerror")}, reject
    )
    for name, text in (("comments", b"("), ("quotes", b'"\\"'), ("groups", b"g:"), ("words", b"=?utf-8?q?a?= ")):
        field = b"From: " + text * (63_000 // len(text)) + b" ann@a.test\r\n"
        yield Hostile(f"an author behind {name}", field + rest, {}, reject)
    deep = b"From: ann@" + b"x." * 120 + b"a.test\r\n"
    yield Hostile("an author of a deep domain", deep + rest, {"dmarc": ("fail",)}, reject)
    wide = {"_dmarc.a.test": ["v=DMARC1; p=reject;" + "x=y;" * 16_000]}
    yield Hostile("a DMARC record of 64 KiB", TEXT, {"dmarc": ("none",)}, wide)
    yield Hostile(
        "a thousand DMARC records", TEXT, {"dmarc": ("none",)}, {"_dmarc.a.test": ["v=DMARC1; p=reject"] * 1000}
    )
    fields = b"X-Field: of many\r\n" * 55_000
    yield Hostile("a header of a megabyte", fields + TEXT, {"dmarc": ("permerror",)}, reject)
