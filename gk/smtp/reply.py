"""Domain errors as SMTP replies with their enhanced codes (RFC 3463); the texts are generic."""

from gk.errors import (
    DiskFull,
    GkError,
    LoginDelayed,
    LoginFailed,
    Overloaded,
    OverQuota,
    ReadOnly,
    Refused,
    SendingLimit,
    Suppressed,
    Unavailable,
)
from gk.inbound.accept import Looping
from gk.inbound.verdict import DeferredByVerdict, RefusedByVerdict

RELAY = "550 5.7.1 Relaying denied"
UNKNOWN = "550 5.1.1 No such user here"


class Refusal(Exception):
    """The message or command is refused; `str()` is the reply."""


def reply_to(error: GkError) -> str:
    """The reply that tells a client what `error` means for it."""
    match error:
        case RefusedByVerdict() | DeferredByVerdict():
            return error.reply
        case DiskFull():
            return "452 4.3.1 No room for mail now"
        case ReadOnly():
            return "452 4.3.0 Mail cannot be kept now"
        case Overloaded():
            return "451 4.3.2 Too busy, try again"
        case Unavailable():
            return "451 4.3.0 Not now, try again"
        case LoginFailed():
            return "535 5.7.8 Wrong name or password"
        case LoginDelayed():
            return "454 4.7.0 Too many failed logins, try again later"
        case Looping():
            return "554 5.4.6 Too many hops, the message is looping"
        case OverQuota():
            return "452 4.2.2 The mailbox is full"
        case SendingLimit():
            return "452 4.7.1 Too much mail for one day, go on tomorrow"
        case Suppressed():
            return "550 5.7.1 A recipient is on the suppression list"
        case Refused():
            return "550 5.7.1 Refused"
        case _:
            return "451 4.3.0 Local error, try again"
