"""The asking side of the control socket: blocking, and without the server's imports, so that the CLI starts fast."""

import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gk.errors import ConfigError, GkError, Refused, Unavailable

SOCKET = "gk.sock"
PATIENCE = 600.0  # seconds for an answer


class NoDaemon(GkError):
    """Nobody listens on the control socket."""


_KINDS: dict[str, type[GkError]] = {"config": ConfigError, "unavailable": Unavailable}


def call(
    data: Path,
    action: str,
    arguments: Mapping[str, Any],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Any:
    """Have the running server do it. Raises NoDaemon, and the action's error as ConfigError, Unavailable or Refused."""
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.settimeout(PATIENCE)
    with door:
        try:
            door.connect(str(data / SOCKET))
        except OSError as error:
            raise NoDaemon(f"no gk serves {data} ({error.strerror or error}); start it with «gk serve»") from None
        try:
            return _converse(door, action, arguments, progress)
        except (OSError, ValueError) as error:
            raise Unavailable(f"the server broke off: {error or type(error).__name__}; its log says more") from None


def _converse(
    door: socket.socket, action: str, arguments: Mapping[str, Any], progress: Callable[[int, int], None]
) -> Any:
    try:
        door.sendall(json.dumps({"action": action, "arguments": dict(arguments)}).encode() + b"\n")
    except BrokenPipeError:
        pass  # it has heard enough, and says why
    with door.makefile("rb") as lines:
        for line in lines:
            answer = json.loads(line)
            if "progress" in answer:
                progress(*answer["progress"])
            elif "error" in answer:
                raise _KINDS.get(answer["error"]["kind"], Refused)(answer["error"]["text"])
            else:
                return answer["result"]
    raise ConnectionError("no answer")
