"""Lifetimes: a Service runs until cancelled, `supervise` keeps several of them for as long as a block lasts.

Shutdown order is nesting order: leaving the block stops what was started in it, nothing else to know.
"""

import asyncio
import logging
import os
import resource
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import gk

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 60.0  # seconds before a failed service is started again, doubling
FORGIVEN_AFTER = 60.0  # a service that ran that long starts again with the first pause

# What systemd told this process alone, and passwords that no other process needs.
_OURS = (
    "EMAIL_PASSWORD",
    "SMTP_PASSWORD",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
)

Pause = Callable[[float], Awaitable[None]]


class Service(Protocol):
    """Anything with a name that serves until cancelled and cleans up in `finally`."""

    @property
    def name(self) -> str: ...

    async def run(self, ready: asyncio.Event) -> None:
        """Set `ready` once started; an exception before that stops the start-up."""
        ...


async def _keep(service: Service, ready: asyncio.Event, sleep: Pause) -> None:
    loop, pause = asyncio.get_running_loop(), FIRST_PAUSE
    while True:
        began = loop.time()
        try:
            await service.run(ready)
            reason = "it returned"
        except Exception as error:
            if not ready.is_set():
                raise
            reason = type(error).__name__
            log.exception("event=service_failed service=%s error=%s", service.name, reason)
        if not ready.is_set():
            raise RuntimeError(f"{service.name} ended before it was ready")
        if loop.time() - began > FORGIVEN_AFTER:
            pause = FIRST_PAUSE
        log.warning("event=service_restart service=%s reason=%s pause=%.1f", service.name, reason, pause)
        await sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


@asynccontextmanager
async def supervise(*services: Service, sleep: Pause = asyncio.sleep) -> AsyncIterator[None]:
    """Enter once every service is ready; leave once every service has stopped.

    A service that fails before it was ready ends the start-up with its own error; one that fails later is
    started again after a doubling pause. An error of the block itself comes out of it as it was raised.
    """
    started = [asyncio.Event() for _ in services]
    failed: Exception | None = None
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_keep(service, ready, sleep), name=service.name)
            for service, ready in zip(services, started, strict=True)
        ]
        try:
            for ready in started:
                await ready.wait()
            yield
        except Exception as error:  # kept from the group, which would wrap it
            failed = error
        finally:
            for task in tasks:
                task.cancel()
    if failed is not None:
        raise failed


def behave_as_child(memory: int, nice: int) -> None:
    """What a process of ours does first: leave signals to its parent, go behind others, stay below `memory` octets."""
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group: the parent says when
        signal.signal(number, signal.SIG_IGN)
    try:
        os.nice(nice)
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    except (OSError, ValueError):
        pass  # forbidden here: it works without


def child_environment() -> dict[str, str]:
    """The environment of a process of ours, so that it finds this package and does not speak to systemd for us."""
    kept = {name: value for name, value in os.environ.items() if name not in _OURS}
    return kept | {"PYTHONPATH": os.pathsep.join(dict.fromkeys(_paths(kept)))}


def _paths(environment: dict[str, str]) -> Iterator[str]:
    yield from filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    top = Path(gk.__file__).parent.parent
    if not top.name.endswith("-packages"):  # those are on the path anyway
        yield str(top)
