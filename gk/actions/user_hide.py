"""user_hide: IMAP capabilities that an account's clients are not offered."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.errors import Refused

CAPABILITIES = 50
LONGEST = 40


@dataclass(frozen=True, slots=True)
class Input:
    address: str
    capabilities: list[str]


@dataclass(frozen=True, slots=True)
class Output:
    address: str
    hidden: list[str]


@action("user_hide", scope="admin")
async def user_hide(context: Context, input: Input) -> Output:
    """Offer the clients of an account all IMAP capabilities but these; an empty list offers all again."""
    names = input.capabilities
    if len(names) > CAPABILITIES or not all(isinstance(n, str) and 0 < len(n) <= LONGEST for n in names):
        raise Refused("that is no list of capabilities")
    if any(not n.isascii() or not n.isprintable() or " " in n for n in names):
        raise Refused("a capability is one word, as CAPABILITY shows it")
    account = context.store.accounts.get(input.address)
    await context.store.accounts.hide(account.id, names)
    return Output(account.address, sorted(context.store.accounts.hidden(account.id)))
