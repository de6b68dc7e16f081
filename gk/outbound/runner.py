"""The queue runner: claims what is due, delivers several at once, records what came of it.

Due times are wall-clock columns; the runner sleeps on the loop's monotonic clock, and moves all open rows when the
two drift apart by more than ten minutes.
"""

import asyncio
import logging
import random
import re
import time
from collections import Counter
from collections.abc import Sequence

from gk import metrics
from gk.accounts.aliases import Directory
from gk.bus import Bus, Subscription
from gk.config import Outbound
from gk.errors import ConfigError, Unavailable
from gk.events import DeliveryAttempted, MessageQueued
from gk.message.address import AddressError, parse_address
from gk.outbound import bounce, schedule
from gk.outbound.bounce import Told
from gk.outbound.route import Route, Undeliverable
from gk.outbound.transport import Answer, Transport
from gk.store.db import Store
from gk.store.outgoing import FAILED, PENDING, SENT, Claim, Outcome, Report

log = logging.getLogger(__name__)

AT_ONCE = 100  # deliveries under way
LOOK = 60.0  # seconds between looks at the clock when nothing is due
GRACE = 4.0  # seconds deliveries under way have to end when the server stops

_ENHANCED = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")


class Runner:
    """A service that empties the queue."""

    name = "queue"

    def __init__(
        self,
        store: Store,
        route: Route,
        transport: Transport,
        directory: Directory,
        config: Outbound,
        bus: Bus,
        hostname: str,
        chance: random.Random,
    ) -> None:
        self._store, self._route, self._transport, self._directory = store, route, transport, directory
        self._config, self._bus, self._hostname, self._chance = config, bus, hostname, chance
        self._at: Counter[str] = Counter()  # deliveries under way, by domain
        self._ended = asyncio.Event()
        self._clocks = (time.time(), time.monotonic())

    async def run(self, ready: asyncio.Event) -> None:
        await self._store.outgoing.recover()
        with self._bus.subscribe(MessageQueued) as queued:
            ready.set()
            deliveries: set[asyncio.Task[None]] = set()
            try:
                async with asyncio.TaskGroup() as group:
                    while True:
                        queued.drain()
                        self._ended.clear()
                        await self._watch_clock()
                        for claim in await self._claim():
                            task = group.create_task(self._keep(claim), name=f"delivery {claim.queue_id}")
                            deliveries.add(task)
                            task.add_done_callback(deliveries.discard)
                        await self._sleep(queued)
            except asyncio.CancelledError:
                raise
            finally:
                self._at.clear()

    async def _claim(self) -> list[Claim]:
        free = AT_ONCE - self._at.total()
        if free <= 0:
            return []
        busy = [domain for domain, count in self._at.items() if count >= self._config.per_domain]
        claims: list[Claim] = []
        while free > 0:
            found = await self._store.outgoing.claim(time.time(), min(free, self._config.batch), busy)
            claims += found
            free -= len(found)
            self._at.update(claim.domain for claim in found)
            busy = [domain for domain, count in self._at.items() if count >= self._config.per_domain]
            if len(found) < self._config.batch:
                break
        return claims

    async def _sleep(self, queued: Subscription[MessageQueued]) -> None:
        """Until something is queued, ends, or falls due."""
        busy = [domain for domain, count in self._at.items() if count >= self._config.per_domain]
        due = self._store.outgoing.next_due(busy) if self._at.total() < AT_ONCE else None
        pause = LOOK if due is None else min(LOOK, max(0.0, due - time.time()))
        waits = [asyncio.ensure_future(queued.wait()), asyncio.ensure_future(self._ended.wait())]
        try:
            await asyncio.wait(waits, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _watch_clock(self) -> None:
        wall, monotonic = time.time(), time.monotonic()
        jump = schedule.drifted(wall - self._clocks[0], monotonic - self._clocks[1])
        self._clocks = wall, monotonic
        if jump:
            log.warning("event=clock_jumped seconds=%.0f", jump)
            await self._store.outgoing.shift(jump)

    async def _keep(self, claim: Claim) -> None:
        """Deliver one claim; the one net under it: what goes wrong here is tried again later."""
        delivery = asyncio.ensure_future(self._deliver(claim))
        try:
            await asyncio.shield(delivery)
        except asyncio.CancelledError:
            # The server stops: a delivery about to hear its 250 may, or the message would be sent twice.
            _, late = await asyncio.wait([delivery], timeout=GRACE)
            for task in late:
                task.cancel()
            raise
        except Unavailable as error:
            log.warning("event=delivery_waits queue=%d reason=%s", claim.queue_id, type(error).__name__)
        except Exception:
            log.exception("event=delivery_failed queue=%d", claim.queue_id)
            await self._record(claim, _same(claim, 0, "internal error"), b"")
        finally:
            self._at[claim.domain] -= 1
            if self._at[claim.domain] <= 0:
                del self._at[claim.domain]
            self._ended.set()

    async def _deliver(self, claim: Claim) -> None:
        content = b""
        try:
            body = await self._store.mailboxes.content_of(claim.message)
            if body is None:
                return  # removed meanwhile
            try:
                content = await asyncio.to_thread(body.read)
            finally:
                body.close()
            targets = await self._route.targets(claim.domain)
        except Undeliverable as error:
            await self._record(claim, _same(claim, 550, f"{error.status} {error}"), content)
            return
        except (Unavailable, ConfigError) as error:
            await self._record(claim, _same(claim, 0, str(error)), content)
            return
        await self._record(claim, await self._transport.deliver(targets, claim, content), content)

    # --- what came of it ----------------------------------------------------------------------------------------------

    async def _record(self, claim: Claim, answers: Sequence[Answer], content: bytes) -> None:
        now = time.time()
        old = schedule.expired(claim.created, now, self._config.expire_hours)
        late = not claim.warned and now - claim.created > self._config.warn_hours * 3600
        outcomes, told = [], []
        for recipient, answer in zip(claim.recipients, answers, strict=True):
            due = 0.0
            if answer.accepted:
                status = SENT
                if not answer.told:
                    told.append(Told(recipient, "relayed", _status(answer, "2.0.0"), answer.remote, answer.text))
            elif answer.permanent or old:
                status = FAILED
                given_up = _status(answer, "5.0.0") if answer.permanent else "4.4.7"  # RFC 3463: time expired
                told.append(Told(recipient, "failed", given_up, answer.remote, _said(answer)))
            else:
                status = PENDING
                due = schedule.next_attempt(recipient.attempts + 1, now, self._config.retry_minutes, self._chance)
                if late:
                    told.append(Told(recipient, "delayed", _status(answer, "4.4.1"), answer.remote, _said(answer)))
            outcomes.append(Outcome(answer.no, status, _said(answer), answer.remote, due))
        reports = await self._reports(claim, told, content, now)
        await self._store.outgoing.record(claim.queue_id, outcomes, reports, warned=late)
        for outcome in outcomes:
            kind = {SENT: "sent", FAILED: "failed"}.get(outcome.status, "deferred")
            metrics.attempts.labels(kind).inc()
            self._bus.publish(DeliveryAttempted(claim.queue_id, outcome.no, kind))
        log.info("event=delivery_attempted queue=%d outcomes=%s", claim.queue_id, ",".join(o.status for o in outcomes))

    async def _reports(self, claim: Claim, told: list[Told], content: bytes, now: float) -> list[Report]:
        written = bounce.write(self._hostname, claim, told, content, now)
        if written is None:
            return []
        try:
            recipients = self._directory.resolve(parse_address(claim.sender))
        except AddressError:
            recipients = None
        if not recipients:
            log.warning("event=report_without_sender queue=%d", claim.queue_id)
            return []
        return [Report(await self._store.prepare(written), tuple(recipients))]


def _same(claim: Claim, code: int, text: str) -> list[Answer]:
    return [Answer(r.no, code, text, "") for r in claim.recipients]


def _status(answer: Answer, otherwise: str) -> str:
    found = _ENHANCED.search(answer.text[:20])
    return found[1] if found and found[1][0] == otherwise[0] else otherwise


def _said(answer: Answer) -> str:
    return f"{answer.code} {answer.text}" if answer.code else answer.text
