"""What the server says, as bytes (RFC 3501 §7): tagged replies as values, and the pieces of untagged data."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gk import errors
from gk.message import utf7
from gk.store.chosen import uid_set

_ATOM = re.compile(r"[A-Za-z0-9!#$&'+,./:;<=>?@^_`|~-]+\Z")
SYSTEM_FLAGS = "\\Answered \\Flagged \\Deleted \\Seen \\Draft"


@dataclass(frozen=True, slots=True)
class Reply:
    """A tagged reply: OK, NO or BAD, a text fit for a person, and a response code (RFC 5530) or ""."""

    status: str
    text: str
    code: str = ""

    def render(self, tag: bytes) -> bytes:
        code = f"[{self.code}] " if self.code else ""
        return b"%b %b\r\n" % (tag, f"{self.status} {code}{self.text}".encode())


def ok(text: str, code: str = "") -> Reply:
    return Reply("OK", text, code)


def no(text: str, code: str = "") -> Reply:
    return Reply("NO", text, code)


def bad(text: str, code: str = "") -> Reply:
    return Reply("BAD", text, code)


_CODES: tuple[tuple[type[errors.GkError], str], ...] = (
    (errors.NoSuchMailbox, "NONEXISTENT"),
    (errors.MailboxExists, "ALREADYEXISTS"),
    (errors.OverQuota, "OVERQUOTA"),
    (errors.LimitReached, "LIMIT"),
    (errors.LoginFailed, "AUTHENTICATIONFAILED"),
    (errors.LoginDelayed, "UNAVAILABLE"),
    (errors.Unavailable, "UNAVAILABLE"),
    (errors.Refused, "CANNOT"),
)


def refusal(error: errors.GkError) -> Reply:
    """A domain error in IMAP's words."""
    return no(str(error) or "refused", next((code for kind, code in _CODES if isinstance(error, kind)), ""))


def astring(text: str) -> bytes:
    """Printable ASCII as an atom where it can be one, quoted otherwise."""
    if _ATOM.match(text) and text.upper() != "NIL":
        return text.encode("ascii")
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode("ascii") + b'"'


def mailbox(name: str, *, utf8: bool = False) -> bytes:
    """A mailbox name in modified UTF-7, or as it is (RFC 9051 §5.1)."""
    if not utf8:
        return astring(utf7.encode(name).decode("ascii"))
    if _ATOM.match(name) and name.upper() != "NIL":
        return name.encode("ascii")
    if any(c < " " or c == "\x7f" for c in name):  # no quoted string can hold them
        return literal(name.encode())
    return b'"' + name.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'


def flags_of(keywords: Sequence[str], *, read_only: bool, more: bool) -> bytes:
    """FLAGS and PERMANENTFLAGS of a mailbox (RFC 3501 §7.1, §7.2.6); `more`: new keywords can be made."""
    known = " ".join([SYSTEM_FLAGS, *keywords])
    kept = "" if read_only else known + " \\*" if more else known
    return f"* FLAGS ({known})\r\n* OK [PERMANENTFLAGS ({kept})] what stays\r\n".encode()


def expunged(numbers: Sequence[int]) -> bytes:
    """EXPUNGE for these message numbers, given in ascending order, told from the last so that none of them shifts."""
    return b"".join([b"* %d EXPUNGE\r\n" % n for n in reversed(numbers)])


def vanished(uids: Iterable[int]) -> bytes:
    """VANISHED for these ascending uids, b"" for none (RFC 7162 §3.2.10)."""
    text = uid_set(uids)
    return b"* VANISHED %b\r\n" % text.encode() if text else b""


def vanished_earlier(ranges: Iterable[tuple[int, int]]) -> bytes:
    """VANISHED (EARLIER) for ordered ranges of uids (RFC 7162 §3.2.10.1)."""
    text = ",".join(f"{first}:{last}" if last > first else str(first) for first, last in ranges)
    return b"* VANISHED (EARLIER) %b\r\n" % text.encode()


def numbers(values: Iterable[int]) -> bytes:
    return " ".join(map(str, values)).encode()


def literal(data: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(data), data)
