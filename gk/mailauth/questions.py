"""What the DNS says for one message: every question once, all within one time, and the answers kept as evidence.

A name that cannot be in the DNS has no records (RFC 7208 §4.3); what was not answered in time, or by a broken server,
has *failed*, which makes a temporary error of whatever needed it and never an exception.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from gk.net.dns import DnsFailed, Lookups, NoSuchName, Records

Kind = Literal["A", "AAAA", "MX", "PTR", "TXT"]
Key = tuple[str, Kind]

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


Remembered = Callable[[str, str], Records | None]
"""Dnspython's records of a name and type, None where they must be asked for. Raises NoSuchName."""


class Questions:
    """The questions of one message. `seconds`: what they may take in all."""

    def __init__(self, lookups: Lookups, seconds: float) -> None:
        self._lookups = lookups
        # a resolver that says at once what it knows: most questions need no task and no timer then
        self._remembered: Remembered | None = getattr(lookups, "remembered", None)
        self._until = asyncio.get_running_loop().time() + seconds
        self._asked: dict[Key, Answer | asyncio.Future[Answer]] = {}

    def answered(self) -> dict[Key, Answer]:
        """Every question answered so far, by (name, type)."""
        return {key: answer for key, answer in self._asked.items() if isinstance(answer, Answer)}

    def know(self, keys: Iterable[Key]) -> bool:
        """Whether these questions can be answered without waiting."""
        return all(self._at_once((name.lower().rstrip("."), kind)) is not None for name, kind in keys)

    async def every(self, keys: Iterable[Key]) -> list[Answer]:
        """The answers to several questions, asked at once; never raises."""
        wanted = [(name.lower().rstrip("."), kind) for name, kind in keys]
        found = [self._at_once(key) for key in wanted]
        missing = [at for at, answer in enumerate(found) if answer is None]
        if len(missing) > 1:
            later = await asyncio.gather(*(self._later(wanted[at]) for at in missing))
        else:
            later = [await self._later(wanted[at]) for at in missing]
        given = iter(later)
        return [answer if answer is not None else next(given) for answer in found]

    async def ask(self, name: str, kind: Kind) -> Answer:
        """The records of a name; never raises."""
        key = (name.lower().rstrip("."), kind)
        return self._at_once(key) or await self._later(key)

    def _at_once(self, key: Key) -> Answer | None:
        """The answer that needs no waiting."""
        known = self._asked.get(key)
        if known is not None:
            return known if isinstance(known, Answer) else None
        name, kind = key
        if len(self._asked) < MOST and self._remembered is not None:
            try:
                records = self._remembered(_escaped(name), kind)
                answer = None if records is None else _read(records, kind)
            except NoSuchName:
                answer = MISSING
            if answer is not None:
                self._asked[key] = answer
                return answer
        if not _possible(name):
            return NOTHING
        return FAILED if len(self._asked) >= MOST else None

    async def _later(self, key: Key) -> Answer:
        known = self._asked.get(key)
        if known is not None:
            return known if isinstance(known, Answer) else await known
        if len(self._asked) >= MOST:  # others were asked at once with it
            return FAILED
        waiting = self._asked[key] = asyncio.get_running_loop().create_future()
        answer = FAILED
        try:
            async with asyncio.timeout_at(self._until):
                answer = Answer(tuple(await self._look_up(*key)))
        except NoSuchName:
            answer = MISSING
        except (DnsFailed, TimeoutError):
            pass
        finally:
            self._asked[key] = answer
            waiting.set_result(answer)
        return answer

    async def _look_up(self, name: str, kind: Kind) -> list[Any]:
        name = _escaped(name)
        match kind:
            case "TXT":
                return [text[: TEXT + 1] for text in (await self._lookups.texts(name))[:RECORDS]]
            case "MX":
                return [(p, host.rstrip(".").lower()) for p, host in (await self._lookups.mx(name))[:RECORDS]]
            case "PTR":
                return [host.rstrip(".").lower() for host in (await self._lookups.records(name, kind))[:RECORDS]]
            case _:
                return (await self._lookups.records(name, kind))[:RECORDS]


def _read(records: Records, kind: Kind) -> Answer:
    """Remembered records as an answer, which is made once and remembered with them."""
    known = records.read
    if not isinstance(known, Answer):
        known = records.read = Answer(tuple(_plain(record, kind) for record in records[:RECORDS]))
    return known


def _plain(record: Any, kind: Kind) -> Any:
    """A record of dnspython's as plain values."""
    match kind:
        case "TXT":
            return b"".join(record.strings)[: TEXT + 1]
        case "MX":
            return record.preference, record.exchange.to_text().rstrip(".").lower()
        case "PTR":
            return record.target.to_text().rstrip(".").lower()
        case _:
            return record.address


def _escaped(name: str) -> str:
    """A name in the form of zone files."""
    return name.replace("\\", "\\\\")


def _possible(name: str) -> bool:
    """Whether the DNS can hold such a name."""
    if not name.isascii() or not 0 < len(name) <= NAME:
        return False
    return max(map(len, labels := name.split("."))) <= LABEL and all(labels)
