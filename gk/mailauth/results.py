"""The Authentication-Results field: what we found, in the form others read (RFC 8601)."""

import re
from collections.abc import Iterator

from gk.mailauth.authentic import Authentic, Sent

VALUE, REASON = 253, 120  # characters of a property and of a reason
LINE = 76  # characters of a line, if its words allow
LENGTH = 4 << 10  # octets of the field; what does not fit is left out from the end

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+")  # RFC 2045 §5.1
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]*@[A-Za-z0-9._-]+|[A-Za-z0-9._-]+")  # the pvalue of §2.2
_UNSAFE = re.compile(r"[^\x20-\x7e]|\\")


def header(found: Authentic, sent: Sent, hostname: str, disposed: str = "") -> bytes:
    """The field with its CRLF. `disposed` is what was done where DMARC failed."""
    text = f"Authentication-Results: {hostname}"
    for part in parts(found, sent, disposed):
        if len(text) + len(part) > LENGTH:
            break
        text += f";\r\n\t{part}"
    return text.encode("ascii", "replace") + b"\r\n"


def parts(found: Authentic, sent: Sent, disposed: str = "") -> Iterator[str]:
    """Each method with its result and properties (§2.7)."""
    spf = found.spf
    identity = ("smtp.helo", sent.helo) if spf.helo else ("smtp.mailfrom", sent.sender)
    reason = spf.reason if spf.result in ("permerror", "temperror") else ""
    yield _part("spf", spf.result, reason, identity)
    for one in found.dkim:
        properties = ("header.d", one.domain), ("header.s", one.selector), ("header.a", one.algorithm)
        yield _part("dkim", one.result, one.reason, *properties, ("header.b", one.beginning))
    if not found.dkim:
        yield "dkim=none"
    for judged in found.dmarc:
        comment = f" (p={judged.policy} dis={disposed or 'none'})" if judged.record else ""
        yield _part("dmarc", judged.result, judged.reason, ("header.from", judged.domain), comment=comment)
    if not found.dmarc:
        yield "dmarc=none"
    chain = f" (i={len(found.arc.sealers)} by {found.arc.sealers[0]})" if found.arc.result == "pass" else ""
    yield _part("arc", found.arc.result, found.arc.reason, comment=_comment(chain))
    named = f" ({found.iprev.name})" if found.iprev.name else ""
    yield _part("iprev", found.iprev.result, "", ("policy.iprev", found.iprev.address), comment=_comment(named))


def _part(method: str, result: str, reason: str, *properties: tuple[str, str], comment: str = "") -> str:
    words = [f"{method}={result}{comment}"]
    if reason:
        words.append(f"reason={_quoted(reason[:REASON])}")
    words += [f"{name}={_value(value[:VALUE])}" for name, value in properties if value]
    text, width = words[0], len(words[0])
    for word in words[1:]:
        fold = width + 1 + len(word) > LINE
        text += ("\r\n\t " if fold else " ") + word
        width = len(word) if fold else width + 1 + len(word)
    return text


def _value(text: str) -> str:
    return text if _TOKEN.fullmatch(text) or _ADDRESS.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    """A quoted string, without anything some reader would not unquote: strangers wrote it."""
    return '"' + _UNSAFE.sub("?", text.replace('"', "'")) + '"'


def _comment(text: str) -> str:
    """A comment that cannot end early: names of the DNS have no brackets who mean well."""
    return text if re.fullmatch(r"(?: \([A-Za-z0-9 =._:-]*\))?", text) else ""
