"""The models of the configuration, asked in their order: the first that answers is believed.

One retry of a call that failed in passing; a model that failed five times in a row is left alone for a minute, and then
one call tries it. So many calls at once, so many that wait, so many a day for each user.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from gk import metrics
from gk.ai.model import Answer, Model, ModelFailed, Prompt
from gk.ai.redact import redacted

log = logging.getLogger(__name__)

FAILURES, CLOSED = 5, 60.0  # in a row, and seconds a model is left alone after them
AT_ONCE, WAITING = 2, 32  # calls
PAUSE = 0.5  # seconds before a retry

Clock = Callable[[], float]
Count = Callable[[int, int, int], Awaitable[bool]]
"""(account, calls, tokens) are counted for today; false where the calls would be more than the account may make."""


class _Tried:
    """One model and how it did."""

    def __init__(self, model: Model) -> None:
        self.model, self.failures, self.closed_until, self.trying = model, 0, 0.0, False


class Models:
    """Asks models; without any it always fails, and whoever asks does without."""

    def __init__(
        self,
        models: Sequence[Model],
        count: Count,
        clock: Clock = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._tried = [_Tried(model) for model in models]
        self._count, self._clock, self._pause = count, clock, pause
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    def __bool__(self) -> bool:
        return bool(self._tried)

    async def answer(self, account: int, prompt: Prompt) -> Answer:
        """The answer of the first model that gives one. Raises ModelFailed."""
        if not self._tried:
            raise ModelFailed("no model is configured")
        if self._waiting >= WAITING:
            raise ModelFailed("too many calls wait")
        self._waiting += 1
        try:
            async with self._slots:
                return await self._first(account, prompt)
        finally:
            self._waiting -= 1

    async def _first(self, account: int, prompt: Prompt) -> Answer:
        reason = "every model failed often and is left alone for a while"
        for one in self._tried:
            if not self._open(one):
                continue
            try:
                return await self._ask(one, account, prompt)
            except ModelFailed as error:
                reason = str(error)
        raise ModelFailed(reason)

    def _open(self, one: _Tried) -> bool:
        """Whether it may be asked: always, or once after its pause."""
        if one.failures < FAILURES:
            return True
        if one.trying or self._clock() < one.closed_until:
            return False
        one.trying = True
        return True

    async def _ask(self, one: _Tried, account: int, prompt: Prompt) -> Answer:
        given = replace(prompt, text=redacted(prompt.text)) if one.model.remote else prompt
        try:
            for again in (True, False):
                if not await self._count(account, 1, 0):
                    raise Spent("the user's calls of today are used up (ai.calls_per_day)")
                try:
                    found = await one.model.answer(given)
                    break
                except ModelFailed as error:
                    if not (again and error.passing):
                        raise
                    await self._pause(PAUSE)
        except Spent:
            raise
        except ModelFailed as error:
            one.failures += 1
            if one.failures >= FAILURES:
                one.closed_until = self._clock() + CLOSED
            metrics.model_calls.labels("failed").inc()
            log.warning("event=model_failed model=%r reason=%r", one.model.name, str(error))
            raise
        finally:
            one.trying = False
        one.failures = 0
        metrics.model_calls.labels("answered").inc()
        await self._count(account, 0, found.tokens)
        return found


class Spent(ModelFailed):
    """The user may make no more calls today."""
