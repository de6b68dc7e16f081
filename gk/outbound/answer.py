"""What servers answer, in values the queue can keep, and how long they are waited for."""

import ssl
from dataclasses import dataclass

import aiosmtplib

REPLY = 500  # characters of a remote reply that are kept


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds, RFC 5321 §4.5.3.2; `tls` is a handshake, `envelope` a server's share for one group of recipients."""

    connect: float = 30
    banner: float = 60
    tls: float = 60
    command: float = 300
    envelope: float = 900
    data: float = 120
    block: float = 180
    final: float = 600


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one recipient: `code` is the reply's, 0 where there was none.

    `doubtful`: the content went out whole and no answer came. `told`: the server promised to confirm the delivery
    itself (DSN). `tls` is the version and what stood for the other side's identity, None in clear. `own`: the fault
    is this server's, so it says nothing of the other.
    """

    no: int
    code: int
    text: str
    remote: str
    told: bool = False
    doubtful: bool = False
    tls: str | None = None
    own: bool = False

    @property
    def accepted(self) -> bool:
        return 200 <= self.code < 300

    @property
    def permanent(self) -> bool:
        return 500 <= self.code < 600


def known(code: int) -> int:
    """A reply code; nonsense counts as no answer, so that it is tried again."""
    return code if 200 <= code < 600 else 0


def refused(code: int) -> int:
    """The code of a reply that is not what was asked for: a 2xx or 3xx out of its place takes no message, so it counts
    as no answer."""
    return code if 400 <= code < 600 else 0


def clean(text: str) -> str:
    """A remote reply as one bounded line of printable characters."""
    line = text[: 4 * REPLY].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in line).split())[:REPLY]


def reason(error: BaseException | None) -> str:
    """A fault in words fit for a sender."""
    if isinstance(error, aiosmtplib.SMTPConnectError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, TimeoutError):
        return "the server did not answer in time"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'})"
    if isinstance(error, ConnectionError):
        return "the connection was lost"
    return clean(str(error) or type(error).__name__)
