"""Which message a user or an administrator means: by its EMAILID (G12), or by a mailbox and a uid (INBOX/7)."""

import re

from gk.actions.context import Context
from gk.errors import Refused

_ID = re.compile(r"G([1-9][0-9]{0,17})")
_PLACE = re.compile(r"(.+)/([1-9][0-9]{0,9})", re.DOTALL)


def message_named(context: Context, address: str, text: str) -> tuple[int, list[tuple[int, int, int]]]:
    """The id of a message and (account, mailbox, uid) of where it stands: in one account, or for administrators in all.

    Raises Refused where there is none that may be seen, and NoSuchMailbox.
    """
    account = _account(context, address)
    message = _message(context, account, text)
    places = context.store.verdicts.places(message, account) if message else []
    if not message or not places:
        raise Refused(f"there is no message {text!r} here; name it by its EMAILID (G12) or as INBOX/7")
    return message, places


def _account(context: Context, address: str) -> int | None:
    """Whose message it must be; None: anybody's, for administrators only."""
    if context.account is None:
        return context.store.accounts.get(address).id if address else None
    if address and address.lower() != context.account.address:
        raise Refused("that is another account")
    return context.account.id


def _message(context: Context, account: int | None, text: str) -> int | None:
    if found := _ID.fullmatch(text):
        return int(found[1])
    place = _PLACE.fullmatch(text)
    if place is None:
        return None
    if account is None:
        raise Refused("a mailbox and a uid need an address: whose mailbox?")
    mailbox = context.store.mailboxes.get(account, place[1])
    rows = context.store.mailboxes.rows(mailbox, [int(place[2])], ("message",)) if int(place[2]) < 1 << 32 else []
    return int(rows[0][1]) if rows else None
