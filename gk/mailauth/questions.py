"""What the DNS says for one message: every question once, all within one time, and the answers kept as evidence.

A name that cannot be in the DNS has no records (RFC 7208 §4.3); what was not answered in time, or by a broken server,
has *failed*, which makes a temporary error of whatever needed it and never an exception.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

from gk.net.dns import DnsFailed, Lookups, NoSuchName

Kind = Literal["A", "AAAA", "MX", "PTR", "TXT"]

MOST = 250  # questions of one message; SPF may ask for about 110 (RFC 7208 §4.6.4), the rest is a dozen
RECORDS = 100  # records of one answer that are read
TEXT = 64 << 10  # octets of one TXT record that are read
NAME, LABEL = 253, 63  # characters, RFC 1035 §2.3.4


@dataclass(frozen=True, slots=True)
class Answer:
    """The records of one name and type. `failed`: nobody knows; `missing`: the name itself does not exist.

    Addresses and names are text, the latter without a final dot; MX are (preference, name), TXT are octets.
    """

    records: tuple[Any, ...] = ()
    failed: bool = False
    missing: bool = False


NOTHING, FAILED, MISSING = Answer(), Answer(failed=True), Answer(missing=True)


class Questions:
    """The questions of one message. `seconds`: what they may take in all."""

    def __init__(self, lookups: Lookups, seconds: float) -> None:
        self._lookups = lookups
        self._until = asyncio.get_running_loop().time() + seconds
        self._asked: dict[tuple[str, Kind], Answer | asyncio.Future[Answer]] = {}

    def answered(self) -> dict[tuple[str, Kind], Answer]:
        """Every question answered so far, by (name, type)."""
        return {key: answer for key, answer in self._asked.items() if isinstance(answer, Answer)}

    async def ask(self, name: str, kind: Kind) -> Answer:
        """The records of a name; never raises."""
        key = (name.lower().rstrip("."), kind)
        known = self._asked.get(key)
        if isinstance(known, Answer):
            return known
        if known is not None:
            return await known
        if not _possible(key[0]):
            return NOTHING
        if len(self._asked) >= MOST:
            return FAILED
        waiting = self._asked[key] = asyncio.get_running_loop().create_future()
        answer = FAILED
        try:
            answer = await self._within(*key)
        finally:
            self._asked[key] = answer
            waiting.set_result(answer)
        return answer

    async def _within(self, name: str, kind: Kind) -> Answer:
        try:
            async with asyncio.timeout_at(self._until):
                return Answer(tuple(await self._look_up(name.replace("\\", "\\\\"), kind)))
        except NoSuchName:
            return MISSING
        except (DnsFailed, TimeoutError):
            return FAILED

    async def _look_up(self, name: str, kind: Kind) -> list[Any]:
        match kind:
            case "TXT":
                return [text[: TEXT + 1] for text in (await self._lookups.texts(name))[:RECORDS]]
            case "MX":
                return [(p, host.rstrip(".").lower()) for p, host in (await self._lookups.mx(name))[:RECORDS]]
            case "PTR":
                return [host.rstrip(".").lower() for host in (await self._lookups.records(name, kind))[:RECORDS]]
            case _:
                return (await self._lookups.records(name, kind))[:RECORDS]


def _possible(name: str) -> bool:
    """Whether the DNS can hold such a name."""
    if not name.isascii() or not 0 < len(name) <= NAME:
        return False
    return all(0 < len(label) <= LABEL for label in name.split("."))
