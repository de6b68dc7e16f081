"""DKIM signatures of mail that comes in (RFC 6376): the first few of them, each with a result of its own."""

from collections.abc import Mapping
from dataclasses import dataclass

import dkim

from gk.mailauth.letter import Field, Letter
from gk.mailauth.signature import Checked, Fault, Keys, checked_names, key_name, published, shown, tags

SIGNATURES = 5  # of one message that are looked at; SECURITY: a thousand cost no more
BEGINNING = 8  # characters of b= that tell two signatures apart, RFC 6008 §4
FIELD = b"dkim-signature"


@dataclass(frozen=True, slots=True)
class Dkim:
    """What came of one signature: pass, fail, policy, permerror or temperror (RFC 8601 §2.7.1).

    `beginning` is that of b=; `where` its field in the message, as (offset, length).
    """

    result: str
    domain: str
    selector: str
    algorithm: str = ""
    beginning: str = ""
    reason: str = ""
    where: tuple[int, int] = (0, 0)


def wanted(letter: Letter) -> list[str]:
    """The names of the keys needed, as the DNS has them, without a final dot."""
    return [name for field in _looked_at(letter) if (name := _key_of(field)) is not None]


def verify(letter: Letter, keys: Keys) -> list[Dkim]:
    """The results of the signatures looked at, from the top; never raises."""
    return [_verify(letter, field, keys) for field in _looked_at(letter)]


def _looked_at(letter: Letter) -> list[Field]:
    return letter.named(FIELD)[:SIGNATURES]


def _key_of(field: Field) -> str | None:
    try:
        return key_name(tags(field.value)) if field.regular else None
    except Fault:
        return None


def _verify(letter: Letter, field: Field, keys: Keys) -> Dkim:
    found: Mapping[bytes, bytes] = {}
    try:
        if not field.regular:
            raise Fault("permerror", "the field is too long or full of blanks")
        found = tags(field.value)
        result, reason = _outcome(letter, field, found, keys), ""
    except Fault as fault:
        result, reason = fault.result, fault.reason
    except dkim.DKIMException as error:  # its words name the tag
        result, reason = ("fail" if "is past" in str(error) else "permerror"), shown(error)
    except Exception as error:  # the library's own slips, on a stranger's input: the signature proves nothing
        result, reason = "permerror", f"cannot be verified ({type(error).__name__})"
    return Dkim(
        result, _text(found, b"d").lower(), _text(found, b"s"), _text(found, b"a").lower(),
        "".join(_text(found, b"b").split())[:BEGINNING], reason, field.where,
    )  # fmt: skip


def _outcome(letter: Letter, field: Field, found: Mapping[bytes, bytes], keys: Keys) -> str:
    dkim.validate_signature_fields(found)
    names = checked_names(found)
    if b"from" not in names:
        raise Fault("permerror", "From is not signed")  # §5.4
    if not Checked(letter, keys).verify_sig(found, names, (field.written, field.value), None):
        raise Fault("fail", "the signature does not fit")
    record = keys.get(key_name(found) or "")
    key = published(record) if record else None
    identity = found.get(b"i", b"").rpartition(b"@")[2].lower()
    if not isinstance(key, Fault) and key and b"s" in key.flags and identity not in (b"", found[b"d"].lower()):
        raise Fault("permerror", "the key is not for subdomains")  # §3.6.1, t=s
    return "pass"


def _text(found: Mapping[bytes, bytes], tag: bytes) -> str:
    return found.get(tag, b"").decode("ascii", "replace")[:253]
