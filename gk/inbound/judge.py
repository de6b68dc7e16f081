"""The judge: what becomes of a message from another server, decided before the 250, and why.

Who sent it is found out, what its author's domain asks for is done as far as the configuration says, and a chain of
trusted sealers may speak for it. Nothing temporary ever refuses a message.
"""

import asyncio
import functools
import ipaddress
import logging
import time
from collections.abc import Iterator
from pathlib import Path

from gk import metrics
from gk.config import Judge as Rules
from gk.inbound.incoming import Incoming, Message
from gk.inbound.verdict import UNJUDGED, Action, Finding, Verdict
from gk.mailauth import arc, iprev, results
from gk.mailauth.authentic import Authentic, Authenticator, Sent
from gk.mailauth.dmarc import Dmarc
from gk.mailauth.questions import Answer, Kind
from gk.mailauth.tally import Tally
from gk.message.address import AddressError, ascii_domain
from gk.store.spool import SpoolFile

log = logging.getLogger(__name__)

ANSWER = 300  # characters of an answer that are kept
REFUSED = "550 5.7.1 The domain of the author asks to refuse mail that it did not authorise"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_DONE: dict[str, Action] = {"none": "accept", "quarantine": "junk", "reject": "refuse"}


class Judge:
    """Judges messages by the table [judge] of the configuration."""

    def __init__(self, authenticator: Authenticator, rules: Rules, hostname: str, tally: Tally | None = None) -> None:
        """`tally` counts what is to be reported."""
        self._authenticator, self._rules, self._hostname, self._tally = authenticator, rules, hostname, tally
        self._trusted = tuple(ipaddress.ip_network(text, strict=False) for text in rules.trusted)
        self._sealers = frozenset(domain.lower() for domain in rules.trusted_sealers)

    def judges(self, address: str) -> bool:
        """Whether mail from a client there is judged."""
        return self._rules.enabled and not _within(address, self._trusted)

    async def judge(self, incoming: Incoming, message: Message) -> Verdict:
        """What is to happen to a message; never raises but when cancelled."""
        if not self.judges(incoming.client.address):
            return UNJUDGED
        began = time.perf_counter()
        sent = Sent(incoming.client.address, _name(incoming.client.helo), _sender(incoming))
        content: bytes | Path
        if isinstance(message.content, SpoolFile):
            content, start, size = message.content.path, message.above, message.content.size
        else:
            content = message.content[message.above :]
            start, size = 0, len(content)
        try:
            found = await self._authenticator.of(sent, content, start, size)
        except (asyncio.CancelledError, MemoryError):
            raise
        except Exception:  # whatever a stranger made of it: a message is not lost for that
            log.exception("event=judge_failed id=%s", incoming.id)
            return UNJUDGED
        verdict = self._decide(found, sent)
        metrics.judged.labels(verdict.action).inc()
        metrics.judging.observe(time.perf_counter() - began)
        return verdict

    def _decide(self, found: Authentic, sent: Sent) -> Verdict:
        action: Action = "accept"
        decisive: Dmarc | None = None
        sealer = arc.vouched(found.arc, self._sealers)
        for one in found.dmarc:
            failed = one.result == "fail" and sealer is None
            asked = self._asked(one) if failed or one.result == "permerror" else "none"
            if _DONE[asked] != "accept" and action != "refuse":
                action, decisive = _DONE[asked], one
        disposed = {"accept": "none", "junk": "quarantine", "refuse": "reject"}[action]
        if self._tally is not None:
            self._tally.add(found, sent, disposed, sealer is not None)
        findings = tuple(_findings(found, sealer, decisive))
        for one in found.dmarc:
            metrics.authentication.labels("dmarc", one.result).inc()
        metrics.authentication.labels("spf", found.spf.result).inc()
        return Verdict(
            action,
            REFUSED if action == "refuse" else "",
            results.header(found, sent, self._hostname, disposed),
            findings,
            results={
                "spf": (found.spf.result,),
                "dkim": tuple(one.result for one in found.dkim) or ("none",),
                "dmarc": tuple(one.result for one in found.dmarc) or ("none",),
                "arc": (found.arc.result,),
                "iprev": (found.iprev.result,),
            },
        )

    def _asked(self, one: Dmarc) -> str:
        """What is to be done on failure: what the domain asks for, as far as the configuration obeys it."""
        rule = self._rules.dmarc_domains.get(one.domain, self._rules.dmarc)
        if rule == "off":
            return "none"
        if rule in ("quarantine", "reject") and one.domain in self._rules.dmarc_domains:
            return rule  # said of this domain itself: also where it asks for nothing
        return "quarantine" if rule == "quarantine" and one.policy == "reject" else one.policy


@functools.lru_cache(1024)
def _within(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        client = ipaddress.ip_address(address)
    except ValueError:
        return False
    client = getattr(client, "ipv4_mapped", None) or client
    return any(client in network for network in networks)


def _sender(incoming: Incoming) -> str:
    """The sender as the DNS can look for it."""
    if incoming.sender is None:
        return ""
    return f"{incoming.sender.local}@{_name(incoming.sender.domain)}"


def _name(text: str) -> str:
    try:
        return ascii_domain(text)
    except AddressError:
        return text


def _findings(found: Authentic, sealer: str | None, decisive: Dmarc | None) -> Iterator[Finding]:
    """What was found and where, the DNS's words with it; what decided comes first."""
    author = found.authors[0] if found.authors else None
    for one in found.dmarc:
        text = f"{one.result} for {one.domain}" if one.domain else one.reason
        if one.aligned:
            text += " by " + ", ".join(one.aligned)
        elif one.record:
            text += f", which asks for {one.policy}"
        if sealer and one.result == "fail":
            text += f"; {sealer} sealed that it was authentic"
        asked = f"_dmarc.{one.record.domain} TXT" if one.record else ""
        rule = "dmarc_decides" if one is decisive else "dmarc"
        yield Finding(rule, text, 0.0, author, asked, one.record.text[:ANSWER] if one.record else "")
    spf = found.spf
    asked, answer = _answer(found.answers, spf.domain, "TXT", b"v=spf1")
    yield Finding("spf", " ".join(filter(None, (spf.result, "for", spf.domain, spf.reason))), 0.0, None, asked, answer)
    for signature in found.dkim:
        asked, answer = _answer(found.answers, f"{signature.selector}._domainkey.{signature.domain}", "TXT", b"")
        text = " ".join(filter(None, (signature.result, "for", signature.domain, signature.reason)))
        yield Finding("dkim", text, 0.0, signature.where, asked, answer)
    if found.arc.result != "none":
        text = " ".join(filter(None, (found.arc.result, "by", ", ".join(found.arc.sealers), found.arc.reason)))
        yield Finding("arc", text, 0.0, found.arc.where)
    pointer, _ = iprev.pointer(found.iprev.address)
    asked, answer = _answer(found.answers, pointer, "PTR", b"") if pointer else ("", "")
    yield Finding("iprev", f"{found.iprev.result} for {found.iprev.address}", 0.0, None, asked, answer)


def _answer(answers: dict[tuple[str, Kind], Answer], name: str, kind: Kind, begin: bytes) -> tuple[str, str]:
    """(question, what was answered) as text."""
    answer = answers.get((name.lower(), kind))
    if answer is None:
        return "", ""
    if answer.failed:
        return f"{name} {kind}", "(no answer)"
    texts = [r.decode("ascii", "backslashreplace") if isinstance(r, bytes) else str(r) for r in answer.records
             if not isinstance(r, bytes) or r.lower().startswith(begin)]  # fmt: skip
    return f"{name} {kind}", " | ".join(texts)[:ANSWER] or ("(no such name)" if answer.missing else "(no record)")
