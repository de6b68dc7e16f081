"""Who may be answered by a program: RFC 3834 §2 and RFC 5230 §4.5, §4.6."""

import re
from collections.abc import Callable, Iterable

from gk.message.address import Address, AddressError, parse_address
from gk.message.header import unfold
from gk.sieve.mail import Field, Mail

ADDRESSED = ("to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc")
LOOKED_AT = 500  # addresses among which one of the user is looked for

_ROBOT = re.compile(
    r"mailer-daemon|listserv|majordomo|postmaster|(?:.*[._-])?(?:no|not|donot|do-not|do_not)[._-]?reply(?:[._+-].*)?"
    r"|bounces?(?:[+-].*)?|.*-bounces?(?:[+-].*)?|owner-.*|.*-(?:owner|request|relay)|srs0=.*|srs1=.*",
    re.IGNORECASE,
)
_LIST = ("list-id", "list-help", "list-subscribe", "list-unsubscribe", "list-post", "list-owner", "list-archive")
_PRECEDENCE = frozenset({"bulk", "list", "junk"})
_SUPPRESSED = frozenset({"all", "oof", "autoreply"})  # of X-Auto-Response-Suppress, which Exchange writes
_ROBOTS = ("x-autoreply", "x-autorespond", "x-auto-respond", "feedback-id")


def declined(mail: Mail, owns: Callable[[Address], bool]) -> str:
    """Why the sender of a message is not to be answered, "" where it is; `owns` tells the user's addresses."""
    sender = mail.sender
    if sender is None:
        return "it has no sender"
    if _ROBOT.fullmatch(sender.local):
        return "its sender is a program"
    if owns(sender):
        return "the user sent it"
    named: dict[str, list[Field]] = {}
    for field in mail.fields:
        named.setdefault(field.name, []).append(field)
    return _from_program(named) or ("" if _addressed(named, owns) else "none of the user's addresses is in it")


def _from_program(named: dict[str, list[Field]]) -> str:
    """What in the header says that no person wrote this message to this user alone."""
    if any(name in named for name in _LIST):
        return "it came by a list"
    for field in named.get("auto-submitted", ()):
        if field.text.partition(";")[0].strip().lower() != "no":  # RFC 3834 §5
            return "a program sent it"
    if any(_first(named, name) for name in _ROBOTS):
        return "a program sent it"
    if _first(named, "precedence").lower() in _PRECEDENCE:
        return "it is bulk mail"
    if _SUPPRESSED & {word.strip().lower() for word in _first(named, "x-auto-response-suppress").split(",")}:
        return "it asks not to be answered by programs"
    if _first(named, "content-type").lower().startswith("multipart/report"):
        return "it is a report"
    return ""


def _first(named: dict[str, list[Field]], name: str) -> str:
    return named[name][0].text if name in named else ""


def _addressed(named: dict[str, list[Field]], owns: Callable[[Address], bool]) -> bool:
    """RFC 5230 §4.5: whether one of the user's addresses stands among the recipients."""
    looked = 0
    for name in ADDRESSED:
        for local, domain in (pair for field in named.get(name, ()) for pair in field.addresses):
            looked += 1
            if looked > LOOKED_AT:
                return False
            try:
                if owns(parse_address(f"{local}@{domain}")):
                    return True
            except AddressError:
                continue
    return False


def among(addresses: Iterable[str]) -> Callable[[Address], bool]:
    """Whether an address is one of these, whatever its spelling; what is none among them is left out."""
    keys = set()
    for text in addresses:
        try:
            keys.add(parse_address(text).key)
        except AddressError:
            continue
    return lambda address: address.key in keys


def message_ids(mail: Mail) -> tuple[str, str]:
    """(In-Reply-To, References) of an answer (RFC 5322 §3.6.4); "" where the message has no id."""
    named = {field.name: unfold(field.raw) for field in reversed(mail.fields)}
    own = _ids(named.get("message-id", b""))[:1]
    before = _ids(named.get("references", b"")) or _ids(named.get("in-reply-to", b""))[:1]
    if not own:
        return "", ""
    return own[0], " ".join([*before[:1], *before[1:][-18:], *own])


def _ids(value: bytes) -> list[str]:
    return [found.decode("ascii") for found in re.findall(rb"<[!-;=?-~]{1,250}>", value[: 16 << 10])]
