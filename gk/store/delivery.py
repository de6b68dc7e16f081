"""Delivery as a unit of work: one message, entered into a mailbox of each recipient. Functions of rows."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from gk.errors import LimitReached, Refused
from gk.store import entries, keywords, names, replies, triages
from gk.store.entries import New
from gk.store.values import SPECIAL, Arrival, Fact, Recipient, ToTriage


@dataclass(frozen=True, slots=True)
class Bounds:
    """Keywords of a mailbox and mailboxes of an account, at most; whether what is delivered is judged afterwards.

    `replies` are the users whose mail may be answered by GK; an empty set: all, None: nobody.
    """

    keywords: int
    mailboxes: int
    triage: bool
    replies: frozenset[str] | None = None


def deliver(
    db: sqlite3.Connection,
    facts: list[Fact],
    arrival: Arrival,
    recipients: Sequence[Recipient],
    now: int,
    bounds: Bounds,
    author: int = 0,
) -> list[tuple[int, int]]:
    """Store the message once and enter it for every recipient; (mailbox, uid) of each.

    A mailbox that went away meanwhile is replaced by the account's INBOX. `author` is the account that logged in and
    sent it, 0: it came otherwise.
    """
    message = entries.add_message(db, arrival)
    placed, noted = [], False
    for to in recipients:
        mailbox = to.mailbox
        if to.use:
            mailbox = used(db, facts, to.account, to.use, bounds.mailboxes) or mailbox
        if not db.execute("SELECT 1 FROM mailbox WHERE id = ? AND account = ?", (mailbox, to.account)).fetchone():
            mailbox = entries.inbox(db, to.account)
        thread = entries.thread_of(db, to.account, message, arrival)
        try:
            flags = keywords.flags_value(db, mailbox, to.flags, bounds.keywords)
        except LimitReached:
            flags = to.flags.system  # a mailbox full of keywords still takes mail
        named = to.address if len(recipients) > 1 else None
        new = New(mailbox, message, flags, now, thread, arrival.size, named)
        (uid,) = entries.add_entries(db, facts, [new])
        placed.append((mailbox, uid))
        if bounds.triage and triages.note(db, to.account, mailbox, message, uid):
            noted = True
        if bounds.replies is not None:
            replies.note(db, to.account, mailbox, message, author, bounds.replies, now)
    if noted:
        facts.append(ToTriage())
    return placed


def used(db: sqlite3.Connection, facts: list[Fact], account: int, use: str, limit: int) -> int | None:
    """The account's mailbox of a special use (RFC 6154), made under its usual name; None where that cannot be."""
    row = db.execute("SELECT id FROM mailbox WHERE account = ? AND special_use = ?", (account, use)).fetchone()
    if row is not None:
        return int(row[0])
    name = next(name for name, its in SPECIAL if its == use)
    row = db.execute("SELECT id FROM mailbox WHERE account = ? AND name = ?", (account, name)).fetchone()
    if row is not None:  # somebody's own, without the use: what else would it be for
        return int(row[0])
    try:
        made = names.create(db, facts, account, name, use, limit).id
    except Refused:
        return None
    names.subscribe(db, facts, account, name, True)
    return made
