"""The programs of users: rules, then the active script, compiled once and run off the event loop where that is long."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from gk.inbound.surroundings import Around, Asked
from gk.sieve.mail import Mail
from gk.sieve.outcome import INBOX, Filing, Outcome
from gk.sieve.rules import program, value
from gk.sieve.script import Script, compile, run_all
from gk.store import scripts

SCRIPT = "script"  # the name of the program that is the active script; rules are "rule 1" and so on
KEPT = 1 << 20  # octets of source that are kept compiled, which takes some fifty times as much memory
COMPILED = 1 << 10  # octets compiled in the event loop; some 4 ms each KiB
HEADER = 16 << 10  # octets of a header that is looked at in the event loop
CONTENT = 64 << 10  # octets of a message whose text is looked at in the event loop
THREADS = 2  # that run programs at once: more would only keep the event loop from the interpreter
QUICK = 300  # units of work done in the event loop, a third of a millisecond; what is not done then begins anew

Program = tuple[str, Script]


class Programs:
    """Compiles what accounts have, keeps it as long as it stays the same, and runs it."""

    def __init__(self, script_bytes: int) -> None:
        self._limit = max(script_bytes, program.LONGEST)
        self._kept: OrderedDict[int, tuple[scripts.Filing, tuple[Program, ...]]] = OrderedDict()
        self._octets = 0
        self._compiling, self._running = asyncio.Lock(), asyncio.Semaphore(THREADS)

    async def of(self, account: int, filing: scripts.Filing) -> tuple[Program, ...]:
        """What decides about the account's mail, in its order. Raises SieveError and RuleError."""
        if (found := self._found(account, filing)) is not None:
            return found
        size = sum(len(str(rule)) for rule in filing.rules) + len(filing.script or "")
        if size <= COMPILED:
            return self._keep(account, filing, self._make(filing))
        async with self._compiling:  # one at a time, and what many messages wait for once
            if (found := self._found(account, filing)) is not None:
                return found
            return self._keep(account, filing, await asyncio.to_thread(self._make, filing))

    async def run(self, programs: Sequence[Program], mail: Mail, around: Around) -> Outcome:
        """What they decide; an error is in the outcome. What they ask is answered in the loop, wherever they run."""
        if not programs:
            return Outcome((Filing(INBOX),))
        large = mail.size > CONTENT and any(script.looks_at_body for _, script in programs)
        if not large and mail.header_size <= HEADER:
            outcome = run_all(programs, mail, around, QUICK)
            if not outcome.exhausted:
                return outcome
        async with self._running:
            return await asyncio.to_thread(run_all, programs, mail, Asked(around, asyncio.get_running_loop()))

    def _found(self, account: int, filing: scripts.Filing) -> tuple[Program, ...] | None:
        kept = self._kept.get(account)
        if kept is None or kept[0] is not filing:
            return None
        self._kept.move_to_end(account)
        return kept[1]

    def _keep(self, account: int, filing: scripts.Filing, made: tuple[Program, ...]) -> tuple[Program, ...]:
        self._forget(account)
        self._kept[account] = filing, made
        self._octets += _octets(made)
        while self._octets > KEPT and len(self._kept) > 1:
            self._forget(next(iter(self._kept)))
        return made

    def _make(self, filing: scripts.Filing) -> tuple[Program, ...]:
        sources = [
            (f"rule {number}", program.script(value.from_plain(rule))) for number, rule in enumerate(filing.rules, 1)
        ]
        if filing.script is not None:
            sources.append((SCRIPT, filing.script))
        return tuple((name, compile(text.encode("utf-8", "surrogatepass"), self._limit)) for name, text in sources)

    def _forget(self, account: int) -> None:
        kept = self._kept.pop(account, None)
        if kept is not None:
            self._octets -= _octets(kept[1])


def _octets(programs: Sequence[Program]) -> int:
    return sum(script.size for _, script in programs)
