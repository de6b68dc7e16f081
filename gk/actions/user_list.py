"""user_list: the accounts of this server."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action


@dataclass(frozen=True, slots=True)
class Input:
    pass


@dataclass(frozen=True, slots=True)
class User:
    id: int
    address: str
    name: str
    mailboxes: int
    messages: int
    size: int


@dataclass(frozen=True, slots=True)
class Output:
    users: list[User]


@action("user_list", scope="admin")
async def user_list(context: Context, input: Input) -> Output:
    """List the accounts with the number of their mailboxes and messages, and the bytes in them."""
    users = []
    for account in context.store.accounts.all():
        rooms = context.store.mailboxes
        statuses = [rooms.status(mailbox) for mailbox in rooms.list(account.id)]
        messages, size = sum(s.messages for s in statuses), sum(s.size for s in statuses)
        users.append(User(account.id, account.address, account.name, len(statuses), messages, size))
    return Output(users)
