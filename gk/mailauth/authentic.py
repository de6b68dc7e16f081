"""Who really sent a message: SPF, DKIM, ARC, DMARC and the client's name, all at once and within one time."""

import asyncio
import mmap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gk.mailauth import arc, dkim, dmarc, iprev
from gk.mailauth.arc import Arc
from gk.mailauth.dkim import Dkim
from gk.mailauth.dmarc import Dmarc
from gk.mailauth.iprev import Iprev
from gk.mailauth.letter import Letter
from gk.mailauth.questions import Answer, Kind, Questions
from gk.mailauth.signature import Keys
from gk.mailauth.spf import Checker, Spf
from gk.mailauth.verifying import Verifying
from gk.message.mapped import Mapped
from gk.message.searched import Sliced
from gk.net.dns import Lookups

IN_LOOP = 64 << 10  # octets of a message whose header is taken apart in the event loop


@dataclass(frozen=True, slots=True)
class Sent:
    """How a message came: the client's address and name, and the sender of the envelope, "" for none."""

    address: str
    helo: str
    sender: str


@dataclass(frozen=True, slots=True)
class Authentic:
    """What all methods say. `dmarc` has one result for each author's domain; `answers` is what the DNS said."""

    spf: Spf
    dkim: tuple[Dkim, ...]
    dmarc: tuple[Dmarc, ...]
    arc: Arc
    iprev: Iprev
    authors: tuple[tuple[int, int], ...] = ()  # where the From fields are
    answers: dict[tuple[str, Kind], Answer] = field(default_factory=dict)


class Authenticator:
    """Asks and verifies; `seconds` is what the DNS may take for one message in all."""

    def __init__(self, lookups: Lookups, verifying: Verifying, hostname: str, seconds: float) -> None:
        self._lookups, self._verifying, self._hostname, self._seconds = lookups, verifying, hostname, seconds
        self._spf = Checker()

    async def of(self, sent: Sent, content: bytes | Path, start: int, size: int) -> Authentic:
        """All results for a message that begins at `start` of `size` octets; never raises but when cancelled."""
        questions = Questions(self._lookups, self._seconds)
        letter = await _letter(content, start, size)
        wrote = await asyncio.to_thread(dmarc.authors, letter) if dmarc.is_long(letter) else dmarc.authors(letter)
        names = [*dkim.wanted(letter), *arc.wanted(letter)]
        spf_ = self._spf.check(sent.address, sent.sender, sent.helo, questions, self._hostname)
        if self._known(sent, names, wrote.domains, questions):  # tasks would only cost: nobody has to wait
            spf, named, keys = await spf_, await iprev.check(sent.address, questions), await _keys(names, questions)
            walks = [await dmarc.walk(domain, questions) for domain in wrote.domains]
        else:
            spf, named, keys, walks = await asyncio.gather(
                spf_, iprev.check(sent.address, questions), _keys(names, questions), _walks(wrote.domains, questions)
            )
        signatures, chain = await self._verifying.verify(letter, content, start, size, keys)
        judged = [await dmarc.judge(way, spf, signatures, questions) for way in walks]
        if wrote.fault:
            judged.append(dmarc.unknown(wrote.fault))
        authors = tuple(f.where for f in letter.named(b"from")[: dmarc.AUTHORS])
        return Authentic(spf, tuple(signatures), tuple(judged), chain, named, authors, questions.answered())

    def _known(self, sent: Sent, keys: Sequence[str], authors: Sequence[str], questions: Questions) -> bool:
        """Whether the DNS has answered the first questions of each method before."""
        up = (f"_dmarc.{name}" for domain in authors for name in dmarc.names(domain))
        texts = [*keys, *up, sent.sender.rpartition("@")[2] or sent.helo]
        return questions.know((name, "TXT") for name in texts) and questions.know(
            [(iprev.pointer(sent.address)[0], "PTR")]
        )


async def _walks(domains: Sequence[str], questions: Questions) -> list[dmarc.Walk]:
    return await asyncio.gather(*(dmarc.walk(domain, questions) for domain in domains))


async def _letter(content: bytes | Path, start: int, size: int) -> Letter:
    """The header of a message, taken apart; nothing of its body is read later from a file."""
    if isinstance(content, bytes):
        if size <= IN_LOOP:
            return Letter(content, start, size)
        return await asyncio.to_thread(Letter, content, start, size)
    return await asyncio.to_thread(_mapped, content, start, size)


def _mapped(path: Path, start: int, size: int) -> Letter:
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        content: Sliced = Mapped(mapped)
        return Letter(content, start, size)


async def _keys(names: Sequence[str], questions: Questions) -> Keys:
    """The key records by name; a name without an answer is missing."""
    distinct = list(dict.fromkeys(names))
    answers = await questions.every([(name, "TXT") for name in distinct])
    found: dict[str, bytes | None] = {}
    for name, answer in zip(distinct, answers, strict=True):
        if not answer.failed:
            # RFC 6376 §3.6.2.2: with several records the result is undefined; one that looks like a key is the one
            texts = [text for text in answer.records if b"p=" in text]
            found[name] = texts[0] if texts else None
    return found
