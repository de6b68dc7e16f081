"""The messages reports are sent in (RFC 9990 §2.6, RFC 8460 §3 and §5.3), and the addresses they are for."""

import gzip
import re
from base64 import encodebytes
from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_hex
from urllib.parse import unquote

from gk.message import compose
from gk.message.address import Address, AddressError, parse_address
from gk.message.date import format_date

MAILTO = "mailto:"
_SIZE = re.compile(r"![0-9]+[kmgt]?\Z", re.IGNORECASE)  # the largest report wanted, RFC 7489 §6.2; ours are small


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What one report is sent as; `kind` is dmarc or tls, `begin` and `end` in seconds since 1970."""

    kind: str
    domain: str
    id: str
    begin: int
    end: int
    document: bytes


def mailto(uri: str) -> Address | None:
    """The address of a destination; None for other ways, and what is no address."""
    if not uri.lower().startswith(MAILTO):
        return None
    text = _SIZE.sub("", uri[len(MAILTO) :].partition("?")[0])
    try:
        return parse_address(unquote(text))
    except AddressError:
        return None


def write(report: Outgoing, hostname: str, sender: Address, to: Sequence[Address], now: int) -> bytes:
    """The whole message with CRLF line ends."""
    tls = report.kind == "tls"
    kind, ending = ("application/tlsrpt+gzip", "json.gz") if tls else ("application/gzip", "xml.gz")
    name = f"{hostname}!{report.domain}!{report.begin}!{report.end}.{ending}"
    boundary = f"=_{token_hex(12)}"
    head = [
        compose.addresses("From", [(None, sender)]),
        compose.addresses("To", [(None, address) for address in to]),
        compose.field("Subject", f"Report Domain: {report.domain} Submitter: {hostname} Report-ID: <{report.id}>"),
        b"Date: " + format_date(now) + b"\r\n",
        b"Message-ID: " + compose.message_id(hostname) + b"\r\n",
        b"Auto-Submitted: auto-generated\r\n",
        b"MIME-Version: 1.0\r\n",
    ]
    if tls:
        head += [
            compose.field("TLS-Report-Domain", report.domain),
            compose.field("TLS-Report-Submitter", hostname),
            b"TLS-Required: No\r\n",  # what is broken must not keep its report from arriving, RFC 8460 §3
            f'Content-Type: multipart/report; report-type="tlsrpt";\r\n\tboundary="{boundary}"\r\n'.encode(),
        ]
    else:
        head.append(f'Content-Type: multipart/mixed;\r\n\tboundary="{boundary}"\r\n'.encode())
    words = f"This is {'a TLS' if tls else 'an aggregate DMARC'} report from {hostname} about {report.domain}.\r\n"
    packed = encodebytes(gzip.compress(report.document, mtime=0)).replace(b"\n", b"\r\n")
    return b"".join(
        [
            *head,
            f"\r\n--{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n{words}".encode(),
            f'\r\n--{boundary}\r\nContent-Type: {kind};\r\n\tname="{name}"\r\n'.encode(),
            f'Content-Disposition: attachment;\r\n\tfilename="{name}"\r\n'.encode(),
            b"Content-Transfer-Encoding: base64\r\n\r\n",
            packed,
            f"\r\n--{boundary}--\r\n".encode(),
        ]
    )
