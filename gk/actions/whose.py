"""Whose mail, rules and absence are meant: the caller's own, or for administrators those of the account they name."""

from gk.actions.context import Context
from gk.errors import Refused
from gk.store.values import Account


def whose(context: Context, address: str) -> Account:
    """The account: for an administrator who names none the only one there is.

    Raises NoSuchAccount, and Refused for another's, or where there are several.
    """
    if context.account is None:
        if not address:
            accounts = context.store.accounts.all()
            if len(accounts) != 1:
                raise Refused("whose? name an address")
            return accounts[0]
        return context.store.accounts.get(address)
    if address and address.lower() != context.account.address:
        raise Refused("that is another account")
    return context.account
