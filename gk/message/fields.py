"""The header fields a scan takes note of: those of MIME (RFC 2045), of ENVELOPE, and what threads and loops show."""

from gk.message.header import FIELD, FIELDS, disposition, token, uncomment
from gk.message.part import Part

_MIME = {
    b"content-type",
    b"content-transfer-encoding",
    b"content-disposition",
    b"content-id",
    b"content-description",
    b"content-language",
    b"content-location",
    b"content-md5",
}
_ONCE = {b"date", b"subject", b"in-reply-to", b"message-id", b"references"}
_LISTS = {b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc"}
_RECEIVED = b"received"
_WANTED = {name: name for name in _MIME | _ONCE | _LISTS | {_RECEIVED}}
# The spellings nearly all mail uses, so that most names need no folding; b"" stands for a field not wanted here.
_SPELLED = _WANTED | {name.title(): name for name in _WANTED}
_SPELLED |= {b"Message-ID": b"message-id", b"Content-ID": b"content-id", b"CC": b"cc", b"MIME-Version": b""}
_SPELLED |= {b"DKIM-Signature": b"", b"Return-Path": b"", b"Delivered-To": b"", b"X-Mailer": b"", b"User-Agent": b""}


# How nearly all mail spells its encoding.
_ENCODINGS = {name: name for name in (b"7bit", b"8bit", b"binary", b"quoted-printable", b"base64")}


def read_fields(header: bytes) -> dict[bytes, bytes]:
    """The fields of a header that are looked at, unfolded: the first of each, lists joined, Received counted."""
    if len(header) < 3:
        return {}
    text = header.replace(b"\r\n", b"\n").replace(b"\n ", b" ").replace(b"\n\t", b" ")
    lines = text.split(b"\n", FIELDS)
    if len(lines) > FIELDS:
        lines.pop()
    found: dict[bytes, bytes] = {}
    received = 0
    for line in lines:
        name, _, value = line.partition(b":")
        key = _SPELLED.get(name)
        if key is None:
            key = _WANTED.get(name.strip().lower())
            if key is None:
                continue
        if not key:
            continue
        if key == _RECEIVED:
            received += 1
            continue
        if key in found:
            if key not in _LISTS:
                continue
            value = found[key] + b", " + value.strip()
        found[key] = value[:FIELD].strip()
    if received:
        found[_RECEIVED] = b"%d" % received
    return found


def describe(part: Part, found: dict[bytes, bytes]) -> None:
    """Take over the MIME fields other than Content-Type."""
    value = found.get(b"content-transfer-encoding")
    if value:
        part.encoding = _ENCODINGS.get(value) or token(value) or b"7bit"
    value = found.get(b"content-disposition")
    if value:
        named = disposition(value)
        if named is not None:
            part.disposition, part.disposition_params = named
    part.id = found.get(b"content-id") or None
    part.description = found.get(b"content-description") or None
    part.location = found.get(b"content-location") or None
    part.md5 = found.get(b"content-md5") or None
    value = found.get(b"content-language")
    if value:
        tags = (tag.strip() for tag in uncomment(value).split(b",", 100))
        part.language = tuple(tag for tag in tags if tag)


def make_opaque(part: Part) -> None:
    """Show content that is past a limit as what it then is, octets (RFC 2046 section 4.5.1)."""
    part.type, part.subtype = b"application", b"octet-stream"
