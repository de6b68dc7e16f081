"""What came of mail is counted for the domains that ask for aggregate reports (RFC 9990 §2)."""

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import astuple

from gk.errors import Unavailable
from gk.mailauth.aggregate import Row, Signature
from gk.mailauth.authentic import Authentic, Sent
from gk.mailauth.dmarc import Dmarc
from gk.store.reports import DmarcResult, ReportCounts
from gk.store.tls import DAY

log = logging.getLogger(__name__)

FLUSH = 60.0  # seconds results are counted in memory before they are rows
KINDS = 5000  # of results counted in memory; more are not counted

Counted = tuple[int, str, Row]  # the day, the domain of the policy, and what messages had in common


class Tally:
    """A service that writes down now and then what it was told."""

    name = "dmarc-results"

    def __init__(self, counts: ReportCounts, now: Callable[[], float] = time.time) -> None:
        self._counts, self._now = counts, now
        self._seen: Counter[Counted] = Counter()
        self._policies: dict[tuple[int, str], str] = {}

    def add(self, found: Authentic, sent: Sent, done: str, vouched: bool) -> None:
        """Count a message; `done` is none, quarantine or reject, `vouched` that a trusted sealer spoke for it."""
        day = int(self._now()) // DAY
        for one in found.dmarc:
            if one.record is None or not one.record.rua or one.result not in ("pass", "fail"):
                continue
            self._add((day, one.record.domain, _row(one, found, sent, done, vouched)), 1, one.record.text)

    def _add(self, counted: Counted, messages: int, record: str) -> None:
        if counted in self._seen or len(self._seen) < KINDS:
            self._seen[counted] += messages
            self._policies[counted[:2]] = record

    async def flush(self) -> None:
        """Write down what was counted; what cannot be written now is kept for the next time."""
        seen, policies = self._seen, self._policies
        if not seen:
            return
        self._seen, self._policies = Counter(), {}
        try:
            results = await asyncio.to_thread(_results, seen)
            await self._counts.count(results, policies, int(self._now()) // DAY)
        except Unavailable as error:
            log.warning("event=dmarc_results_wait reason=%s", type(error).__name__)
            for counted, messages in seen.items():
                self._add(counted, messages, self._policies.get(counted[:2]) or policies[counted[:2]])

    async def run(self, ready: asyncio.Event) -> None:
        ready.set()
        try:
            while True:
                await asyncio.sleep(FLUSH)
                await self.flush()
        finally:
            await self.flush()


def _results(seen: Mapping[Counted, int]) -> dict[DmarcResult, int]:
    return {
        DmarcResult(day, domain, json.dumps(astuple(row), separators=(",", ":"))): messages
        for (day, domain, row), messages in seen.items()
    }


def _row(one: Dmarc, found: Authentic, sent: Sent, done: str, vouched: bool) -> Row:
    passed = one.result == "pass"
    methods = {aligned.partition(":")[0] for aligned in one.aligned}
    reasons = () if passed or done == one.policy else ("trusted_forwarder" if vouched else "local_policy",)
    spf = found.spf
    return Row(
        sent.address, 0, "pass" if passed else done,
        "pass" if "dkim" in methods else "fail", "pass" if "spf" in methods else "fail",
        one.domain, sent.sender.rpartition("@")[2].lower(), reasons,
        tuple(Signature(s.domain, s.selector, s.result) for s in found.dkim),
        spf.domain, "helo" if spf.helo else "mfrom", spf.result,
    )  # fmt: skip


def read_row(content: str, messages: int) -> Row:
    """A counted row with its messages."""
    source, _, disposition, dkim, spf, author, sender, reasons, signatures, *rest = json.loads(content)
    signed = tuple(Signature(*each) for each in signatures)
    return Row(source, messages, disposition, dkim, spf, author, sender, tuple(reasons), signed, *rest)
