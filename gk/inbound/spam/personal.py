"""What is junk for one user: the words the user taught, and those the user wrote to, before the user's own rules."""

import logging
from collections.abc import Callable
from dataclasses import replace

from gk.config import Spam
from gk.inbound.incoming import Incoming, Message
from gk.inbound.placing import Placed, Placing
from gk.inbound.spam import bayes
from gk.inbound.spam.bayes import Base, Own
from gk.inbound.spam.scan import Scan
from gk.inbound.spam.scored import words
from gk.inbound.verdict import Action, Finding, Verdict
from gk.store.db import Store
from gk.store.values import Recipient

log = logging.getLogger(__name__)


class Personal:
    """Makes the verdict one user's own, and has the next one place the message by it."""

    def __init__(self, store: Store, placing: Placing, rules: Spam, base: Callable[[], Base]) -> None:
        self._store, self._placing, self._rules, self._base = store, placing, rules, base

    async def place(self, recipient: Recipient, verdict: Verdict, incoming: Incoming, message: Message) -> Placed:
        if verdict.scan is None:
            return await self._placing.place(recipient, verdict, incoming, message)
        own, found = self._of(recipient.account, verdict, verdict.scan)
        placed = await self._placing.place(recipient, own, incoming, message)
        return replace(placed, findings=[*found, *placed.findings]) if found else placed

    def _of(self, account: int, verdict: Verdict, scan: Scan) -> tuple[Verdict, list[Finding]]:
        """The verdict for an account, and what only this account has to do with it."""
        if scan.forged:  # the author's domain says it is forged: no words and no acquaintance speak for it
            return verdict, []
        if self._known(account, verdict, scan):
            found = [Finding("known_correspondent", "the user wrote to the author before")]
            return replace(verdict, action="accept"), found
        totals = self._store.lessons.totals(account)
        if not totals.junk and not totals.wanted:
            return verdict, []
        counts = self._store.lessons.counts(account, scan.signs)
        opinion = bayes.judge(scan.signs, self._base(), Own(counts, totals.junk, totals.wanted))
        if opinion is None:
            return verdict, []
        score = scan.points + opinion.points
        action: Action = "junk" if score >= self._rules.junk else "accept"
        finding = replace(words(opinion), rule="own_words")
        return replace(verdict, action=action, score=round(score, 2)), [finding]

    def _known(self, account: int, verdict: Verdict, scan: Scan) -> bool:
        """Whether the account wrote to the author before, and it is the author: DMARC, or SPF of the same domain."""
        proven = "pass" in verdict.results.get("dmarc", ())
        return proven and bool(scan.author) and self._store.sending.knows(account, scan.author)
