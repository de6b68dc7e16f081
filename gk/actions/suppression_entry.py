"""What the actions on the suppression list have in common: the list that is meant, and the address."""

from gk.actions.context import Context
from gk.errors import Refused
from gk.message.address import AddressError, parse_address
from gk.store.sending import EVERYBODY


def owner(context: Context, account: str) -> int:
    """The id of the account whose list is meant; of EVERYBODY where none is named."""
    return context.store.accounts.get(account).id if account else EVERYBODY


def entry(text: str) -> str:
    """The address, as the list holds it. Raises Refused."""
    try:
        return parse_address(text).key
    except AddressError as error:
        raise Refused(f"{text!r} is not an address: {error}") from None
