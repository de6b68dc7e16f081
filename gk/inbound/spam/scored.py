"""The judge's verdict with a score: rules, lists and words are added up, and what is surely junk is not taken at all.

Whether mail is junk for somebody is decided for each user (gk.inbound.spam.personal): what is decided here is by what
all have in common, for mail that is handed on, and for the field above the message.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from gk import metrics
from gk.config import Spam
from gk.inbound.incoming import Incoming, Message
from gk.inbound.spam import bayes
from gk.inbound.spam.bayes import Base, Own
from gk.inbound.spam.lists import Lists
from gk.inbound.spam.outside import Opinion, Outside
from gk.inbound.spam.rule import Around, Hit
from gk.inbound.spam.scan import READ, Scan
from gk.inbound.spam.scanning import Scanner
from gk.inbound.verdict import UNJUDGED, Action, Finding, Verdict
from gk.store.spool import SpoolFile

log = logging.getLogger(__name__)

REFUSED = "550 5.7.1 The message looks like junk; if it is not, write to the postmaster"

# What it tells about a message how its sender is known: points by method and result.
AUTHENTICATION: Mapping[tuple[str, str], float] = {
    ("spf", "fail"): 2.0,
    ("spf", "softfail"): 1.0,
    ("spf", "none"): 0.3,
    ("spf", "permerror"): 0.5,
    ("dmarc", "fail"): 1.5,
    ("dmarc", "pass"): -0.5,
    ("iprev", "fail"): 0.7,
    ("iprev", "permerror"): 0.7,
    ("dkim", "fail"): 0.3,
}
_SHOWN = 20  # rules in the field
_WIDTH = 76


class Judging(Protocol):
    """Who finds out where a message comes from."""

    def judges(self, address: str) -> bool: ...

    async def judge(self, incoming: Incoming, message: Message) -> Verdict: ...


class Scored:
    """Judges messages by table [spam] on top of what another judge says."""

    def __init__(
        self,
        judge: Judging,
        rules: Spam,
        lists: Lists,
        scanner: Scanner,
        base: Callable[[], Base],
        around: Callable[[], Around],
        outside: Outside | None = None,
    ) -> None:
        """`base` and `around` are asked for each message: what they give may change."""
        self._outside = outside or Outside()
        self._judge, self._rules, self._lists, self._base, self._around = judge, rules, lists, base, around
        self._scanner = scanner
        self._weights = rules.points

    def judges(self, address: str) -> bool:
        """Whether mail from a client there is judged."""
        return self._judge.judges(address)

    async def judge(self, incoming: Incoming, message: Message) -> Verdict:
        """What is to happen to a message; never raises but when cancelled."""
        if not self._rules.enabled or not self._judge.judges(incoming.client.address):
            return await self._judge.judge(incoming, message)
        listed: list[Hit] = []
        outside = Opinion()
        scanning = asyncio.ensure_future(self._scan(incoming.id, message))
        try:
            if self._lists.asked or self._outside.asked:
                verdict, listed, outside = await asyncio.gather(
                    self._judge.judge(incoming, message),
                    self._lists.ask(incoming.client.address), self._outside.ask(incoming, message),
                )  # fmt: skip
            else:  # further tasks would only cost
                verdict = await self._judge.judge(incoming, message)
            found = await scanning
        finally:
            scanning.cancel()
        if verdict.action in ("refuse", "defer"):
            return verdict
        if outside.action:
            metrics.scored.labels(outside.action).inc()
            told = [Finding(hit.rule, hit.text, hit.points, hit.where) for hit in outside.hits]
            score = sum(one.score for one in told)
            return replace(
                verdict, action=outside.action, reply=outside.reply, score=score, findings=(*told, *verdict.findings)
            )
        if verdict is UNJUDGED or found is None:
            return verdict
        findings = [self._weighed(one) for one in verdict.findings]
        hits = [*listed, *outside.hits, *found.hits]
        findings += [Finding(hit.rule, hit.text, hit.points, hit.where) for hit in hits]
        points = sum(one.score for one in findings)
        opinion = bayes.judge(found.signs, self._base(), Own())
        if opinion is not None:
            findings.append(words(opinion))
        score = points + (opinion.points if opinion else 0.0)
        action: Action = verdict.action
        if self._rules.refuse and score >= self._rules.refuse:
            action = "refuse"
        elif score >= self._rules.junk:
            action = "junk"
        metrics.scored.labels(action).inc()
        return replace(
            verdict,
            action=action,
            reply=REFUSED if action == "refuse" else "",
            score=round(score, 2),
            findings=tuple(findings),
            told=field(action, score, self._rules.junk, findings),
            scan=replace(found, points=points, forged=verdict.action == "junk"),
        )

    def _weighed(self, finding: Finding) -> Finding:
        """What the judge found, with the points it is worth."""
        rule = "dmarc" if finding.rule == "dmarc_decides" else finding.rule
        result = finding.text.partition(" ")[0]
        points = self._weights.get(f"{rule}_{result}", AUTHENTICATION.get((rule, result), 0.0))
        return replace(finding, score=points) if points else finding

    async def _scan(self, id: str, message: Message) -> Scan | None:
        raw, around = _beginning(message), self._around()
        try:
            return await self._scanner.scan(raw, around, self._weights)
        except (asyncio.CancelledError, MemoryError):
            raise
        except Exception:  # whatever a stranger made of it: a message is not lost for that
            log.exception("event=scan_failed id=%s", id)
            return None


def words(opinion: bayes.Opinion) -> Finding:
    """What the words say, as a finding."""
    told = ", ".join(f"{sign} {sure:.2f}" for sign, sure in opinion.telling)
    return Finding("words", f"evidence {opinion.evidence:+.1f}: {told}", round(opinion.points, 2))


def _beginning(message: Message) -> bytes:
    """The message as it came, as far as it is looked at."""
    if isinstance(message.content, SpoolFile):
        with message.content.map() as mapped:
            return mapped[message.above : message.above + READ]
    return message.content[message.above : message.above + READ]


def field(action: Action, score: float, enough: float, findings: Iterable[Finding]) -> bytes:
    """The field that tells others: the verdict, the score, and the rules with points, the weightiest first."""
    told = sorted((one for one in findings if one.score), key=lambda one: -abs(one.score))[:_SHOWN]
    parts = [f"{action};", f"score={score:.1f}", f"required={enough:.1f};"]
    parts += [f"{one.rule}={one.score:+.1f}" for one in told]
    line, lines = "X-GK-Verdict:", []
    for part in parts:
        if len(line) + 1 + len(part) > _WIDTH:
            lines.append(line)
            line = ""
        line += " " + part
    return "\r\n".join([*lines, line]).encode("ascii", "replace") + b"\r\n"
