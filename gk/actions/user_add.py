"""user_add: a new account with its usual mailboxes."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.errors import Refused
from gk.message.address import AddressError, parse_address


@dataclass(frozen=True, slots=True)
class Input:
    address: str
    password: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    id: int
    address: str


@action("user_add", scope="admin")
async def user_add(context: Context, input: Input) -> Output:
    """Make an account. Its address is the login name; its domain must be one whose mail lives here."""
    try:
        address = parse_address(input.address)
    except AddressError as error:
        raise Refused(f"{input.address!r} is not an address: {error}") from None
    if context.directory.resolve(address) is None:
        raise Refused(f"{address.domain} is none of the domains in the configuration; add it there, then reload")
    digest = await context.passwords.hash(input.password)
    account = await context.store.accounts.add(address.key, digest, input.name)
    return Output(account.id, account.address)
