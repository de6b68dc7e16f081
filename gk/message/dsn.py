"""Delivery status notifications (RFC 3461, RFC 3464, RFC 6522, RFC 6533): what the sender reads when mail is stuck.

The words are plain, in English and in French; text of remote servers is reduced to printable ASCII and bounded,
and no report is larger than 256 KiB.
"""

import re
from binascii import b2a_qp
from dataclasses import dataclass
from secrets import token_hex
from typing import Literal

from gk.message.address import Address, AddressError, parse_address
from gk.message.compose import ComposeError, addresses, clean, field, message_id
from gk.message.date import format_date
from gk.message.dsn_words import Language, languages
from gk.message.fields import read_fields
from gk.message.thread import message_ids

SIZE = 256 << 10  # octets of a report; no report may be a weapon
DIAGNOSTIC = 500  # characters of a remote server's text
LISTED = 64 << 10  # octets that the recipients may take in the machine-readable part
TOLD = 8 << 10  # octets that those of one kind may take in the words of one language
LINE = 998  # octets, RFC 5322 section 2.1.1

Action = Literal["failed", "delayed", "delivered", "relayed"]

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)
_TYPED = re.compile(r"[A-Za-z0-9.-]{1,40};\s*.+")
_PLAIN_ID = re.compile(rb"<[!-;=?-~]{3,250}>")
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


@dataclass(frozen=True, slots=True)
class Failure:
    """What became of one recipient.

    `original` is the ORCPT as given (`rfc822;user@example.org`, RFC 3461 section 4.2), `status` an RFC 3463 code,
    `remote` the name of the server that answered, `diagnostic` what it said.
    """

    recipient: str
    original: str | None
    action: Action
    status: str
    remote: str | None
    diagnostic: str


_ORDER: tuple[Action, ...] = ("failed", "delayed", "delivered", "relayed")


def report(
    *,
    hostname: str,
    to: str,
    original_headers: bytes,
    failures: list[Failure],
    envid: str | None,
    arrived: int,
    now: int,
    ret_full: bytes | None,
    sender_envelope: str = "",
) -> bytes:
    """A complete multipart/report message with CRLF line ends, to send from the null path to `to`.

    `original_headers` is the header section of the message reported on; `ret_full` all of it where RET=FULL asked for
    it, returned only if it fits. `arrived` and `now` are epoch seconds. Raises ComposeError when `to` or `hostname`
    cannot stand in a header, or for a return path other than the null one (RFC 3464 section 2).
    """
    if sender_envelope:
        raise ComposeError("a report goes out from the null path")
    if not failures:
        raise ComposeError("a report without recipients")
    boundary = f"=_dsn_{token_hex(16)}"
    worst = next(action for action in _ORDER if any(item.action == action for item in failures))
    spoken = languages(original_headers)
    human = b2a_qp(_human(spoken, hostname, failures).encode().replace(b"\n", b"\r\n"))
    status = _status(hostname, failures, envid, arrived)
    head = b"".join(
        (
            b"Date: " + format_date(now) + b"\r\n",
            addresses("From", [("Mail Delivery System", Address("mailer-daemon", hostname))], utf8=True),
            _to(to),
            field("Subject", spoken[0].subjects[worst]),
            _in_reply_to(original_headers),
            b"Message-ID: " + message_id(hostname) + b"\r\n",
            b"Auto-Submitted: auto-replied\r\n",  # RFC 3834 section 5
            b"MIME-Version: 1.0\r\n",
            b'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="%b"\r\n' % boundary.encode(),
        )
    )
    delimiter = b"\r\n--" + boundary.encode()
    front = b"".join(
        (
            delimiter + b"\r\nContent-Type: text/plain; charset=utf-8\r\n",
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + human,
            delimiter + b"\r\nContent-Type: message/delivery-status\r\n\r\n" + status,
            delimiter,
        )
    )
    left = SIZE - len(head) - len(front) - len(delimiter) - 200
    returned = _returned(original_headers, ret_full, left)
    encoding = b"" if returned.isascii() else b"Content-Transfer-Encoding: 8bit\r\n"
    return b"".join((head, encoding, front, b"\r\n", returned, delimiter, b"--\r\n"))


def _to(to: str) -> bytes:
    try:
        address = parse_address(to)
    except AddressError as error:
        raise ComposeError("the report has no address to go to") from error
    return addresses("To", [(None, address)], utf8=not address.is_ascii)


def _in_reply_to(headers: bytes) -> bytes:
    """A reference to the message reported on, so that the report shows up beside it."""
    found = message_ids(read_fields(headers[:SIZE]).get(b"message-id", b""), 1)
    if not found or not _PLAIN_ID.fullmatch(found[0]):
        return b""
    return b"In-Reply-To: %b\r\nReferences: %b\r\n" % (found[0], found[0])


def _human(spoken: tuple[Language, ...], hostname: str, failures: list[Failure]) -> str:
    texts: list[str] = []
    for language in spoken:
        lines = [language.opening.format(hostname), ""]
        for action in _ORDER:
            chosen = [item for item in failures if item.action == action]
            if not chosen:
                continue
            lines += [language.headings[action], ""]
            size = 0
            for index, item in enumerate(chosen):
                entry = [f"  {clean(item.recipient)[:320]}"]
                if action in ("failed", "delayed"):
                    entry += _why(language, item)
                size += sum(len(b2a_qp(line.encode())) for line in entry)
                if size > TOLD:
                    lines.append("  " + language.more.format(len(chosen) - index))
                    break
                lines += entry
            lines.append("")
        texts.append("\n".join(lines))
    return "\n---\n\n".join(texts)


def _why(language: Language, item: Failure) -> list[str]:
    """The reason in plain words, and word for word what a server said, or what this one found."""
    reason = language.reason(item.status)
    diagnostic = printable(item.diagnostic)
    lines = [f"    {reason}"] if reason else []
    if diagnostic:
        theirs = item.remote and diagnostic[:3].isdigit()  # a reply begins with its code
        where = f" ({printable(item.remote, 255)})" if item.remote else ""
        lines.append(f"    {language.said} {diagnostic}{where}" if theirs else f"    {diagnostic}{where}")
    return lines


def _status(hostname: str, failures: list[Failure], envid: str | None, arrived: int) -> bytes:
    """The machine-readable part (RFC 3464 section 2)."""
    lines: list[bytes] = []
    if envid:
        lines.append(b"Original-Envelope-Id: " + printable(envid, 100).encode())
    lines.append(b"Reporting-MTA: dns; " + printable(hostname, 255).encode())
    lines.append(b"Arrival-Date: " + format_date(arrived))
    blocks = [b"\r\n".join(lines)]
    size = 0
    for item in failures:
        block = _recipient(item)
        size += len(block)
        if size > LISTED:
            break
        blocks.append(block)
    return b"\r\n\r\n".join(blocks) + b"\r\n"


def _recipient(item: Failure) -> bytes:
    lines: list[str] = []
    if item.original and _TYPED.fullmatch(item.original):
        kind, _, address = item.original.partition(";")
        lines.append(f"Original-Recipient: {kind.lower()}; {_typed(address.strip())}")
    kind = "rfc822" if item.recipient.isascii() else "utf-8"  # RFC 6533 section 3
    lines.append(f"Final-Recipient: {kind}; {_typed(item.recipient)}")
    lines.append(f"Action: {item.action}")
    fallback = {"failed": "5.0.0", "delayed": "4.0.0"}.get(item.action, "2.0.0")
    lines.append(f"Status: {item.status if _STATUS.fullmatch(item.status) else fallback}")
    if item.remote:
        lines.append(f"Remote-MTA: dns; {printable(item.remote, 255)}")
    diagnostic = printable(item.diagnostic)
    if diagnostic:
        lines.append(f"Diagnostic-Code: smtp; {diagnostic}")
    return "\r\n".join(lines).encode("ascii")


def _typed(address: str) -> str:
    """An address of a status field: printable ASCII, the rest as RFC 6533 section 3 utf-8-addr-xtext."""
    characters = clean(address)[:320]
    return "".join(character if " " <= character <= "~" else f"\\x{{{ord(character):X}}}" for character in characters)


def printable(text: str | None, longest: int = DIAGNOSTIC) -> str:
    """`text` as one line of printable ASCII of bounded length; what is not becomes a question mark."""
    if not text:
        return ""
    line = " ".join(text[: longest * 4].split())
    return "".join(character if " " <= character <= "~" else "?" for character in line)[:longest]


def _returned(headers: bytes, full: bytes | None, left: int) -> bytes:
    """The last part: the whole message where it fits, else its header (RFC 6522 section 3)."""
    if full is not None and len(full) + len(full) // 20 < left:
        content = _BARE.sub(b"\r\n", full).replace(b"\0", b"\x80")
        if len(content) < left:
            encoding = b"" if content.isascii() else b"Content-Transfer-Encoding: 8bit\r\n"
            return b"Content-Type: message/rfc822\r\n" + encoding + b"\r\n" + content
    kept = _BARE.sub(b"\r\n", headers[: max(0, left // 4)]).replace(b"\0", b"?")
    kept = kept.rstrip(b"\r\n") + b"\r\n"
    if kept.isascii() and max(map(len, kept.split(b"\r\n"))) <= LINE:
        return b"Content-Type: text/rfc822-headers\r\n\r\n" + kept
    coded = b2a_qp(kept, istext=True)
    return b"Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + coded
