"""mail_search: messages of an account by words, author, time and flags."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.searching import Query, plain, search
from gk.actions.whose import whose
from gk.errors import Refused

MOST = 200  # messages of one answer


@dataclass(frozen=True, slots=True)
class Input:
    text: str = ""
    address: str = ""
    author: str = ""
    since: str = ""
    before: str = ""
    unread: bool = False
    flagged: bool = False
    mailbox: str = ""
    limit: int = 20


@dataclass(frozen=True, slots=True)
class Output:
    messages: list[dict[str, Any]]


@action("mail_search", scope="read")
async def mail_search(context: Context, input: Input) -> Output:
    """Find messages: those with most of the words in `text` first, or without words the newest first.

    `author` is a part of the name or address in From; `since` and `before` are days such as 2026-11-20 (UTC); without
    `mailbox` all are searched but Junk, Trash and Drafts. An administrator names the account in `address`.
    """
    if not 0 < input.limit <= MOST:
        raise Refused(f"one answer has 1 to {MOST} messages")
    query = Query(
        input.text[:1000], input.author[:200], _day(input.since), _day(input.before), input.unread, input.flagged,
        input.mailbox,
    )  # fmt: skip
    store = context.store
    return Output(await plain(store, await search(store, whose(context, input.address), query, input.limit)))


def _day(text: str) -> int:
    if not text:
        return 0
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise Refused(f"{text[:40]!r} is no day; write it like 2026-11-20") from None
