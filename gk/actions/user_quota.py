"""user_quota: how much mail an account may have."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.errors import Refused


@dataclass(frozen=True, slots=True)
class Input:
    address: str
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Output:
    address: str
    used: int
    limit: int


@action("user_quota", scope="admin")
async def user_quota(context: Context, input: Input) -> Output:
    """Set the bytes of mail an account may have: 0 for no limit, none to go by limits.quota_bytes."""
    if input.bytes is not None and input.bytes < 0:
        raise Refused("a quota is not negative")
    account = context.store.accounts.get(input.address)
    await context.store.accounts.set_quota(account.id, input.bytes)
    usage = context.store.accounts.usage(account.id)
    return Output(account.address, usage.size, usage.size_limit)
