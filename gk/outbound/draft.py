"""A message as a program describes it, and the bytes it becomes (RFC 5322, RFC 2045, RFC 2046 §5.1).

Everything a program gives is checked where it enters a header field: what could end a line is refused, never repaired.
"""

import re
from binascii import b2a_base64, b2a_qp
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_hex

from gk.errors import Refused
from gk.message import compose
from gk.message.address import Address, AddressError, parse_address
from gk.message.compose import ComposeError
from gk.message.date import format_date
from gk.outbound.attachment import FILES, Attachment

LINE = 998  # octets of a line without its CRLF, RFC 5322 §2.1.1
BASE64_LINE = 57  # octets that make a line of 76, RFC 2045 §6.8
HEADERS = 50  # fields a program may add
RECIPIENT = 1000  # characters of a name and an address
ADDED = frozenset(
    (
        "auto-submitted", "comments", "feedback-id", "importance", "in-reply-to", "keywords", "list-archive",
        "list-help", "list-id", "list-owner", "list-post", "list-subscribe", "list-unsubscribe",
        "list-unsubscribe-post", "organization", "priority", "references", "sensitivity",
    )
)  # fmt: skip
"""The fields a program may add, beside those that begin with X-; the others are made here or mean something here."""

_NAMED = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*+)"|([^"<>]*))\s*<([^<>]*+)>\s*')
_PAIR = re.compile(r"\\(.)")
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # characters that do not stand in a text as they are

Named = tuple[str | None, Address]


@dataclass(frozen=True, slots=True)
class Draft:
    """One message to be sent. Addresses are `zoe@far.test` or `Zoe <zoe@far.test>`.

    `sender` "" is the account's own address; a text and an HTML form become alternatives. `bulk` is one of many: it
    goes to one recipient and says how to be spared the next. `keep`: a copy goes into the account's Sent mailbox.
    """

    to: Sequence[str] = ()
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    subject: str = ""
    text: str = ""
    html: str = ""
    sender: str = ""
    reply_to: Sequence[str] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    bulk: bool = False
    attachments: Sequence[Attachment] = ()
    keep: bool = False

    @property
    def size(self) -> int:
        """What it weighs before it is written: characters and octets."""
        return len(self.text) + len(self.html) + sum(len(each.content) for each in self.attachments)


def named(text: str) -> Named:
    """(display name or None, address) of one recipient. Raises Refused."""
    try:
        compose.check(text)
        found = _NAMED.fullmatch(text) if len(text) <= RECIPIENT else None
        if found is None:
            return None, parse_address(text)
        name = _PAIR.sub(r"\1", found[1]) if found[1] is not None else found[2].strip()
        return name or None, parse_address(found[3])
    except (AddressError, ComposeError) as error:
        raise Refused(f"not an address: {error}") from None


def write(draft: Draft, sender: Named, message_id: bytes, now: int, unsubscribe: str = "") -> bytes:
    """The whole message with CRLF line ends; `unsubscribe` is the address bulk mail names. Raises Refused."""
    try:
        return _header(draft, sender, message_id, now, unsubscribe) + _body(draft)
    except (ComposeError, UnicodeEncodeError) as error:
        reason = "a lone surrogate in the text" if isinstance(error, UnicodeEncodeError) else error
        raise Refused(f"the message cannot be written: {reason}") from None


def copy(draft: Draft, content: bytes) -> bytes:
    """What was written, as its sender keeps it: with those who got it without the others' knowledge. Raises Refused."""
    try:
        bcc = compose.addresses("Bcc", [named(text) for text in draft.bcc]) if draft.bcc else b""
    except ComposeError as error:
        raise Refused(f"the message cannot be written: {error}") from None
    return bcc + content


def _header(draft: Draft, sender: Named, message_id: bytes, now: int, unsubscribe: str) -> bytes:
    out = [compose.addresses("From", [sender])]
    for name, texts in (("Reply-To", draft.reply_to), ("To", draft.to), ("Cc", draft.cc)):
        if texts:
            out.append(compose.addresses(name, [named(text) for text in texts]))
    if not draft.to and not draft.cc:
        out.append(b"To: undisclosed-recipients:;\r\n")  # RFC 5322 §3.4: an empty group
    out.append(compose.field("Subject", draft.subject))
    out.append(b"Date: " + format_date(now) + b"\r\nMessage-ID: " + message_id + b"\r\n")
    added = _added(draft.headers)
    out += [compose.field(name, value) for name, value in added.values()]
    if draft.bulk:
        out.append(b"Precedence: bulk\r\n")
        if "list-unsubscribe" not in added:  # a program that keeps its own list says so
            out.append(compose.field("List-Unsubscribe", f"<mailto:{unsubscribe}>"))  # RFC 2369 §3.2
    out.append(b"MIME-Version: 1.0\r\n")
    return b"".join(out)


def _added(headers: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The fields a program adds, by their names in lower case."""
    if len(headers) > HEADERS:
        raise Refused(f"at most {HEADERS} header fields can be added")
    found: dict[str, tuple[str, str]] = {}
    for name, value in headers.items():
        low = name.lower()
        if low not in ADDED and not low.startswith("x-"):
            raise Refused(f"a program may add the fields {', '.join(sorted(ADDED))} and X-…, no others")
        if low in found:
            raise Refused(f"the field {low} is given twice")
        found[low] = name, value
    return found


def _body(draft: Draft) -> bytes:
    """The header fields of the content, an empty line, the content."""
    if not draft.attachments:
        return _words(draft)
    if len(draft.attachments) > FILES:
        raise Refused(f"at most {FILES} files can be attached")
    return _multipart(b"mixed", [_words(draft), *(attachment.part() for attachment in draft.attachments)])


def _words(draft: Draft) -> bytes:
    if not draft.html:
        return _part(b"plain", draft.text)
    if not draft.text:
        return _part(b"html", draft.html)
    return _multipart(b"alternative", [_part(b"plain", draft.text), _part(b"html", draft.html)])


def _multipart(kind: bytes, parts: Sequence[bytes]) -> bytes:
    boundary = b"=_" + token_hex(16).encode()  # nobody guesses it, so no text can hold it
    head = b"Content-Type: multipart/" + kind + b'; boundary="' + boundary + b'"\r\n\r\n'
    return b"".join(
        [head, *(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts), b"--" + boundary + b"--\r\n"]
    )


def _part(kind: bytes, text: str) -> bytes:
    encoding, content = _encoded(text)
    head = b"Content-Type: text/" + kind + b"; charset=utf-8\r\nContent-Transfer-Encoding: " + encoding
    return head + b"\r\n\r\n" + content


def _encoded(text: str) -> tuple[bytes, bytes]:
    """The transfer encoding that serves a text best, and the text in it, which ends its last line."""
    raw = "\r\n".join(text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")).encode() + b"\r\n"
    if raw.isascii() and not _NOT_TEXT.search(text) and max(map(len, raw.split(b"\r\n"))) <= LINE:
        return b"7bit", raw
    quoted = b2a_qp(raw, istext=True)
    if len(quoted) * 2 <= len(raw) * 3:
        return b"quoted-printable", quoted
    lines = (b2a_base64(raw[i : i + BASE64_LINE], newline=False) for i in range(0, len(raw), BASE64_LINE))
    return b"base64", b"\r\n".join(lines) + b"\r\n"
