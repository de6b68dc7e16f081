"""mail_thread: a conversation, message by message."""

from dataclasses import dataclass
from typing import Any

from gk.actions import registry
from gk.actions.context import Context
from gk.actions.mail_named import message_named
from gk.actions.registry import action
from gk.actions.whose import whose

MOST = 20  # messages of one answer, the newest


@dataclass(frozen=True, slots=True)
class Input:
    id: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    messages: list[dict[str, Any]]


@action("mail_thread", scope="read")
async def mail_thread(context: Context, input: Input) -> Output:
    """Give the conversation a message (G12, INBOX/7) belongs to, the oldest first, its last 20 messages.

    Each is as mail_read gives it; those in Junk, Trash and Drafts are left out, but for the one that is named.
    """
    account = whose(context, input.address)
    message, _ = message_named(context, account.address, input.id)
    _, messages = context.store.mailboxes.thread(account.id, message, MOST)
    read = {"address": account.address}
    return Output([await registry.run("mail_read", read | {"id": f"G{number}"}, context) for number, _ in messages])
