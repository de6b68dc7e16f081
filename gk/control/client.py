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
    try:
        with door:
            try:
                door.connect(str(data / SOCKET))
            except OSError as error:
                raise NoDaemon(f"no gk serves {data} ({error.strerror})") from None
            door.sendall(json.dumps({"action": action, "arguments": dict(arguments)}).encode() + b"\n")
            with door.makefile("rb") as lines:
                for line in lines:
                    answer = json.loads(line)
                    if "progress" in answer:
                        progress(*answer["progress"])
                    elif "error" in answer:
                        raise _KINDS.get(answer["error"]["kind"], Refused)(answer["error"]["text"])
                    else:
                        return answer["result"]
    except (OSError, ValueError) as error:
        raise Unavailable(f"the server broke off: {error}") from None
    raise Unavailable("the server closed the connection without an answer: run as its user or as root")
