"""Many actions, one after the other: by the running server, or by a process that stands in for it meanwhile.

That process works as the owner of the data directory, while this one keeps the rights to read what only its caller may:
root imports a user's Maildir into a store that belongs to the service.
"""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from gk import discover
from gk.cli.door import become_owner
from gk.config import Config
from gk.control.client import NoDaemon, call
from gk.errors import ConfigError, GkError, InUse, Refused, Unavailable
from gk.transfer.moving_in import Act

_KINDS: dict[str, type[GkError]] = {"config": ConfigError, "in use": NoDaemon, "unavailable": Unavailable}


@contextmanager
def actions(config: Config) -> Iterator[Act]:
    """What does actions for as long as the block runs. Raises what call and opening the store raise."""

    def act(
        action: str,
        arguments: dict[str, Any],
        *,
        attached: Iterable[bytes] = (),
        take: Callable[[bytes], object] = lambda content: None,
    ) -> Any:
        return call(config.data, action, arguments, attached=attached, take=take)

    try:
        act("status", {})
    except NoDaemon:
        with _stand_in(config):
            yield act
    else:
        yield act


@contextmanager
def _stand_in(config: Config) -> Iterator[None]:
    app, registry = discover.module("gk", "app"), discover.module("gk.actions", "registry")
    registry.every()  # what is loaded now need not be readable to the owner
    ours, theirs = socket.socketpair()
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            ours.close()
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends when its parent does
            become_owner(config.data)
            asyncio.run(_serve(app, config, theirs))
        except BaseException as error:
            _tell(theirs, error)
        finally:
            os._exit(0)
    theirs.close()
    try:
        with ours:
            _hear(ours)
            yield
    finally:
        os.waitpid(child, 0)  # which has committed everything by then


async def _serve(app: Any, config: Config, door: socket.socket) -> None:
    """The store with its control socket, until the other end of `door` is closed."""
    server, client = discover.module("gk.control", "server"), discover.module("gk.control", "client")
    service = discover.module("gk", "service")
    door.setblocking(False)
    path = config.data / client.SOCKET
    async with app.rooms(config) as rooms, service.supervise(server.ControlServer(path, rooms)):
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(door, b"{}")
        await loop.sock_recv(door, 1)


def _tell(door: socket.socket, error: BaseException) -> None:
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    kinds = (("in use", InUse), ("config", ConfigError), ("unavailable", Unavailable))
    kind = next((kind for kind, type_ in kinds if isinstance(error, type_)), "failed")
    text = str(error) if isinstance(error, GkError | OSError) else f"the store failed: {type(error).__name__}"
    if kind == "in use":
        text += "; it does not answer on gk.sock: starting, stopping or stuck"
    try:
        door.setblocking(True)
        door.sendall(json.dumps({"kind": kind, "text": text}).encode())
    except OSError:
        pass  # nobody listens any more


def _hear(door: socket.socket) -> None:
    """Wait until it serves; raise what it said otherwise."""
    try:
        answer = json.loads(door.recv(1 << 16) or b"")
    except (OSError, ValueError):
        raise Unavailable("the store could not be opened") from None
    if answer:
        raise _KINDS.get(answer["kind"], Refused)(answer["text"])
