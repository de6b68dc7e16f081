"""The models of the configuration, asked in their order: the first that answers is believed.

One retry of a call that failed in passing; a model that failed five times in a row is left alone for a minute, and then
one call tries it. So many calls at once, so many that wait, so many and so much money a day for each user.
"""

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from gk import metrics
from gk.ai.metering import NOBODY, Meter, Price, Use
from gk.ai.model import Answer, Hear, Model, ModelFailed, Prompt, Spoken, Talk, Tokens, Turn
from gk.ai.redact import redacted

log = logging.getLogger(__name__)

FAILURES, CLOSED = 5, 60.0  # in a row, and seconds a model is left alone after them
AT_ONCE, WAITING = 2, 32  # calls
PAUSE = 0.5  # seconds before a retry
ASKED = 2  # characters of a token at least, where what a question may cost is guessed

Clock = Callable[[], float]
Found = TypeVar("Found", Answer, Spoken)


class Spent(ModelFailed):
    """The user may make no more calls today."""


class Interrupted(ModelFailed):
    """A model failed when a part of its turn was heard already."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a model does: `reason` is why the last call failed, "" where it did not; `seconds`: what it took."""

    model: str
    remote: bool
    state: str  # "unasked", "answers", "fails" or "left alone"
    reason: str
    seconds: float


class _Tried:
    """One model and how it did."""

    def __init__(self, model: Model, price: Price) -> None:
        self.model, self.price = model, price
        self.failures, self.closed_until, self.trying = 0, 0.0, False
        self.reason, self.seconds, self.asked = "", 0.0, False


class Models:
    """Asks models; without any it always fails, and whoever asks does without."""

    def __init__(
        self,
        models: Sequence[tuple[Model, Price]],
        meter: Meter = NOBODY,
        clock: Clock = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._tried = [_Tried(model, price) for model, price in models]
        self._meter, self._clock, self._pause = meter, clock, pause
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    def __bool__(self) -> bool:
        return bool(self._tried)

    async def answer(self, account: int, prompt: Prompt) -> Answer:
        """The answer of the first model that gives one, or gave one to the same prompt. Raises ModelFailed."""
        if not self._tried:
            raise ModelFailed("no model is configured")
        key = self._key(prompt)
        kept = self._meter.kept(account, key) if prompt.keep else None
        if kept is not None:
            metrics.model_calls.labels("remembered").inc()
            return kept

        async def ask(one: _Tried) -> Answer:
            bare = replace(prompt, task=redacted(prompt.task), text=redacted(prompt.text))
            return await one.model.answer(bare if one.model.remote else prompt)

        async with self._slot():
            found = await self._first(account, ask, Tokens(prompt.length // ASKED, prompt.most))
        if prompt.keep:
            await self._meter.keep(account, key, found)
        return found

    async def turn(self, account: int, talk: Talk, hear: Hear = lambda text: None) -> Spoken:
        """The turn of the first model that takes one; once a word of it was heard, no other is asked.

        Raises ModelFailed.
        """
        if not self._tried:
            raise ModelFailed("no model is configured")
        heard = False

        def hearing(text: str) -> None:
            nonlocal heard
            heard = True
            hear(text)

        async def ask(one: _Tried) -> Spoken:
            given = replace(talk, turns=[_bare(turn) for turn in talk.turns]) if one.model.remote else talk
            try:
                return await one.model.turn(given, hearing)
            except ModelFailed as error:
                if heard:
                    raise Interrupted(str(error)) from None
                raise

        async with self._slot():
            return await self._first(account, ask, Tokens(talk.length // ASKED, talk.most))

    def health(self) -> list[Health]:
        """Of each model, in their order."""
        return [
            Health(one.model.name, one.model.remote, self._state(one), one.reason, one.seconds) for one in self._tried
        ]

    async def probe(self) -> None:
        """Look whether each is there, without asking it anything."""
        for one in self._tried:
            try:
                await one.model.probe()
            except ModelFailed as error:
                if str(error) != one.reason:
                    log.warning("event=model_not_there model=%r reason=%r", one.model.name, str(error))
                one.reason = str(error)
            else:
                one.reason = ""
            metrics.model_up.labels(one.model.name).set(not one.reason)

    def _state(self, one: _Tried) -> str:
        if one.failures >= FAILURES and self._clock() < one.closed_until:
            return "left alone"
        return "fails" if one.reason else "answers" if one.asked else "unasked"

    def _key(self, prompt: Prompt) -> bytes:
        """What makes a prompt the same: all that is asked, and who would be."""
        names = [one.model.name for one in self._tried]
        whole = json.dumps([prompt.task, prompt.text, prompt.schema(), prompt.most, names])
        return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).digest()

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        if self._waiting >= WAITING:
            raise ModelFailed("too many calls wait")
        self._waiting += 1
        try:
            async with self._slots:
                yield
        finally:
            self._waiting -= 1

    async def _first(self, account: int, ask: Callable[[_Tried], Awaitable[Found]], most: Tokens) -> Found:
        failed = ModelFailed("every model failed often and is left alone for a while")
        for one in self._tried:
            if not self._open(one):
                continue
            try:
                return await self._ask(one, account, ask, most)
            except Interrupted:
                raise
            except ModelFailed as error:
                failed = error
        raise failed

    def _open(self, one: _Tried) -> bool:
        """Whether it may be asked: always, or once after its pause."""
        if one.failures < FAILURES:
            return True
        if one.trying or self._clock() < one.closed_until:
            return False
        one.trying = True
        return True

    async def _ask(self, one: _Tried, account: int, ask: Callable[[_Tried], Awaitable[Found]], most: Tokens) -> Found:
        try:
            try:
                return await self._once(one, account, ask, most)
            except ModelFailed as error:
                if not error.passing:
                    raise
            await self._pause(PAUSE)
            return await self._once(one, account, ask, most)
        except Spent:
            raise
        except ModelFailed as error:
            one.failures, one.reason = one.failures + 1, str(error)
            if one.failures >= FAILURES:
                one.closed_until = self._clock() + CLOSED
            metrics.model_calls.labels("failed").inc()
            metrics.model_up.labels(one.model.name).set(0)
            log.warning("event=model_failed model=%r reason=%r", one.model.name, str(error))
            raise
        finally:
            one.trying = False

    async def _once(self, one: _Tried, account: int, ask: Callable[[_Tried], Awaitable[Found]], most: Tokens) -> Found:
        """One call, counted before it is made as what it may cost, and after it as what it did."""
        name, reserved = one.model.name, one.price.of(most)
        if not await self._meter.reserve(account, name, reserved):
            raise Spent("the user's calls or money of today are used up (ai.calls_per_day, ai.spend_per_day)")
        began = self._clock()
        used = Use(failed=1, price=reserved)  # a call that was given up may have cost all of it
        try:
            found = await ask(one)
            price = one.price.of(found.tokens) if found.tokens.all else reserved
            used = Use(0, found.tokens, self._clock() - began, price)
        except ModelFailed as error:
            used = Use(1, Tokens(), self._clock() - began, 0 if error.passing else reserved)
            raise
        finally:
            await asyncio.shield(self._meter.settle(account, name, reserved, used))
        one.failures, one.reason, one.seconds, one.asked = 0, "", used.seconds, True
        metrics.model_calls.labels("answered").inc()
        metrics.model_seconds.observe(used.seconds)
        metrics.model_up.labels(name).set(1)
        return found


def _bare(turn: Turn) -> Turn:
    """Without what does not leave this machine, also where another model called a tool with it."""
    calls = [replace(call, arguments={n: _bare_value(v) for n, v in call.arguments.items()}) for call in turn.calls]
    return replace(turn, text=redacted(turn.text), calls=calls)


def _bare_value(value: Any) -> Any:
    """An argument of a tool: a text, a list of texts, or what no tool takes."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, list):
        return [redacted(str(one)) for one in value]
    return redacted(str(value)) if isinstance(value, dict) else value
