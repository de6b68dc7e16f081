"""The asking side of the control socket: blocking, and without the server's imports, so that the CLI starts fast."""

import json
import socket
from collections.abc import Callable, Iterable, Mapping
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
    attached: Iterable[bytes] = (),
    take: Callable[[bytes], object] = lambda content: None,
) -> Any:
    """Have the running server do it. Raises NoDaemon, and the action's error as ConfigError, Unavailable or Refused.

    `attached` goes with the request, `take` gets what comes with the answer.
    """
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.settimeout(PATIENCE)
    with door:
        try:
            door.connect(str(data / SOCKET))
        except OSError as error:
            raise NoDaemon(f"no gk serves {data} ({error.strerror or error}); start it with «gk serve»") from None
        try:
            return _converse(door, action, arguments, progress, list(attached), take)
        except (OSError, ValueError) as error:
            raise Unavailable(f"the server broke off: {error or type(error).__name__}; its log says more") from None


def _converse(
    door: socket.socket,
    action: str,
    arguments: Mapping[str, Any],
    progress: Callable[[int, int], None],
    attached: list[bytes],
    take: Callable[[bytes], object],
) -> Any:
    request: dict[str, Any] = {"action": action, "arguments": dict(arguments)}
    if attached:
        request["attached"] = sum(map(len, attached))
    try:
        door.sendall(json.dumps(request).encode() + b"\n")
        for content in attached:
            door.sendall(content)
    except BrokenPipeError:
        pass  # it has heard enough, and says why
    with door.makefile("rb") as lines:
        for line in lines:
            answer = json.loads(line)
            if "content" in answer:
                content = lines.read(answer["content"])
                if len(content) < answer["content"]:
                    break
                take(content)
            elif "progress" in answer:
                progress(*answer["progress"])
            elif "error" in answer:
                raise _KINDS.get(answer["error"]["kind"], Refused)(answer["error"]["text"])
            else:
                return answer["result"]
    raise ConnectionError("no answer")
