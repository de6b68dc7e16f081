"""user_passwd: a new password."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action


@dataclass(frozen=True, slots=True)
class Input:
    address: str
    password: str


@dataclass(frozen=True, slots=True)
class Output:
    address: str


@action("user_passwd", scope="admin")
async def user_passwd(context: Context, input: Input) -> Output:
    """Set the password of an account; logins with the old one fail from now on."""
    account = context.store.accounts.get(input.address)
    await context.store.accounts.set_password(account.id, await context.passwords.hash(input.password))
    return Output(account.address)
