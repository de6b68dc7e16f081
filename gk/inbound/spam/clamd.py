"""clamd, the daemon of ClamAV, asked over its socket by INSTREAM (clamd(8)): a message with a virus is refused.

The command is `zINSTREAM\\0`; the message follows in chunks behind their length in four octets, and an empty one. The
answer ends with \\0: `stream: OK`, `stream: <name> FOUND`, or words that end in ERROR.
"""

import asyncio
import re
import socket

from gk.config import Clamd as Table
from gk.config import endpoint
from gk.inbound.incoming import Incoming, Message
from gk.inbound.spam.outside import NoAnswer, Opinion, pieces
from gk.inbound.spam.rule import Hit

LONGEST = 1024  # octets of an answer
POINTS = 100.0  # of a virus, so that `gk rejects` shows what decided
_FOUND = re.compile(r"stream: (.{1,200}) FOUND")


class Clamd:
    """Asks clamd."""

    name = "clamd"

    def __init__(self, table: Table) -> None:
        self._address = table.address
        self.seconds, self.closed, self.largest = float(table.seconds), table.fail == "closed", table.largest_bytes

    async def ask(self, incoming: Incoming, message: Message) -> Opinion:
        """Refuse what it finds something in. Raises NoAnswer, OSError."""
        loop = asyncio.get_running_loop()
        with await _connected(self._address) as there:
            try:
                await loop.sock_sendall(there, b"zINSTREAM\0")
                for piece in pieces(message):
                    await loop.sock_sendall(there, len(piece).to_bytes(4, "big") + piece)
                await loop.sock_sendall(there, bytes(4))
            except ConnectionError:
                pass  # it has had enough before the end, and said why; a stream would not be read any more
            answer = b""
            while b"\0" not in answer and len(answer) < LONGEST and (more := await loop.sock_recv(there, LONGEST)):
                answer += more
        return opinion(answer)


async def _connected(address: str) -> socket.socket:
    """A socket connected to "/path" or "host:port"."""
    target: str | tuple[str, int] = address
    if address.startswith("/"):
        there = socket.socket(socket.AF_UNIX)
    else:
        target = host, _ = endpoint(address)
        there = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    there.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(there, target)
    except BaseException:
        there.close()
        raise
    return there


def opinion(answer: bytes) -> Opinion:
    """What an answer says. Raises NoAnswer."""
    text = "".join(c for c in answer.partition(b"\0")[0].decode("utf-8", "replace") if c.isprintable())
    if text == "stream: OK":
        return Opinion((Hit("clamd", 0.0, "nothing was found"),))
    if found := _FOUND.fullmatch(text):
        virus = found[1]
        reply = f"550 5.7.1 The message holds a virus: {virus.encode('ascii', 'replace').decode()}"
        return Opinion((Hit("clamd", POINTS, f"{virus} was found"),), "refuse", reply)
    if "size limit exceeded" in text:
        return Opinion((Hit("clamd", 0.0, "not looked at: larger than its StreamMaxLength"),))
    raise NoAnswer(text[:100] or "it closed the connection")
