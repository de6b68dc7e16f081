"""The reports others send: found in a message, unpacked and read (RFC 9990 §2.6.2, RFC 8460 §5.3)."""

from gk.mailauth import aggregate, tlsrpt
from gk.mailauth.aggregate import Aggregate
from gk.mailauth.tlsrpt import TlsReport
from gk.mailauth.unpacked import PACKED, ReportError, unpacked
from gk.message.part import Part
from gk.message.scan import scan
from gk.message.text import file_name, transfer_decode, walk

LARGEST = 2 * PACKED  # octets of a message that is looked at: base64 takes a third more
PARTS = 50  # of one message

Report = Aggregate | TlsReport

_TYPES = frozenset(
    b"application/" + name
    for name in (b"gzip", b"x-gzip", b"zip", b"x-zip", b"x-zip-compressed", b"xml", b"tlsrpt+gzip", b"tlsrpt+json")
) | {b"text/xml"}
_ENDINGS = (".xml", ".xml.gz", ".json", ".json.gz", ".zip")


def read(message: bytes) -> Report | None:
    """The report in a message; None where nothing in it looks like one. Raises ReportError for one that is damaged."""
    if len(message) > LARGEST:
        return None
    candidates = [part for part in walk(scan(message))[:PARTS] if _looks_like_one(part)]
    damage: ReportError | None = None
    for part in candidates:
        try:
            return document(unpacked(transfer_decode(message[part.body : part.end], part.encoding)))
        except ReportError as error:
            damage = damage or error
    if damage:
        raise damage
    return None


def document(content: bytes) -> Report:
    """The report in a document, by how it begins. Raises ReportError."""
    start = content[:100].removeprefix(b"\xef\xbb\xbf").lstrip()
    return tlsrpt.read(content) if start.startswith(b"{") else aggregate.read(content)


def _looks_like_one(part: Part) -> bool:
    if part.is_multipart or part.is_message:
        return False
    name = (file_name(part) or "").lower()
    return part.type + b"/" + part.subtype in _TYPES or name.endswith(_ENDINGS)
