"""Our reports, once a day: DMARC results (RFC 9990) and TLS results (RFC 8460), to the domains that ask for them.

They leave without a sender, so that nobody is told when one does not arrive, and with our signature.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence

import gk
from gk.accounts.aliases import Directory
from gk.errors import GkError, Unavailable
from gk.mailauth import aggregate, dmarc, tlsrpt
from gk.mailauth.aggregate import Aggregate, Published
from gk.mailauth.dmarc import Record
from gk.mailauth.questions import Questions
from gk.mailauth.signing import Signer
from gk.mailauth.tally import read_row
from gk.mailauth.tlsrpt import Failure, PolicyResult, TlsReport
from gk.message.address import Address, parse_address
from gk.message.compose import ComposeError
from gk.net.dns import Lookups
from gk.outbound import report_mail
from gk.outbound.bounce import RETURN_PATH
from gk.outbound.report_mail import Outgoing, mailto
from gk.store.db import Store
from gk.store.queued import QueuedRecipient
from gk.store.tls import DAY, StsPolicy, TlsResult
from gk.store.values import Recipient

log = logging.getLogger(__name__)

PAUSE = 900.0  # seconds between looks whether something is due
SPREAD = 4 * 3600.0  # seconds after midnight within which they leave: not with everybody else's, RFC 8460 §4.1
REPORTS = 1000  # of one kind and day
RECIPIENTS = 5  # of one report
PATIENCE = 2  # days in which the DNS may be asked again
SECONDS = 30.0  # the DNS may take for one report
ORIGIN = "report"


class Reporting:
    """A service that reports what the days before today came to."""

    name = "reports"

    def __init__(
        self,
        store: Store,
        directory: Directory,
        resolver: Lookups,
        signer: Signer,
        hostname: str,
        address: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`address` is the sender; it must be one of ours."""
        self._store, self._directory, self._resolver, self._signer = store, directory, resolver, signer
        self._hostname, self._address, self._now = hostname, parse_address(address), now

    async def run(self, ready: asyncio.Event) -> None:
        ready.set()
        after = random.SystemRandom().uniform(0, SPREAD)
        while True:
            if self._now() % DAY >= after:
                try:
                    await self.send()
                except Unavailable as error:
                    log.warning("event=reports_wait reason=%s", type(error).__name__)
            await asyncio.sleep(PAUSE)

    async def send(self) -> int:
        """Queue what is due; how many reports. Raises Unavailable where they cannot be queued now."""
        today = int(self._now()) // DAY
        return await self._dmarc(today) + await self._tls(today - 1)

    # --- DMARC --------------------------------------------------------------------------------------------------------

    async def _dmarc(self, today: int) -> int:
        sent = 0
        counts = self._store.reports
        for day, domain in counts.due(today, REPORTS):
            record = dmarc.parse(domain, counts.policy(day, domain).encode())
            questions = Questions(self._resolver, SECONDS)
            to = await wanted(domain, record.rua, questions) if record else []
            if not to and day >= today - PATIENCE and any(a.failed for a in questions.answered().values()):
                continue  # the DNS may say later who wants it
            if record and to:
                report = await asyncio.to_thread(self._aggregate, day, record, counts.rows(day, domain))
                sent += await self._queue(report, to)
            await counts.forget(day, domain)
        return sent

    def _aggregate(self, day: int, record: Record, counted: Sequence[tuple[str, int]]) -> Outgoing:
        domain, id_ = record.domain, f"{day}.{record.domain}@{self._hostname}"
        begin, end = day * DAY, (day + 1) * DAY - 1
        published = Published(
            domain, record.p, record.sp, record.np, "s" if record.strict_dkim else "r",
            "s" if record.strict_spf else "r", "y" if record.testing else "n",
        )  # fmt: skip
        rows = tuple(read_row(content, messages) for content, messages in counted)
        report = Aggregate(self._hostname, str(self._address), id_, begin, end, published, rows)
        return Outgoing("dmarc", domain, id_, begin, end, aggregate.write(report, f"GK {gk.__version__}"))

    # --- TLS ----------------------------------------------------------------------------------------------------------

    async def _tls(self, day: int) -> int:
        counts = self._store.reports
        if counts.tls_reported() >= day:
            return 0
        by_domain: dict[str, list[tuple[TlsResult, int]]] = {}
        for result, sessions in self._store.tls.results(day):
            by_domain.setdefault(result.domain, []).append((result, sessions))
        sent = 0
        for domain, results in list(by_domain.items())[:REPORTS]:
            to = await tls_wanted(domain, Questions(self._resolver, SECONDS))
            if to:
                id_ = f"{day}_{domain}"
                begin, end = day * DAY, (day + 1) * DAY - 1
                policies = _policies(domain, results, self._store.tls.policy(domain))
                report = TlsReport(self._hostname, f"mailto:{self._address}", id_, _time(begin), _time(end), policies)
                sent += await self._queue(Outgoing("tls", domain, id_, begin, end, tlsrpt.write(report)), to)
        await counts.set_tls_reported(day)
        return sent

    # --- both ---------------------------------------------------------------------------------------------------------

    async def _queue(self, report: Outgoing, to: Sequence[Address]) -> int:
        """Queue one report for those elsewhere and deliver it to those here; how many were sent, 0 or 1."""
        here: dict[int, Recipient] = {}
        away: list[QueuedRecipient] = []
        for address in to:
            found = self._directory.resolve(address)
            if found is None:
                away.append(QueuedRecipient(str(address), address.key.rpartition("@")[2]))
            for target in found or ():
                here.setdefault(target.mailbox, target)
        if not here and not away:
            return 0
        try:
            await self._keep(report, to, away, list(here.values()))
        except Unavailable:
            raise
        except (GkError, ComposeError) as error:  # of this report only
            log.warning("event=report_not_sent kind=%s domain=%s reason=%s", report.kind, report.domain, error)
            return 0
        log.info("event=report_sent kind=%s domain=%s", report.kind, report.domain)
        return 1

    async def _keep(
        self, report: Outgoing, to: Sequence[Address], away: Sequence[QueuedRecipient], here: Sequence[Recipient]
    ) -> None:
        store, written = self._store, (report, self._hostname, self._address, to, int(self._now()))
        content = await asyncio.to_thread(report_mail.write, *written)
        prefix = await self._signer.fields(self._address.key.rpartition("@")[2], content, len(content))
        local = [(await store.prepare(RETURN_PATH + prefix + content), here)] if here else []
        await store.outgoing.add(
            await store.prepare(content), "", away, account=None, origin=ORIGIN, prefix=prefix,
            requiretls=-1 if report.kind == "tls" else 0, local=local,
        )  # fmt: skip


async def wanted(domain: str, rua: Sequence[str], questions: Questions) -> list[Address]:
    """Whom a DMARC report about `domain` goes to: who is elsewhere must say that it wants them (RFC 9990 §4)."""
    found: dict[str, Address] = {}
    for uri in rua:
        address = mailto(uri)
        if address is None or len(found) >= RECIPIENTS:
            continue
        host = address.key.rpartition("@")[2]
        organisations = [(await dmarc.walk(name, questions)).organisation for name in (domain, host)]
        if organisations[0] != organisations[1]:
            answer = await questions.ask(f"{domain}._report._dmarc.{host}", "TXT")
            texts = [text for text in answer.records if dmarc.VERSION.match(text)]
            if not texts:
                continue
            said = dmarc.parse(host, texts[0])
            others = [other for uri in (said.rua if said else ()) if (other := mailto(uri)) is not None]
            address = next((other for other in others if other.key.rpartition("@")[2] == host), address)
        found.setdefault(address.key, address)
    return list(found.values())


async def tls_wanted(domain: str, questions: Questions) -> list[Address]:
    """Whom a TLS report about `domain` goes to (RFC 8460 §3)."""
    answer = await questions.ask(f"_smtp._tls.{domain}", "TXT")
    texts = [text for text in answer.records if text.partition(b";")[0].strip() == b"v=TLSRPTv1"]
    if len(texts) != 1:
        return []
    tags = (item.partition("=") for item in texts[0][:4096].decode("ascii", "replace").split(";")[1:])
    rua = next((value for name, _, value in tags if name.strip() == "rua"), "")
    found = [address for uri in rua.split(",") if (address := mailto(uri.strip())) is not None]
    return list({address.key: address for address in found}.values())[:RECIPIENTS]


def _policies(domain: str, results: Sequence[tuple[TlsResult, int]], sts: StsPolicy | None) -> tuple[PolicyResult, ...]:
    found = []
    for kind in dict.fromkeys(result.policy for result, _ in results):
        of_kind = [(result, sessions) for result, sessions in results if result.policy == kind]
        failures = tuple(Failure(result.result, result.mx, n) for result, n in of_kind if result.result)
        successes = sum(n for result, n in of_kind if not result.result)
        words, mx = _words(sts) if kind == "sts" and sts else ((), ())
        found.append(PolicyResult(kind, domain, successes, sum(f.sessions for f in failures), failures, words, mx))
    return tuple(found)


def _words(sts: StsPolicy) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(lines of the policy, its servers) as RFC 8460 §4.4 wants them."""
    lines = ("version: STSv1", f"mode: {sts.mode}", *(f"mx: {name}" for name in sts.mx), f"max_age: {sts.max_age}")
    return lines, sts.mx


def _time(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
