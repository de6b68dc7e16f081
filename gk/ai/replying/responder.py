"""The service that answers mail: looks at each delivered message once triage knows it, and drafts, sends or is silent.

A few answers are written at once, the rest waits as rows. What a stop of the process interrupts is pending again at
the next start; `gk ai stop` ends all work under way at once.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from gk import metrics
from gk.accounts.aliases import Directory
from gk.ai.model import ModelFailed
from gk.ai.models import Models, Spent
from gk.ai.replying import context, letter, writing
from gk.ai.replying.attached import has_documents, read_attached
from gk.ai.replying.context import Before
from gk.ai.replying.deciding import READ, Case, Deciding
from gk.ai.replying.letter import Letter
from gk.ai.replying.templates import TemplateFailed
from gk.ai.replying.writing import Silent
from gk.bus import Subscription
from gk.errors import GkError, Unavailable
from gk.events import Event, MessageDelivered, MessageTriaged
from gk.message import compose
from gk.message.address import Address
from gk.outbound.draft import Named, named
from gk.outbound.submit import Submit
from gk.store.db import Store
from gk.store.replies import AI, DAY, HOUR, Caps, Job, Line, Outcome
from gk.store.values import Account

log = logging.getLogger(__name__)

BATCH = 16  # messages decided about between two looks at the clock
AT_ONCE = 2  # answers written at once
REST = 0.5  # seconds of rest for each of work while messages wait
LOOK = 30.0  # seconds after which is looked again: triage says nothing of what it could not judge
PAUSES = (60.0, 600.0, 3600.0)  # seconds before the second attempt, and the next ones; then it has failed
AGE = 3 * DAY  # a message that waited longer is not answered any more
FAULT = 1.0  # seconds of rest after a fault of the store


class _To:
    """An envelope recipient about whom nobody wants a report."""

    notify = "NEVER"
    orcpt = None

    def __init__(self, address: Address) -> None:
        self.address = address


class Responder:
    """The one who answers; `submit` asks no rules of those who get answers here, or answers could go round."""

    name = "replies"

    def __init__(
        self,
        store: Store,
        directory: Directory,
        submit: Submit,
        models: Models,
        deciding: Deciding,
        hostname: str,
    ) -> None:
        self._store, self._directory, self._submit, self._models = store, directory, submit, models
        self._deciding, self._hostname = deciding, hostname
        config = self._config = deciding.policy.config
        self._caps = Caps(config.written_per_hour, config.sent_per_hour, config.days_per_sender)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._unsettled = False  # whether the store could not be told what became of an answer

    async def run(self, ready: asyncio.Event) -> None:
        with self._store.bus.subscribe(MessageDelivered, MessageTriaged) as news:
            ready.set()
            changed = self._store.replies.changed
            while True:
                changed.clear()
                with contextlib.suppress(GkError):  # of a store that is read-only: the next start will do it
                    await self._store.replies.recover()
                if self._store.replies.stopped():
                    await changed.wait()
                    continue
                async with asyncio.TaskGroup() as group:
                    work = group.create_task(self._work(news), name=self.name)
                    await changed.wait()
                    work.cancel()

    async def _work(self, news: "Subscription[Event]") -> None:
        while True:
            news.drain()
            began = time.monotonic()
            try:
                if self._unsettled:
                    await self._store.replies.recover()
                    self._unsettled = False
                jobs = self._store.replies.ready(time.time(), BATCH)
                if jobs:
                    await self._batch(jobs)
            except GkError as error:  # the disk is full or the store read-only: the messages stay where they are
                log.warning("event=replies_put_off reason=%s", error)
                await asyncio.sleep(FAULT)
                continue
            metrics.replies_waiting.set(self._store.replies.waiting())
            if jobs:
                await asyncio.sleep(REST * min(1.0, time.monotonic() - began))
                continue
            due = self._store.replies.next_due()
            left = LOOK if due is None or due <= time.time() else min(LOOK, due - time.time())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await news.wait()

    async def _batch(self, jobs: Sequence[Job]) -> None:
        """Decide about some messages; answer those that are to be, a few at once."""
        silent: list[tuple[int, str, Outcome]] = []
        cases: list[tuple[Job, Case]] = []
        for job in jobs:
            found = await self._decided(job, [case for _, case in cases])
            if isinstance(found, Case):
                cases.append((job, found))
            else:
                silent.append((job.id, "skipped", found))
                metrics.replies.labels("skipped").inc()
        if silent:
            await self._store.replies.settle(silent)
        if not cases:
            return
        await self._store.replies.begin([job.id for job, _ in cases], time.time())
        async with asyncio.TaskGroup() as group:
            for job, case in cases:
                group.create_task(self._answered(replace(job, attempts=job.attempts + 1), case), name=self.name)

    async def _decided(self, job: Job, others: Sequence[Case]) -> Case | Outcome:
        """What is to be done about a message now; `others` are about to be answered."""
        now = time.time()
        try:
            account = self._store.accounts.by_id(job.account)
            if self._store.replies.stopped(job.account):
                return Outcome(reason="writing was stopped when it came")
            if now - job.created > AGE:
                return Outcome(reason="it waited too long")
            line = self._store.replies.stands(job.account, job.message)
            if line is None:
                return Outcome(reason="it was moved away or removed")
            if line.answered:
                return Outcome(reason="it was answered already")
            found = await self._deciding.of(account, line, job.author, job.created)
            if isinstance(found, Case) and (reason := self._too_many(found, others, now)):
                return replace(found.outcome, reason=reason)
            return found
        except GkError as error:
            log.warning("event=reply_undecided message=%d error=%s", job.message, type(error).__name__)
            return Outcome(reason="it could not be looked at")
        except Exception as error:  # the one net under a message: the others are answered all the same
            log.exception("event=reply_undecided message=%d error=%s", job.message, type(error).__name__)
            return Outcome(reason="it could not be looked at")

    def _too_many(self, case: Case, others: Sequence[Case], now: float) -> str:
        """Why nothing is written any more for a while, before a model is asked."""
        config, replies = self._config, self._store.replies
        account, sender = case.account.id, case.outcome.correspondent
        same = [other.outcome.correspondent for other in others if other.account.id == account]
        if replies.written(account, now - HOUR) + len(same) >= config.written_per_hour:
            return f"{config.written_per_hour} answers were tried in the last hour (replies.written_per_hour)"
        if replies.written(account, now - DAY, sender) + same.count(sender) >= config.drafts_per_sender:
            return f"its sender got {config.drafts_per_sender} answers in a day (replies.drafts_per_sender)"
        return ""

    # --- one answer -----------------------------------------------------------------------------------------------

    async def _answered(self, job: Job, case: Case) -> None:
        async with self._slots:
            try:
                state, outcome, due = await self._tried(job, case)
            except Unavailable as error:  # of the store
                state, outcome, due = self._again(job, case.outcome, str(error))
            except GkError as error:
                state, outcome, due = "skipped", replace(case.outcome, reason=str(error)), 0.0
            except Exception as error:  # the one net under an answer
                log.exception("event=reply_failed message=%d error=%s", job.message, type(error).__name__)
                state, outcome, due = "failed", replace(case.outcome, reason="internal error"), 0.0
            metrics.replies.labels(case.rule.action if state == "completed" else state).inc()
            log.info("event=reply message=%d state=%s action=%s", job.message, state, case.rule.action)
            if state == "completed":  # which was written down with the answer itself
                return
            try:
                await self._store.replies.settle([(job.id, state, outcome)], due)
            except GkError as error:
                log.warning("event=reply_unsettled message=%d error=%s", job.message, type(error).__name__)
                self._unsettled = True

    async def _tried(self, job: Job, case: Case) -> tuple[str, Outcome, float]:
        """(state, what became of it, when it is due again)."""
        outcome, reply, thread = case.outcome, "", 0
        try:
            if case.needs_model:
                thread, lines = self._store.replies.thread(job.account, job.message, context.PREVIOUS)
                before = await self._before(case, lines)
                attached = await self._attached(job, case)
                found = await writing.asked(self._models, case, self._config, attached, before)
                reply = found.reply
                outcome = replace(outcome, model=found.model, confidence=min(outcome.confidence or 1, found.confidence))
            now = time.time()
            values = writing.values(case, self._config, reply, thread, now)
            filled = await asyncio.to_thread(self._deciding.templates.fill, case.rule.template, case.language, values)
        except Spent as error:
            return "skipped", replace(outcome, reason=str(error)), 0.0
        except ModelFailed as error:
            return self._again(job, outcome, f"the model: {error}")
        except Silent as silence:
            return "skipped", replace(outcome, reason=str(silence)), 0.0
        except TemplateFailed as error:
            return "failed", replace(outcome, reason=str(error)), 0.0
        author = self._author(case)
        if case.rule.action == "send":
            written = writing.message(case, author, filled, self._hostname, "")
            also = self._store.replies.sent(job, outcome, self._caps, now)
            await self._submit.submit(
                case.account, None, [_To(case.target)], written, origin=AI, keep=written, also=also
            )
        else:
            reason = f'rule "{outcome.rule}": {outcome.reason}; template {outcome.template}'
            reason += f", model {outcome.model}" if outcome.model else ""
            written = writing.message(case, author, filled, self._hostname, reason)
            self._store.accounts.check_room(case.account.id, 1, len(written))
            await self._store.replies.draft(job, await self._store.prepare(written), outcome, self._caps, now)
        return "completed", outcome, 0.0

    def _again(self, job: Job, outcome: Outcome, reason: str) -> tuple[str, Outcome, float]:
        """After a fault that may pass: once more later, a few times."""
        if job.attempts > len(PAUSES):
            return "failed", replace(outcome, reason=reason), 0.0
        return "pending", replace(outcome, reason=reason), time.time() + PAUSES[job.attempts - 1]

    def _author(self, case: Case) -> Named:
        """Whom the answer is from: the user's address that the mail was written to."""
        account = case.account
        written_to = [named(case.recipient)[1]] if case.recipient else []
        for address in (*written_to, *case.letter.to):
            if address.domain and self._directory.owns(account, address):
                return compose.clean(account.name) or None, address
        return compose.clean(account.name) or None, named(account.address)[1]

    async def _attached(self, job: Job, case: Case) -> str:
        """The text of what is attached."""
        if not has_documents(case.letter.tree):
            return ""
        content = await self._store.mailboxes.content_of(job.message)
        if content is None:
            return ""
        try:
            return await read_attached(content)
        finally:
            content.close()

    async def _before(self, case: Case, lines: Sequence[Line]) -> list[Before]:
        """What the two wrote before, as far as both have seen it."""
        found = []
        for line in lines:
            earlier = await self._letter(line.message)
            if earlier is None or not context.seen_by(earlier, case.target.key):
                continue
            ours = self._is_by(case.account, earlier)
            if ours or earlier.author.key == case.target.key:
                day = time.strftime("%Y-%m-%d", time.localtime(line.date))
                found.append(Before(ours, day, context.said(earlier)[: context.BEFORE]))
        return found

    def _is_by(self, account: Account, earlier: Letter) -> bool:
        """Whether the user wrote it. Mail from elsewhere in the user's name is not the user's."""
        return not earlier.came and self._directory.owns(account, earlier.author)

    async def _letter(self, message: int) -> Letter | None:
        try:
            content = await self._store.mailboxes.content_of(message)
            if content is None:
                return None
            try:
                found = await asyncio.to_thread(lambda: letter.read(content.read(0, READ)))
            finally:
                content.close()
        except GkError:
            return None
        return None if isinstance(found, str) else found
