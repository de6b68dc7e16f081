"""The queue runner: claims what is due, delivers several at once, records what came of it.

Due times are wall-clock columns; the runner sleeps on the loop's monotonic clock, and moves all open rows when the
two drift apart by more than ten minutes. Ages are counted on the monotonic clock while a message is under way, so a
clock that jumps expires nothing.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from gk import metrics
from gk.accounts.aliases import Directory
from gk.bus import Bus, Subscription
from gk.config import Outbound
from gk.errors import Unavailable
from gk.events import DeliveryAttempted, MessageQueued
from gk.mailauth.signing import Signer
from gk.message.address import AddressError, parse_address
from gk.message.compose import ComposeError
from gk.outbound import bounce, schedule
from gk.outbound.answer import Answer
from gk.outbound.bounce import Told, said, status
from gk.outbound.courier import Courier, same
from gk.outbound.letter import Letter, Removed
from gk.store.db import Store
from gk.store.forwards import is_return
from gk.store.queued import BOUNCED, FAILED, PENDING, SENT, Claim, Outcome, Report

log = logging.getLogger(__name__)

AT_ONCE = 500  # claims under way; most of them wait for a connection
SHARE = 10  # of the free places, those one domain may take: slow domains cannot take them all
LOOK = 60.0  # seconds between looks at the clock when nothing is due
GATHER = 0.02  # seconds places that became free wait for more of them: a look costs a commit
FAULT = 5.0  # seconds before the store is asked again after it could not
SILENT = 10  # attempts in a row that a domain may leave unanswered
REMEMBERED = 10_000  # domains of which that is known
_KINDS = {SENT: "sent", PENDING: "deferred"}  # the others failed
GRACE = 4.0  # seconds deliveries under way have to end when the server stops


def clocks() -> tuple[float, float]:
    """(wall clock, monotonic clock) in seconds."""
    return time.time(), time.monotonic()


class Runner:
    """A service that empties the queue."""

    name = "queue"

    def __init__(
        self,
        store: Store,
        courier: Courier,
        directory: Directory,
        config: Outbound,
        bus: Bus,
        hostname: str,
        chance: random.Random,
        signer: Signer | None = None,
    ) -> None:
        self._signer = signer
        self._store, self._courier, self._directory = store, courier, directory
        self._config, self._bus, self._hostname, self._chance = config, bus, hostname, chance
        self._seen = clocks()
        self._newest = 0  # the last message queued before that look
        self._at: Counter[str] = Counter()  # deliveries under way, by domain
        self._silent: Counter[str] = Counter()  # attempts in a row without any answer, by domain
        self._recovered = False
        self._ended = asyncio.Event()
        self._freed = 0  # places since the last look

    async def run(self, ready: asyncio.Event) -> None:
        self._at.clear()
        self._recovered = False
        self._seen, self._newest = clocks(), self._store.outgoing.newest()
        with self._bus.subscribe(MessageQueued) as queued:
            try:
                async with asyncio.TaskGroup() as deliveries:
                    ready.set()
                    while True:
                        queued.drain()
                        self._ended.clear()
                        self._freed = 0
                        await self._sleep(queued, await self._start(deliveries))
            finally:
                self._courier.close()

    async def _start(self, deliveries: asyncio.TaskGroup) -> float:
        """Set off with all there is room for; the seconds until there may be more to do."""
        try:
            if not self._recovered:
                longest = max(self._config.retry_minutes) * 60 * (1 + schedule.JITTER)
                await self._store.outgoing.recover(clocks()[0], longest)
                self._recovered = True
            await self._watch_clock()
            while (free := AT_ONCE - self._at.total()) > 0:
                share = max(1, min(self._config.per_domain, free // SHARE))
                now = clocks()[0]
                limit = min(free, self._config.batch)
                claims, due = await self._store.outgoing.claim(now, limit, self._at, share)
                if not claims:
                    return LOOK if due is None else min(LOOK, max(0.0, due - now))
                self._at.update(claim.domain for claim in claims)
                began = clocks()
                for claim in claims:
                    deliveries.create_task(self._attempt(claim, began), name=f"delivery {claim.queue_id}")
        except Unavailable as error:
            log.warning("event=queue_waits reason=%s", type(error).__name__)
            return FAULT
        return LOOK

    async def _sleep(self, queued: Subscription[MessageQueued], pause: float) -> None:
        """Until something is queued, ends, or falls due."""
        waits = [asyncio.ensure_future(queued.wait()), asyncio.ensure_future(self._ended.wait())]
        try:
            await asyncio.wait(waits, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _watch_clock(self) -> None:
        """Move what was queued before a jump of the wall clock along with it."""
        before, self._seen = self._seen, clocks()
        older, self._newest = self._newest, self._store.outgoing.newest()
        jump = schedule.drifted(self._seen[0] - before[0], self._seen[1] - before[1])
        if jump:
            log.warning("event=clock_jumped seconds=%.0f", jump)
            await self._store.outgoing.shift(jump, older)

    async def _attempt(self, claim: Claim, began: tuple[float, float]) -> None:
        """Deliver one claim; what goes wrong here ends no other delivery."""
        delivery = asyncio.ensure_future(self._deliver(claim, began))
        try:
            await asyncio.shield(delivery)
        except asyncio.CancelledError:
            # The server stops: a delivery about to hear its 250 may, or the message would be sent twice.
            await asyncio.wait([delivery], timeout=GRACE)
            delivery.cancel()
            await asyncio.wait([delivery])
            raise
        except Exception:
            log.exception("event=delivery_not_recorded queue=%d", claim.queue_id)
        finally:
            self._at[claim.domain] -= 1
            if not self._at[claim.domain]:
                del self._at[claim.domain]
            self._freed += 1
            if self._freed >= self._config.batch or not self._at:
                self._ended.set()
            elif self._freed == 1:
                asyncio.get_running_loop().call_later(GATHER, self._ended.set)

    async def _deliver(self, claim: Claim, began: tuple[float, float]) -> None:
        letter = Letter(self._store.mailboxes, claim.message, claim.prefix, self._signer)
        try:
            answers = await self._courier.deliver(claim, letter)
        except Removed:
            return
        except Unavailable as error:
            answers = same(claim.recipients, 0, str(error))
        except Exception:  # the one net under a delivery: it is tried again later
            log.exception("event=delivery_failed queue=%d", claim.queue_id)
            answers = same(claim.recipients, 0, "internal error")
        pause = FAULT
        while True:
            try:
                await self._record(claim, began, answers, letter)
                return
            except Unavailable as error:  # what was sent must be known as sent
                log.warning("event=record_waits queue=%d reason=%s", claim.queue_id, type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LOOK)

    # --- what came of it ----------------------------------------------------------------------------------------------

    async def _record(
        self, claim: Claim, began: tuple[float, float], answers: Sequence[Answer], letter: Letter
    ) -> None:
        await self._watch_clock()
        now, monotonic = clocks()
        age = began[0] - claim.created + monotonic - began[1]
        old = schedule.expired(age, self._config.expire_hours)
        outcomes: list[Outcome] = []
        told: list[Told] = []
        for recipient, answer in zip(claim.recipients, answers, strict=True):
            due = 0.0
            if answer.accepted:
                became = SENT
                if not answer.told:
                    told.append(Told(recipient, "relayed", status(answer, "2.0.0"), answer.remote, answer.text))
            elif answer.permanent or old:
                became = BOUNCED if claim.sender and bounce.wanted(recipient.notify, "failed") else FAILED
                given_up = status(answer, "5.0.0") if answer.permanent else "4.4.7"  # RFC 3463 §3.5: time expired
                told.append(Told(recipient, "failed", given_up, answer.remote, said(answer)))
            else:
                became = PENDING
                due = schedule.next_attempt(recipient.attempts + 1, now, self._config.retry_minutes, self._chance)
                if schedule.late(claim.created, age, recipient.last_attempt, self._config.warn_hours):
                    told.append(Told(recipient, "delayed", status(answer, "4.4.1"), answer.remote, said(answer)))
            outcomes.append(Outcome(answer.no, became, said(answer), answer.remote, due, answer.tls))
        reports = await self._reports(claim, told, letter, now)
        unwanted = bounce.unwanted(claim, answers)
        await self._store.outgoing.record(claim.queue_id, claim.domain, outcomes, reports, now, unwanted)
        await self._judge(claim.domain, answers, now)
        self._count(claim, outcomes, age, monotonic - began[1])
        for outcome in outcomes:
            self._bus.publish(DeliveryAttempted(claim.queue_id, outcome.no, _KINDS.get(outcome.status, "failed")))
        log.info(
            "event=delivery_attempted queue=%d host=%s outcomes=%s codes=%s",
            claim.queue_id, answers[0].remote, ",".join(o.status for o in outcomes),
            ",".join(str(a.code) for a in answers),
        )  # fmt: skip

    def _count(self, claim: Claim, outcomes: Sequence[Outcome], age: float, took: float) -> None:
        """For the metrics; `age` of the message and the time this attempt took in seconds."""
        to = self._courier.destination(claim)
        kinds = [_KINDS.get(outcome.status, "failed") for outcome in outcomes]
        for kind in kinds:
            metrics.attempts.labels(to, kind).inc()
            if kind != "deferred":
                metrics.queue_seconds.labels(to, kind).observe(max(0.0, age))
        for kind in dict.fromkeys(kinds):
            metrics.attempt_seconds.labels(to, kind).observe(took)

    async def _judge(self, domain: str, answers: Sequence[Answer], now: float) -> None:
        """Leave a domain alone for a while when nobody there answers: its crowd must not be tried one by one."""
        if all(answer.own for answer in answers):
            return
        if any(answer.code for answer in answers):
            self._silent.pop(domain, None)
            return
        self._silent[domain] += 1
        if self._silent[domain] >= SILENT:
            del self._silent[domain]
            pause = self._config.retry_minutes[0] * 60
            count = await self._store.outgoing.put_off(domain, now + pause, pause * schedule.JITTER)
            log.info("event=domain_put_off domain=%s recipients=%d", domain, count)
        while len(self._silent) > REMEMBERED:
            del self._silent[next(iter(self._silent))]

    async def _reports(self, claim: Claim, told: list[Told], letter: Letter, now: float) -> list[Report]:
        """What the sender is told, addressed to the mailboxes it leads to."""
        if is_return(claim.sender.partition("@")[0]):
            claim, told = self._brought_home(claim), [one for one in told if one.action == "failed"]
        asked = bounce.asked(claim, told)
        if not asked:
            return []
        try:
            content = await letter.read()
        except (Removed, Unavailable):
            content = b""
        try:
            written = bounce.write(self._hostname, claim, asked, content, now)
            recipients = self._directory.home(parse_address(claim.sender))
        except (AddressError, ComposeError) as error:
            log.warning("event=report_impossible queue=%d reason=%s", claim.queue_id, type(error).__name__)
            return []
        if not recipients:
            log.warning("event=report_without_sender queue=%d", claim.queue_id)
            return []
        return [Report(await self._store.prepare(written), tuple(recipients))]

    def _brought_home(self, claim: Claim) -> Claim:
        """A message that was handed on: whoever wanted it, here, gets it back whole.

        Its sender is not told, who may not have sent it at all (backscatter): it was taken, and it is not lost.
        """
        postmaster = f"postmaster@{claim.sender.rpartition('@')[2]}"
        wanted = (account.address for account in self._store.accounts.all() if account.id == claim.account)
        return replace(claim, sender=next(wanted, postmaster), ret="FULL")
