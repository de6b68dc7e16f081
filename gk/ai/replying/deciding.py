"""What is to be done about one message of one account: everything but writing the answer, so that it can be tried out.

Nothing here changes anything or asks a model.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from gk.accounts.aliases import Directory
from gk.ai.models import Models
from gk.ai.replying import letter as letters
from gk.ai.replying.letter import Letter
from gk.ai.replying.policy import Asked, Decision, Policy
from gk.ai.replying.templates import Templates
from gk.ai.triage import triage
from gk.ai.view import View
from gk.config.replies import ReplyRule
from gk.errors import GkError
from gk.message.address import Address
from gk.store.db import Store
from gk.store.replies import Line, Outcome
from gk.store.values import Account

READ = 1 << 20  # octets of a message that are looked at; its text stands at the beginning
SURE = ("category", "urgency", "needs_response")
Lately = Callable[[Account, str], bool]
"""Whether a sender was answered so lately that no program answers now."""


@dataclass(frozen=True, slots=True)
class Case:
    """A message that is to be answered."""

    account: Account
    letter: Letter
    target: Address
    rule: ReplyRule
    language: str
    said: Mapping[str, Any]
    outcome: Outcome
    recipient: str
    needs_model: bool


class Deciding:
    """Looks at messages with the policy in hand."""

    def __init__(
        self, store: Store, directory: Directory, policy: Policy, templates: Templates, models: Models
    ) -> None:
        self._store, self._directory, self._models = store, directory, models
        self.policy, self.templates = policy, templates

    def lately(self, account: Account, sender: str) -> bool:
        """What the store remembers."""
        return self._store.replies.was_answered(account.id, sender, time.time())

    async def of(
        self, account: Account, line: Line, author: int | None, came: float, lately: Lately | None = None
    ) -> Case | Outcome:
        """What is to be done about a message that the account `author` sent here, 0: it came from elsewhere.

        None: that is not known any more, and told by its envelope sender and by its having no verdict.
        """
        try:
            content = await self._store.mailboxes.content_of(line.message)
            if content is None:
                return Outcome(reason="it was removed")
            try:
                found = await asyncio.to_thread(lambda: letters.read(content.read(0, READ)))
            finally:
                content.close()
        except GkError:
            return Outcome(reason="it cannot be read")
        if isinstance(found, str):
            return Outcome(reason=found)
        kept = self._store.triages.of(line.message)
        said = kept if kept is not None else await asyncio.to_thread(_judged, found.view)
        return self._decided(account, line, author, came, found, said, lately or self.lately)

    def _decided(
        self, account: Account, line: Line, author: int | None, came: float, found: Letter, said: Mapping[str, Any],
        lately: Lately,
    ) -> Case | Outcome:  # fmt: skip
        verdict = self._store.verdicts.of(line.message)
        if author is None:
            if not found.came:  # it was put there, and how it once came is not known
                found = replace(found, sender=found.author)
            author = int(verdict is None and found.sender is not None and bool(self._directory.resolve(found.sender)))
        proof = letters.proven(found, verdict, author != 0)
        target, elsewhere = letters.target(found, bool(proof), lambda address: self._knows(account, address))
        correspondent = target.key
        reason = letters.why_not(found, target, lambda a: self._directory.owns(account, a), verdict)
        if reason:
            return Outcome(reason=reason, correspondent=correspondent)
        known = self._knows(account, target)
        unsendable = ""
        if not proof:
            unsendable = "nothing proves who sent it"
        elif elsewhere:
            unsendable = "the answer is wanted at an address nobody vouches for"
        elif not known:
            unsendable = "the user has never written to them"
        elif lately(account, correspondent):
            unsendable = "its sender was answered lately"
        sure = {name: float(said["confidence"].get(name, 0.0)) for name in SURE}
        asked = Asked(
            account.address, found.author.key, known, said["category"], said["urgency"], said["language"],
            said["needs_response"], said["notification"], sure, self.policy.came(came), unsendable,
        )  # fmt: skip
        return self._case(account, line, found, target, said, self.policy.decide(asked))

    def _case(
        self, account: Account, line: Line, found: Letter, target: Address, said: Mapping[str, Any], decision: Decision
    ) -> Case | Outcome:
        rule = decision.rule
        if rule is None:
            return Outcome(reason=decision.reason, correspondent=target.key)
        outcome = Outcome(
            rule.name, rule.action, decision.reason, rule.template, "", round(decision.confidence, 3), target.key
        )
        if not decision.answers:
            return outcome
        language = said["language"] if said["language"] == "fr" else "en"
        needs = self.templates.needs_model(rule.template, language)
        if needs and not self._models:
            reason = f"no model is configured, and the template «{rule.template}» needs one"
            return Outcome(rule.name, rule.action, reason, rule.template, "", outcome.confidence, target.key)
        return Case(account, found, target, rule, language, said, outcome, line.recipient, needs)

    def _knows(self, account: Account, address: Address) -> bool:
        """Whether the user has written to an address, or it is another user's here."""
        near = self._directory.resolve(address)
        return bool(near) or self._store.sending.knows(account.id, address.key)


def _judged(seen: View) -> Mapping[str, Any]:
    return asdict(triage(seen))
