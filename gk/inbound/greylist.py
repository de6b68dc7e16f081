"""Greylisting (RFC 6647), off unless the configuration says so: who is not known is asked to come again.

Mail servers do, many programs that send junk do not. Nobody is asked whom a recipient wrote to before, whom a list
one trusts knows, or whose network came again often enough. It is asked before the message is judged: what comes again
is judged then.
"""

import logging
import re
import time
from collections.abc import Callable

from gk import metrics
from gk.accounts.limits import place
from gk.config import Greylist as Rules
from gk.errors import Unavailable
from gk.inbound.incoming import Incoming, Message
from gk.inbound.spam.lists import Lists
from gk.inbound.spam.scored import Judging
from gk.inbound.verdict import Finding, Verdict
from gk.store.greylist import Greylist

log = logging.getLogger(__name__)

RECIPIENTS = 100  # of a message that are looked at
_NUMBERS = re.compile(r"[0-9]+")  # in senders made for one message: bounce-12345@


class Greylisted:
    """Defers mail of clients that are not known, before another judge looks at it."""

    def __init__(
        self,
        judge: Judging,
        rows: Greylist,
        rules: Rules,
        lists: Lists,
        knows: Callable[[int, str], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`knows(account, address)`: whether that account wrote to that address."""
        self._judge, self._rows, self._rules, self._lists, self._knows = judge, rows, rules, lists, knows
        self._clock = clock

    def judges(self, address: str) -> bool:
        """Whether mail from a client there is judged."""
        return self._judge.judges(address)

    async def judge(self, incoming: Incoming, message: Message) -> Verdict:
        """What is to happen to a message; never raises but when cancelled."""
        asked = self._rules.enabled and self._judge.judges(incoming.client.address)
        if not asked or not (wait := await self._wait(incoming)):
            return await self._judge.judge(incoming, message)
        metrics.judged.labels("greylisted").inc()
        minutes = -(-wait // 60)
        finding = Finding("greylist", f"sender, recipient and client are new together: {minutes} min to wait")
        return Verdict("defer", f"451 4.7.1 Not known here yet, try again in {minutes} min", b"", (finding,))

    async def _wait(self, incoming: Incoming) -> int:
        """Seconds a client has to wait; 0 where it is let in."""
        address, sender = incoming.client.address, str(incoming.sender or "")
        accounts = {one.account for _, behind in incoming.recipients for one in behind if one.account}
        if sender and any(self._knows(account, sender) for account in accounts):
            return 0
        network = place(address)[1]
        local, _, domain = sender.lower().rpartition("@")
        shape = f"{_NUMBERS.sub('#', local)}@{domain}"
        triplets = [self._rows.hash(network, shape, to.key) for to, _ in incoming.recipients[:RECIPIENTS]]
        try:
            wait = await self._rows.wait(self._rows.hash(network), triplets, self._rules, int(self._clock()))
        except Unavailable as error:
            log.warning("event=greylist_failed id=%s reason=%s", incoming.id, error)
            return 0
        if wait and any(hit.points < 0 for hit in await self._lists.ask(address)):
            return 0
        return wait
