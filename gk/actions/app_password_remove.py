"""app_password_remove: revoke the password of one device or program."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.errors import Refused


@dataclass(frozen=True, slots=True)
class Input:
    address: str
    id: int


@dataclass(frozen=True, slots=True)
class Output:
    removed: int


@action("app_password_remove", scope="admin")
async def app_password_remove(context: Context, input: Input) -> Output:
    """Revoke an app password by its id."""
    account = context.store.accounts.get(input.address)
    if input.id not in [number for number, _, _ in context.store.accounts.app_passwords(account.id)]:
        raise Refused(f"{account.address} has no app password {input.id}")
    await context.store.accounts.remove_app_password(account.id, input.id)
    return Output(input.id)
