"""Who may send for a domain: SPF (RFC 7208), evaluated by pyspf, with every DNS answer brought to it.

pyspf asks the DNS where it stands. Here it reads answers that are known and stops at the first that is not; that one
is fetched in the event loop, and the evaluation begins again. What a domain's evaluation asked the last time is asked
all at once the next time, so that most messages take one evaluation, and none where the answers are the same.
"""

import asyncio
import logging
import re
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # invalid escape sequences in its source
    import spf

from gk.mailauth.questions import Answer, Key, Kind, Questions

log = logging.getLogger(__name__)

RECORD = 8 << 10  # octets of a policy; more is nobody's who means well, and pyspf's patterns are slow on them
TERM = 512  # octets of one term of it
LABELS = 127  # dots of a term with macros: a name has no more
TERMS = 500  # of one record
ROUNDS = 160  # evaluations of one message: each asks something new, and the limits allow about 110 questions
IN_LOOP = 2 << 10  # octets of policies evaluated in the event loop; more goes to a thread
REMEMBERED = 10_000  # (address, domain) pairs whose questions are remembered
REASON = 200  # characters of a reason that are kept: pyspf's repeat what the stranger wrote

_SPF = re.compile(rb"v=spf1(?: |\Z)", re.IGNORECASE)  # RFC 7208 §4.5


@dataclass(frozen=True, slots=True)
class Spf:
    """What SPF says of a client: pass, fail, softfail, neutral, none, temperror or permerror (RFC 7208 §2.6).

    `domain` was asked; `helo` tells that the name of the client stood for a null sender (§2.4).
    """

    result: str
    domain: str
    helo: bool = False
    reason: str = ""
    explanation: str = ""


Outcome = tuple[str, str, str]  # result, reason, explanation


@dataclass(frozen=True, slots=True)
class _Last:
    """The last evaluation for a client and a domain: what it asked and, if that is small, what came of the answers."""

    asked: tuple[Key, ...]
    answers: tuple[Answer, ...] = ()
    outcome: Outcome | None = None


class Checker:
    """Evaluates SPF; what was asked is asked again, and where the answers are the same, so is the result."""

    def __init__(self) -> None:
        self._last: OrderedDict[tuple[str, str], _Last] = OrderedDict()

    async def check(self, address: str, sender: str, helo: str, questions: Questions, receiver: str = "") -> Spf:
        """Whether the client at `address` may send as `sender`, or without one as postmaster of `helo`."""
        is_helo = not sender
        domain = (helo if is_helo else sender.rpartition("@")[2]).lower().rstrip(".")
        last = self._last.get((address, domain), _Last(()))
        answers = await questions.every(last.asked)
        if last.outcome is not None and tuple(answers) == last.answers:
            return _spf(last.outcome, domain, is_helo)
        known = dict(zip(last.asked, answers, strict=True))
        used: dict[Key, None] = {}
        found: Outcome = ("permerror", "too many questions", "")
        for _ in range(ROUNDS):
            used.clear()
            query = (address, sender, helo, receiver, known, used)
            large = sum(map(len, _texts(known))) > IN_LOOP
            outcome = await asyncio.to_thread(_evaluate, *query) if large else _evaluate(*query)
            if not isinstance(outcome, Need):
                found = outcome
                break
            known[outcome.key] = await questions.ask(*outcome.key)
        self._remember((address, domain), tuple(used), known, found)
        return _spf(found, domain, is_helo)

    def _remember(
        self, place: tuple[str, str], asked: tuple[Key, ...], known: Mapping[Key, Answer], found: Outcome
    ) -> None:
        if asked and set(asked) <= set(known) and _lasting(known):
            self._last[place] = _Last(asked, tuple(known[key] for key in asked), found)
        else:
            self._last[place] = _Last(asked)
        self._last.move_to_end(place)
        if len(self._last) > REMEMBERED:
            self._last.popitem(last=False)


def _spf(found: Outcome, domain: str, is_helo: bool) -> Spf:
    result, reason, explanation = found
    return Spf(result, domain, is_helo, reason[:REASON], explanation[:REASON])


def _texts(known: Mapping[Key, Answer]) -> Iterator[bytes]:
    """The TXT records among these answers."""
    return (text for (_, kind), answer in known.items() if kind == "TXT" for text in answer.records)


def _lasting(known: Mapping[Key, Answer]) -> bool:
    """Whether the result is the same for another sender of the domain, without macros, and small enough to be kept."""
    texts = list(_texts(known))
    return sum(map(len, texts)) <= IN_LOOP and not any(b"%" in text for text in texts)


class Need(Exception):
    """The evaluation needs an answer it does not have."""

    def __init__(self, key: Key) -> None:
        super().__init__(*key)
        self.key = key


class _Query(spf.query):  # type: ignore[misc]
    """pyspf, reading answers from a dictionary. Aliases were followed by the resolver."""

    known: Mapping[Key, Answer]
    used: dict[Key, None]
    needed: Need | None = None  # pyspf swallows whatever is raised where it looks for an explanation

    def dns(self, name: str, qtype: Kind, cnames: object = None, ignore_void: bool = False) -> list[Any]:
        key = (str(name).lower().rstrip("."), qtype)
        self.used[key] = None
        answer = self.known.get(key)
        if answer is None:
            self.needed = self.needed or Need(key)
            raise self.needed
        if answer.failed:
            raise spf.TempError(f"no answer for {key[0]} {qtype}")
        if not answer.records and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:  # RFC 7208 §4.6.4
                raise spf.PermError("too many names without records")
        if qtype == "TXT":
            return [(text,) for text in answer.records if _fair(text)]
        return list(answer.records)

    def expand(self, s: str, stripdot: bool = True) -> str:
        if "%" in s and stripdot and s.count(".") > LABELS:
            raise spf.PermError("a name has too many labels")
        return str(super().expand(s, stripdot))


def _fair(text: bytes) -> bool:
    """Whether a record is kept; raise PermError for a policy beyond the limits."""
    if not _SPF.match(text):
        return len(text) <= RECORD
    terms = text.split(b" ")
    if len(text) > RECORD or len(terms) > TERMS or max(map(len, terms)) > TERM:
        raise spf.PermError("the record is too long")
    return True


def _evaluate(
    address: str, sender: str, helo: str, receiver: str, known: Mapping[Key, Answer], used: dict[Key, None]
) -> Outcome | Need:
    """What came of it, or what is missing."""
    try:
        query = _Query(address, sender, helo, receiver=receiver or None, querytime=0)
        query.known, query.used = known, used
        result, _, text = query.check()
    except Need as need:
        return need
    except Exception as error:  # a library of 2020 on a stranger's input: whatever it is, the policy cannot be read
        log.warning("event=spf_error error=%s", type(error).__name__)
        return ("permerror", f"cannot be evaluated ({type(error).__name__})", "")
    if query.needed is not None:
        return query.needed
    if result == "fail":
        return (result, str(query.mechanism or ""), text)
    return (result, text if result in ("permerror", "temperror") else str(query.mechanism or ""), "")
