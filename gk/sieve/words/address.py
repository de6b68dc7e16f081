"""Tests of addresses: address, envelope (RFC 5228 §5.1, §5.4), with :user and :detail (RFC 5233)."""

from collections.abc import Callable

from gk.sieve.compilation import Compilation
from gk.sieve.errors import SieveError
from gk.sieve.grammar import INDEX, MATCH, PART, STRINGS, Bound, Test, test
from gk.sieve.run import Run
from gk.sieve.words.header import chosen, field_names, position

SEPARATOR = "+"

# RFC 5228 §5.1: the test is for fields that hold addresses.
_FIELDS = frozenset(
    {"from", "to", "cc", "bcc", "sender", "reply-to"}
    | {"resent-from", "resent-to", "resent-cc", "resent-bcc", "resent-sender", "resent-reply-to"}
    | {"return-path", "delivered-to", "x-original-to", "envelope-to", "apparently-to", "errors-to"}
    | {"mail-followup-to", "mail-reply-to", "disposition-notification-to", "return-receipt-to", "x-forwarded-to"}
)

PartOf = Callable[[str, str], str | None]


# RFC 5228 §2.7.4: what is no address, and so has no domain, has no parts either: it is what it is.


def _all(local: str, domain: str) -> str | None:
    return f"{local}@{domain}" if domain else local


def _local(local: str, domain: str) -> str | None:
    return local if domain else None


def _domain(local: str, domain: str) -> str | None:
    return domain or None


def _user(local: str, domain: str) -> str | None:
    return local.partition(SEPARATOR)[0] if domain else None


def _detail(local: str, domain: str) -> str | None:
    _, found, detail = local.partition(SEPARATOR if domain else "\0")
    return detail if found else None  # RFC 5233 §4: without a separator there is no detail to match


_PARTS: dict[str, PartOf] = {"": _all, "all": _all, "localpart": _local, "domain": _domain, "user": _user}
_PARTS["detail"] = _detail


@test("address", (STRINGS, STRINGS), tags=MATCH | PART | INDEX)
def address(unit: Compilation, bound: Bound) -> Test:
    """Whether a part of an address in a field matches."""
    names, (index, last) = field_names(unit, bound.strings(0)), position(bound)
    for name in names:
        if name.constant is not None and name.constant.lower() not in _FIELDS:
            raise SieveError(name.piece.place, f'"{name.constant}" holds no addresses: use the test header')
    matcher, part = unit.matcher(bound, bound.strings(1)), _PARTS[bound.tag("part")]

    def holds(run: Run) -> bool:
        values: list[str] = []
        for field in chosen(run, names, index, last):
            addresses = field.addresses
            run.spend(len(addresses))
            values += [text for local, domain in addresses if (text := part(local, domain)) is not None]
        return matcher.holds(run, values)

    return holds


@test("envelope", (STRINGS, STRINGS), tags=MATCH | PART, needs="envelope")
def envelope(unit: Compilation, bound: Bound) -> Test:
    """Whether a part of the sender or of the recipient matches."""
    parts = [unit.constant(piece, "a part of the envelope").lower() for piece in bound.strings(0)]
    for name, piece in zip(parts, bound.strings(0), strict=True):
        if name not in ("from", "to"):
            raise SieveError(piece.place, f'the envelope has a "from" and a "to", no "{name}"')
    matcher, part = unit.matcher(bound, bound.strings(1)), _PARTS[bound.tag("part")]

    def holds(run: Run) -> bool:
        values: list[str] = []
        for name in parts:
            found = run.mail.sender if name == "from" else run.mail.recipient
            if found is not None:
                text = part(found.local, found.domain) if found.domain else found.local
                values += [text] if text is not None else []
            elif name == "from":
                values.append("")  # RFC 5228 §5.4: of the null path every part is the empty string
        return matcher.holds(run, values)

    return holds
