"""The kernel: the bus, lifetimes, the log and the metrics."""

import asyncio
import json
import logging
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk import bus as bus_module
from gk import metrics
from gk.bus import Bus
from gk.events import ConfigReloaded, MessageDelivered, MessageQueued
from gk.log import Json, Text, escape, setup, without_addresses
from gk.service import FIRST_PAUSE, LONGEST_PAUSE, supervise

# --- the bus ----------------------------------------------------------------------------------------------------------


async def test_a_subscriber_gets_the_events_of_its_types_in_order() -> None:
    bus = Bus()
    with bus.subscribe(MessageQueued, ConfigReloaded) as events:
        bus.publish(MessageQueued(1))
        bus.publish(MessageDelivered(1, 1, 1))
        bus.publish(ConfigReloaded())
        assert [await anext(events), await anext(events)] == [MessageQueued(1), ConfigReloaded()]
        assert events.drain() == []


async def test_a_waiting_subscriber_wakes_when_something_is_published() -> None:
    bus = Bus()
    with bus.subscribe(MessageQueued) as events:
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        assert not waiting.done()
        bus.publish(MessageQueued(7))
        assert await waiting == MessageQueued(7)
        bus.publish(MessageQueued(8))
        await events.wait()
        assert events.drain() == [MessageQueued(8)]


async def test_a_subscriber_that_falls_behind_loses_the_oldest_and_is_told() -> None:
    bus = Bus()
    with bus.subscribe(MessageQueued) as slow, bus.subscribe(MessageQueued) as quick:
        for n in range(bus_module.PENDING):
            bus.publish(MessageQueued(n))
            quick.drain()
        assert not slow.lagged
        bus.publish(MessageQueued(bus_module.PENDING))
        assert slow.lagged and not quick.lagged
        kept = slow.drain()
        assert len(kept) == bus_module.PENDING and kept[0] == MessageQueued(1)


async def test_who_has_left_gets_nothing() -> None:
    bus = Bus()
    with bus.subscribe(MessageQueued) as gone:
        pass
    bus.publish(MessageQueued(1))
    assert gone.drain() == []


# --- lifetimes --------------------------------------------------------------------------------------------------------


class Recorded:
    """A service that writes down what happens to it; `faults` are raised in turn, before or after it is ready."""

    def __init__(self, name: str, story: list[str], *faults: BaseException | None, early: bool = False) -> None:
        self.name, self._story, self._faults, self._early = name, story, list(faults), early
        self.again = asyncio.Event()

    async def run(self, ready: asyncio.Event) -> None:
        self._story.append(f"up {self.name}")
        fault = self._faults.pop(0) if self._faults else None
        try:
            if not self._early:
                ready.set()
            if fault is not None:
                raise fault
            self.again.set()
            await asyncio.Event().wait()
        finally:
            self._story.append(f"down {self.name}")


async def test_services_stop_in_the_reverse_order_of_their_blocks() -> None:
    story: list[str] = []
    async with (
        supervise(Recorded("store", story)),
        supervise(Recorded("queue", story), Recorded("triage", story)),
        supervise(Recorded("smtp", story)),
    ):
        story.append("serving")
    assert story == [
        "up store", "up queue", "up triage", "up smtp", "serving",
        "down smtp", "down queue", "down triage", "down store",
    ]  # fmt: skip


async def test_a_service_that_fails_before_it_was_ready_stops_the_start_with_its_own_error() -> None:
    story: list[str] = []
    with pytest.raises(ExceptionGroup) as caught:
        async with supervise(Recorded("store", story), Recorded("smtp", story, OSError("busy"), early=True)):
            story.append("never")
    assert [str(error) for error in caught.value.exceptions] == ["busy"]
    assert story == ["up store", "up smtp", "down smtp", "down store"]


async def test_a_service_that_returns_before_it_was_ready_stops_the_start() -> None:
    class Short:
        name = "short"

        async def run(self, ready: asyncio.Event) -> None:
            return

    with pytest.raises(ExceptionGroup) as caught:
        async with supervise(Short()):
            pass
    assert "short ended before it was ready" in str(caught.value.exceptions[0])


async def test_a_service_that_fails_later_starts_again_after_a_doubling_pause(caplog: pytest.LogCaptureFixture) -> None:
    story: list[str] = []
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    triage = Recorded("triage", story, *(ValueError("bug") for _ in range(12)))
    smtp = Recorded("smtp", story)
    async with supervise(triage, smtp, sleep=pause):
        await asyncio.wait_for(triage.again.wait(), 5)
    assert pauses[:4] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, 8 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE
    assert story.count("up triage") == 13 and story.count("up smtp") == 1
    assert "event=service_restart service=triage reason=ValueError" in caplog.text


async def test_an_error_inside_the_block_stops_the_services_and_comes_out() -> None:
    story: list[str] = []
    with pytest.raises(KeyError, match="inside"):
        async with supervise(Recorded("store", story)):
            raise KeyError("inside")
    assert story == ["up store", "down store"]


async def test_a_cancelled_block_stops_its_services() -> None:
    story: list[str] = []
    entered = asyncio.Event()

    async def serve() -> None:
        async with supervise(Recorded("store", story)):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(serve())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert story == ["up store", "down store"]


# --- the log ----------------------------------------------------------------------------------------------------------


def record(message: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    trace = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("gk.test", logging.WARNING, "x.py", 1, message, args, trace)


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def test_an_event_is_one_line_for_a_person() -> None:
    line = Text().format(record("event=refused rule=%s", "dmarc"))
    assert line.endswith(" warning gk.test event=refused rule=dmarc")
    assert line[4] == line[7] == "-" and line[10] == "T" and line[19] == "Z"


@pytest.mark.parametrize("hostile", ["\r\nevent=forged", "\x1b[2J", "\u2028event=forged", "\u202e", "\x00", "\udc80"])
def test_control_characters_cannot_forge_a_line(hostile: str) -> None:
    for formatter in (Text(), Json()):
        line = formatter.format(record("event=helo name=%s", f"a{hostile}b"))
        assert len(line.splitlines()) == 1 and line.isprintable()


def test_a_json_line_parses_and_holds_its_traceback() -> None:
    entry = json.loads(Json().format(record("event=failed", error=raised(ValueError("line one\nline two")))))
    assert entry["message"] == "event=failed" and entry["level"] == "warning" and entry["logger"] == "gk.test"
    assert "ValueError: line one\nline two" in entry["traceback"]


def test_a_traceback_for_a_person_is_indented_and_forges_no_line() -> None:
    text = Text().format(
        record("event=failed", error=raised(ValueError("bad\n2026-01-01T00:00:00Z info gk forged\x1b")))
    )
    first, *others = text.splitlines()
    assert first.endswith("event=failed")
    assert all(line.startswith("  ") and line.isprintable() for line in others)


def test_addresses_that_libraries_quote_are_made_unreadable() -> None:
    error = raised(ValueError("bad path <alice@example.test> and 'bob+tag@example.test'"))
    for formatter in (Text(), Json()):
        text = formatter.format(record("event=failed for=%s", "zoe@far.test", error=error))
        assert "@" not in text
        assert "(address)" in text


@given(st.text())
def test_any_text_is_logged_as_one_line(text: str) -> None:
    assert escape(text).isprintable()
    assert json.loads(Json().format(record("%s", text)))["message"] == without_addresses(text)


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


def test_the_log_goes_to_standard_error_and_aiosmtpd_stays_silent(
    root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    setup("info", "json")
    logging.getLogger("gk.test").info("event=seen")
    logging.getLogger("gk.test").debug("event=unseen")
    logging.getLogger("mail.log").error("('127.0.0.1', 5) >> b'MAIL FROM:<alice@example.test>'")
    out, err = capsys.readouterr()
    assert out == ""
    assert [json.loads(line)["message"] for line in err.splitlines()] == ["event=seen"]


# --- metrics ----------------------------------------------------------------------------------------------------------


async def test_the_loop_watch_sees_a_loop_that_was_held_up() -> None:
    watch = metrics.LoopLag()
    watch.interval = 0.001
    ready = asyncio.Event()
    task = asyncio.ensure_future(watch.run(ready))
    await ready.wait()
    before = metrics.REGISTRY.get_sample_value("gk_loop_lag_seconds_count")
    end = time.perf_counter() + 0.06
    while time.perf_counter() < end:
        pass
    while metrics.REGISTRY.get_sample_value("gk_loop_lag_seconds_count") == before:
        await asyncio.sleep(0)
    task.cancel()
    worst = metrics.REGISTRY.get_sample_value("gk_loop_lag_worst_seconds")
    assert worst is not None and worst >= 0.05


def test_the_metrics_are_in_the_format_of_prometheus() -> None:
    metrics.attempts.labels("mx", "sent").inc()
    text = metrics.exposition().decode()
    assert "# TYPE gk_delivery_attempts_total counter" in text
    assert 'gk_delivery_attempts_total{destination="mx",outcome="sent"}' in text
