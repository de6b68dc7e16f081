"""Whose rules and absence are meant: the caller's own, or for administrators those of the account they name."""

from gk.actions.context import Context
from gk.errors import Refused
from gk.store.values import Account


def whose(context: Context, address: str) -> Account:
    """The account. Raises NoSuchAccount, and Refused for another's."""
    if context.account is None:
        return context.store.accounts.get(address)
    if address and address.lower() != context.account.address:
        raise Refused("that is another account")
    return context.account
