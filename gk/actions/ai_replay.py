"""ai_replay: what the rules for answers would have done with the mail of the last days. Nothing is changed."""

import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.whose import whose
from gk.ai.replying.deciding import Case, Deciding
from gk.ai.replying.letter import Letter
from gk.config.replies import Replies
from gk.errors import Refused
from gk.store.replies import DAY, HOUR, Line
from gk.store.values import Account

MOST = 10_000  # messages of one account
TOLD = 1000  # messages of one answer
DAYS = 3650


@dataclass(frozen=True, slots=True)
class Input:
    days: int = 30
    address: str = ""
    all: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    messages: list[dict[str, Any]]
    counts: dict[str, int]
    looked: int


@action("ai_replay", scope="read")
async def ai_replay(context: Context, input: Input) -> Output:
    """Try the rules for answers on the mail of the last `days`: nothing is written, no model is asked.

    Each message comes with what would have been done (draft, send or silence), the rule and the reason; silence only
    with `all`. The newest 10,000 messages of an account are looked at, 1,000 told. What a model would have said is not
    known: where one is needed, it is taken to be sure. Known correspondents are those of today.
    """
    deciding = context.deciding
    if deciding is None:
        raise Refused("there are no rules for answers; they stand in [[replies.rules]] of gk.toml")
    if not 0 < input.days <= DAYS:
        raise Refused(f"days go from 1 to {DAYS}")
    accounts = [whose(context, input.address)] if context.account or input.address else context.store.accounts.all()
    since = int(time.time()) - input.days * DAY
    histories = [(one, list(context.store.replies.history(one.id, since, 0, MOST))[::-1]) for one in accounts]
    total, looked = sum(len(lines) for _, lines in histories), 0
    found: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    for account, lines in histories:
        trial = _Trial(deciding, account)
        for line in lines:
            looked += 1
            context.progress(looked, total)
            row = await trial.of(line)
            counts[row["would"]] += 1
            if (input.all or row["would"] != "silence") and len(found) < TOLD:
                found.append(row)
    return Output(found, dict(counts), looked)


class _Trial:
    """One account's history, with the caps as they would have held then."""

    def __init__(self, deciding: Deciding, account: Account) -> None:
        self._deciding, self._account = deciding, account
        self._config: Replies = deciding.policy.config
        self._sent: dict[str, int] = {}  # when each sender was answered without a person
        self._written: deque[tuple[int, str, bool]] = deque()  # of the last day: when, to whom, whether it was sent

    async def of(self, line: Line) -> dict[str, Any]:
        """What would have been done about a message."""
        now, seconds = line.date, self._config.days_per_sender * DAY

        def lately(account: Account, sender: str) -> bool:
            return now - self._sent.get(sender, -seconds) < seconds

        found = await self._deciding.of(self._account, line, None, now, lately)
        outcome = found.outcome if isinstance(found, Case) else found
        would, reason = "silence", outcome.reason
        if isinstance(found, Case):
            would = found.rule.action
            if too_many := self._too_many(now, outcome.correspondent, would):
                would, reason = "silence", too_many
            else:
                self._written.append((now, outcome.correspondent, would == "send"))
                if would == "send":
                    self._sent[outcome.correspondent] = now
        letter = found.letter if isinstance(found, Case) else None
        return {
            "message": f"G{line.message}", "account": self._account.address, "date": line.date,
            "correspondent": outcome.correspondent, "subject": _subject(letter), "would": would, "rule": outcome.rule,
            "template": outcome.template, "confidence": outcome.confidence, "reason": reason,
        }  # fmt: skip

    def _too_many(self, now: int, correspondent: str, action: str) -> str:
        while self._written and now - self._written[0][0] > DAY:
            self._written.popleft()
        hour = [sent for at, _, sent in self._written if now - at < HOUR]
        if len(hour) >= self._config.written_per_hour:
            return "too many answers in an hour (replies.written_per_hour)"
        if action == "send" and sum(hour) >= self._config.sent_per_hour:
            return "too many answers sent in an hour (replies.sent_per_hour)"
        if sum(who == correspondent for _, who, _ in self._written) >= self._config.drafts_per_sender:
            return "too many answers to this sender in a day (replies.drafts_per_sender)"
        return ""


def _subject(letter: Letter | None) -> str:
    return letter.subject if letter else ""
