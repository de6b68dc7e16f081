"""rspamd, asked over HTTP by its normal worker (POST /checkv2): its score counts with a weight.

The request is HTTP/1.1 on a connection of its own; envelope and client are header fields, the message is the body. The
answer is JSON with `score`, `required_score`, `action` and `symbols`. Its action is shown, the points decide.
"""

import asyncio
import json
import math
from typing import Any

from gk.config import Rspamd as Table
from gk.config import endpoint
from gk.inbound.incoming import Incoming, Message
from gk.inbound.spam.outside import NoAnswer, Opinion, pieces
from gk.inbound.spam.rule import Hit

HEAD, BODY = 16 << 10, 256 << 10  # octets of an answer
IN_LOOP = 16 << 10  # octets of JSON read in the event loop
RECIPIENTS = 100  # that are named
SYMBOLS = 10  # the weightiest that are shown


class Rspamd:
    """Asks rspamd."""

    name = "rspamd"

    def __init__(self, table: Table) -> None:
        self._table = table
        self.seconds, self.closed, self.largest = float(table.seconds), table.fail == "closed", table.largest_bytes

    async def ask(self, incoming: Incoming, message: Message) -> Opinion:
        """Its score as points. Raises NoAnswer, OSError, EOFError."""
        reader, writer = await asyncio.open_connection(*endpoint(self._table.address))
        try:
            try:
                writer.write(head(incoming, self._table.address, message.size - message.above))
                for piece in pieces(message):
                    writer.write(piece)
                    await writer.drain()
            except ConnectionError:
                pass  # it answered before the end
            body = await answer(reader)
        finally:
            writer.transport.abort()
        if len(body) <= IN_LOOP:
            return opinion(body, self._table.weight, self._table.most)
        return await asyncio.to_thread(opinion, body, self._table.weight, self._table.most)


def head(incoming: Incoming, host: str, size: int) -> bytes:
    """The request line and its fields."""
    fields = [
        ("Host", host),
        ("Connection", "close"),
        ("Content-Type", "message/rfc822"),
        ("Content-Length", str(size)),
        ("Queue-Id", incoming.id),
        ("IP", incoming.client.address),
        ("Helo", incoming.client.helo),
        ("From", str(incoming.sender or "")),
        *(("Rcpt", str(address)) for address, _ in incoming.recipients[:RECIPIENTS]),
    ]
    lines = [f"{name}: {''.join(c if c.isprintable() else '?' for c in value)}" for name, value in fields]
    return "\r\n".join(["POST /checkv2 HTTP/1.1", *lines, "", ""]).encode("utf-8", "replace")


async def answer(reader: asyncio.StreamReader) -> bytes:
    """The body of a 200. Raises NoAnswer, OSError, EOFError."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise NoAnswer("the header of its answer is too long") from None
    lines = raw[:HEAD].decode("latin-1").split("\r\n")
    status = lines[0].split(" ")
    if len(status) < 2 or not status[0].startswith("HTTP/1.") or status[1] != "200":
        raise NoAnswer(f"it says {lines[0][:60]!r}")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if "transfer-encoding" in fields:
        raise NoAnswer("its answer comes in chunks")
    length = fields.get("content-length", "")
    if not (length.isascii() and length.isdigit() and len(length) < 10):
        raise NoAnswer("its answer has no length")
    if int(length) > BODY:
        raise NoAnswer(f"its answer is longer than {BODY} octets")
    return await reader.readexactly(int(length))


def opinion(body: bytes, weight: float, most: float) -> Opinion:
    """What an answer says; its points are at least -most and at most `most`. Raises NoAnswer."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise NoAnswer("its answer is no JSON") from None
    score = _number(said.get("score")) if isinstance(said, dict) else None
    if score is None:
        raise NoAnswer("its answer has no score")
    points = round(max(-most, min(most, score * weight)), 2)
    listed = said.get("symbols")
    symbols = [
        (str(name)[:60], worth)
        for name, symbol in (listed.items() if isinstance(listed, dict) else ())
        if isinstance(symbol, dict) and (worth := _number(symbol.get("score")))
    ]
    symbols.sort(key=lambda one: -abs(one[1]))
    told = ", ".join(f"{name} {worth:+.1f}" for name, worth in symbols[:SYMBOLS])
    action, required = said.get("action"), _number(said.get("required_score")) or 0.0
    shown = action[:40] if isinstance(action, str) else "no action"
    return Opinion((Hit("rspamd", points, f"{score:.1f} of {required:.1f} ({shown}): {told}"),))


def _number(value: Any) -> float | None:
    """A finite number, None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
