"""DMARC (RFC 9989): what the author's domain asks for when nothing proves that it sent a message.

The organisational domain is found by walking up the tree of names (§4.10), at most eight of them, all asked at once.
"""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from gk.mailauth.dkim import Dkim
from gk.mailauth.letter import Letter
from gk.mailauth.questions import Answer, Questions
from gk.mailauth.spf import Spf
from gk.message.address import AddressError, ascii_domain
from gk.message.header import unfold
from gk.message.mailboxes import Group, Mailbox, parse_list
from gk.message.text import decode_words

LABELS = 8  # names asked on the way up, §4.10
AUTHORS = 5  # domains of one From that are looked at
FROM, LONG = 64 << 10, 4 << 10  # octets of a From field that are read, and of all that are read in the event loop
RECORD = 4 << 10  # octets of a record
URIS = 10  # destinations of reports in one record
POLICIES = ("none", "quarantine", "reject")
VERSION = re.compile(rb"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_LITERAL = re.compile(rb"\[[0-9a-fipv.:]*\]", re.IGNORECASE)  # an address of a host
_AT = re.compile("[@\uff20\ufe6b]")  # the full-width and the small one, too
_URI = re.compile(r"(mailto|https?):[\x21-\x7e]{1,500}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Record:
    """A published policy (§4.7). `psd` is y, n or u; policies that are not given are those of the wider kind."""

    domain: str
    text: str
    p: str = "none"
    sp: str = "none"
    np: str = "none"
    strict_dkim: bool = False
    strict_spf: bool = False
    testing: bool = False
    psd: str = "u"
    rua: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dmarc:
    """What came of one author's domain: pass, fail, none, temperror or permerror (RFC 9989 §4.11, RFC 8601).

    `policy` is what is asked for it on failure; `aligned` names what passed for it, as `dkim:domain` or `spf:domain`.
    """

    result: str
    domain: str
    policy: str = "none"
    record: Record | None = None
    aligned: tuple[str, ...] = ()
    reason: str = ""


# Such a From may show an author whose domain would refuse it: RFC 9989 leaves that to the receiver.
CROWD, UNREADABLE = "there may be more authors than are looked at", "From has an address that cannot be read"


@dataclass(frozen=True, slots=True)
class Walk:
    """What the way up from a domain found: records by the name they are at, the longest first."""

    domain: str
    records: tuple[Record, ...] = ()
    failed: bool = False

    @property
    def organisation(self) -> str:
        """The organisational domain (§4.10.2)."""
        for record in self.records:
            if record.psd == "n":
                return record.domain
            if record.psd == "y" and record.domain != self.domain:
                depth = record.domain.count(".") + 2
                return ".".join(self.domain.split(".")[-depth:])
        return self.records[-1].domain if self.records else self.domain

    @property
    def policy(self) -> Record | None:
        """The record that speaks for the domain: its own, its organisation's, or the public suffix's (§4.10.1)."""
        at = {record.domain: record for record in self.records}
        suffix = next((r for r in self.records if r.psd == "y" and r.domain != self.domain), None)
        return at.get(self.domain) or at.get(self.organisation) or suffix


@dataclass(frozen=True, slots=True)
class Authors:
    """The domains of the From fields, each once, as A-labels; `fault`: why there may be others than these."""

    domains: tuple[str, ...]
    fault: str = ""


def is_long(letter: Letter) -> bool:
    """Whether taking the authors apart takes longer than the event loop may stand still."""
    return sum(len(field.value) for field in letter.named(b"from")) > LONG


def authors(letter: Letter) -> Authors:
    """Who wrote a message."""
    found: dict[str, None] = {}
    fields = letter.named(b"from")
    crowd = letter.cut or len(fields) > AUTHORS or any(len(field.value) > FROM for field in fields)
    unreadable = False
    for field in fields[:AUTHORS]:
        named = False
        value = unfold(field.value[:FROM])
        for item in parse_list(value):
            for mailbox in item.members if isinstance(item, Group) else (item,):
                domain = _domain(mailbox)
                if domain:
                    found[domain] = None
                named |= domain is not None and mailbox.domain is not None
                unreadable |= domain is None
                if len(found) > AUTHORS:
                    return Authors(tuple(found)[:AUTHORS], CROWD)
        if not named:  # programs show words as they stand, as if they were an address
            unreadable |= _AT.search(decode_words(value)) is not None
    return Authors(tuple(found), CROWD if crowd else UNREADABLE if unreadable else "")


def unknown(fault: str) -> Dmarc:
    """The result for the authors who are not asked about."""
    return Dmarc("permerror", "", "quarantine", reason=fault)


def _domain(mailbox: Mailbox) -> str | None:
    """The domain of an author: "" where there is none to ask, None where it cannot be read."""
    if not mailbox.domain or _LITERAL.fullmatch(mailbox.domain):
        return ""
    try:
        domain = ascii_domain(mailbox.domain.decode().rstrip("."))
    except (AddressError, UnicodeDecodeError):
        return None
    return domain if _NAME.fullmatch(domain) and len(domain) <= 253 else None


def names(domain: str) -> list[str]:
    """The names whose records are asked for, the domain itself first (§4.10)."""
    labels = domain.split(".")
    return [domain] + [".".join(labels[-n:]) for n in range(min(len(labels) - 1, LABELS - 1), 0, -1)]


async def walk(domain: str, questions: Questions) -> Walk:
    """Go up from a domain; never raises."""
    up = names(domain)
    answers = await questions.every([(f"_dmarc.{name}", "TXT") for name in up])
    records: list[Record] = []
    for name, answer in zip(up, answers, strict=True):
        if answer.failed:
            return Walk(domain, tuple(records), failed=True)
        record = _only(name, answer)
        if record is None:
            continue
        records.append(record)
        if record.psd == "n" or (record.psd == "y" and name != domain):
            break
    return Walk(domain, tuple(records))


def _only(name: str, answer: Answer) -> Record | None:
    """The record of a name; with several there is none (§4.10)."""
    texts = [text for text in answer.records if VERSION.match(text)]
    return parse(name, texts[0]) if len(texts) == 1 else None


@functools.lru_cache(1024)
def parse(domain: str, text: bytes) -> Record | None:
    """A record, None for what is none. Tags that are not understood are as if they were not there (§4.7)."""
    if len(text) > RECORD or not VERSION.match(text):
        return None
    found: dict[str, str] = {}
    for item in text.decode("ascii", "replace").split(";")[1:]:
        name, _, value = item.partition("=")
        found.setdefault(name.strip().lower(), value.strip())
    rua = tuple(uri.strip() for uri in found.get("rua", "").split(",")[:URIS] if _URI.fullmatch(uri.strip()))
    asked = [found.get(tag, "none" if tag == "p" else "").lower() for tag in ("p", "sp", "np")]
    if asked[0] not in POLICIES or any(value and value not in POLICIES for value in asked):
        if not rua:
            return None
        asked = ["none", "", ""]  # they want to hear of it, at least
    p = asked[0]
    sp = asked[1] or p
    return Record(
        domain, text.decode("ascii", "replace"), p, sp, asked[2] or sp,
        found.get("adkim", "").lower() == "s", found.get("aspf", "").lower() == "s",
        found.get("t", "").lower() == "y", psd if (psd := found.get("psd", "").lower()) in ("y", "n") else "u", rua,
    )  # fmt: skip


async def judge(way: Walk, spf: Spf, signatures: Sequence[Dkim], questions: Questions) -> Dmarc:
    """The result for one author's domain, from the way up from it and what was authenticated; never raises."""
    record = way.policy
    if record is None:
        return Dmarc("temperror" if way.failed else "none", way.domain)
    policy = await _asked(way.domain, record, questions)
    aligned: list[str] = []
    unknown = False
    for kind, result, domain, strict in [
        *(("dkim", s.result, s.domain, record.strict_dkim) for s in signatures),
        ("spf", spf.result, spf.domain, record.strict_spf),
    ]:
        if result not in ("pass", "temperror") or not await _aligned(domain, way, strict, questions):
            continue
        if result == "pass":
            aligned.append(f"{kind}:{domain}")
        unknown |= result == "temperror"
    if aligned:
        return Dmarc("pass", way.domain, policy, record, tuple(dict.fromkeys(aligned)))
    if unknown or way.failed:
        return Dmarc("temperror", way.domain, policy, record, reason="what might prove it could not be looked up")
    return Dmarc("fail", way.domain, policy, record)


async def _asked(domain: str, record: Record, questions: Questions) -> str:
    """What the record asks for on failure (§4.7: p, sp, np, t)."""
    policy = record.p if record.domain == domain else record.sp
    if record.domain != domain and record.np != record.sp and (await questions.ask(domain, "A")).missing:
        policy = record.np  # RFC 8020: no such name, and nothing below it
    return POLICIES[max(0, POLICIES.index(policy) - 1)] if record.testing else policy


async def _aligned(domain: str, way: Walk, strict: bool, questions: Questions) -> bool:
    """Whether an authenticated domain is the author's, or of the same organisation (§4.5)."""
    if domain == way.domain or strict:
        return domain == way.domain
    organisation = way.organisation
    if domain != organisation and not domain.endswith(f".{organisation}"):
        return False
    return (await walk(domain, questions)).organisation == organisation
