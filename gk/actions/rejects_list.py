"""rejects_list: the last messages that were not taken."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.errors import Refused

LONGEST = 1000  # messages in one answer
NEWEST = 1 << 62


@dataclass(frozen=True, slots=True)
class Input:
    before: int = NEWEST
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Entry:
    id: int
    at: int
    action: str
    client: str
    sender: str
    recipients: list[str]
    recipient_count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Output:
    rejects: list[Entry]


@action("rejects_list", scope="admin")
async def rejects_list(context: Context, input: Input) -> Output:
    """List messages that were refused or deferred, the last first, with an id below `before`, up to `limit`.

    `at` is in seconds since 1970; `reason` is the finding that counted most, or what the client was answered.
    """
    if not 1 <= input.limit <= LONGEST:
        raise Refused(f"the limit is 1 to {LONGEST}")
    entries = []
    for one in context.store.rejects.latest(input.before, input.limit):
        told = one.told
        weighty = [f for f in told["findings"] if f["score"] > 0 or f["rule"] == "dmarc_decides"]
        first = max(weighty, key=lambda f: (f["rule"] == "dmarc_decides", f["score"]), default=None)
        reason = f"{first['rule']}: {first['text']}" if first else told["reply"]
        who = told["client"], told["sender"], told["recipients"], told["recipient_count"]
        entries.append(Entry(one.id, one.at, told["action"], *who, reason))
    return Output(entries)
