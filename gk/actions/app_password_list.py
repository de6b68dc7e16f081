"""app_password_list: the devices and programs with a password of their own."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action


@dataclass(frozen=True, slots=True)
class Input:
    address: str


@dataclass(frozen=True, slots=True)
class AppPassword:
    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Output:
    app_passwords: list[AppPassword]


@action("app_password_list", scope="admin")
async def app_password_list(context: Context, input: Input) -> Output:
    """List the app passwords of an account by id and name; the secrets themselves are not kept."""
    account = context.store.accounts.get(input.address)
    return Output([AppPassword(number, name) for number, name, _ in context.store.accounts.app_passwords(account.id)])
