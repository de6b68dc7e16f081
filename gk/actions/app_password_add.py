"""app_password_add: a password for one device or program."""

from dataclasses import dataclass

from gk.accounts.passwords import app_password
from gk.actions.context import Context
from gk.actions.registry import action


@dataclass(frozen=True, slots=True)
class Input:
    address: str
    name: str


@dataclass(frozen=True, slots=True)
class Output:
    id: int
    name: str
    password: str


@action("app_password_add", scope="admin")
async def app_password_add(context: Context, input: Input) -> Output:
    """Make a password for one device or program; it is shown this once and can be revoked alone."""
    account = context.store.accounts.get(input.address)
    password, digest = app_password()
    return Output(await context.store.accounts.add_app_password(account.id, input.name, digest), input.name, password)
