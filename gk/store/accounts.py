"""Accounts and their secrets, as rows; what a password is worth is decided in gk.accounts."""

import sqlite3
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from gk.errors import AccountExists, LimitReached, NoSuchAccount, OverQuota
from gk.store import names, remote_rows
from gk.store.values import INBOX, SPECIAL, Account, Fact, Renamed, Usage

if TYPE_CHECKING:
    from gk.store.db import Store


class Accounts:
    """The room of accounts; addresses are compared in lower case."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits, self._store, self._limits = store.reader, store.commits, store, store.limits
        self.version = 0
        """Changes with every credential: caches of verified logins hold it in their keys."""

    def by_address(self, address: str) -> Account | None:
        row = self._db.execute("SELECT id, address, name FROM account WHERE address = ?", (address.lower(),)).fetchone()
        return Account(*row) if row else None

    def by_id(self, number: int) -> Account:
        """Raises NoSuchAccount."""
        row = self._db.execute("SELECT id, address, name FROM account WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise NoSuchAccount("the account was removed")
        return Account(*row)

    def get(self, address: str) -> Account:
        """Raises NoSuchAccount."""
        account = self.by_address(address)
        if account is None:
            raise NoSuchAccount(f"there is no account {address}; «gk user list» shows those there are")
        return account

    def all(self) -> list[Account]:
        return [Account(*row) for row in self._db.execute("SELECT id, address, name FROM account ORDER BY id")]

    def password_hash(self, account: int) -> str | None:
        row = self._db.execute("SELECT password FROM account WHERE id = ?", (account,)).fetchone()
        return row[0] if row else None

    def app_passwords(self, account: int) -> list[tuple[int, str, bytes]]:
        """(id, name, SHA-256 of the secret) of each."""
        return self._db.execute(
            "SELECT id, name, digest FROM app_password WHERE account = ? ORDER BY id", (account,)
        ).fetchall()

    def hidden(self, account: int) -> frozenset[str]:
        """IMAP capabilities the account is not offered."""
        row = self._db.execute("SELECT hidden FROM account WHERE id = ?", (account,)).fetchone()
        return frozenset(row[0].split()) if row else frozenset()

    async def hide(self, account: int, capabilities: Iterable[str]) -> None:
        """Offer the account all IMAP capabilities but these; sessions there are go on with what they were told."""
        text = " ".join(sorted(capabilities))
        await self._commits.do(
            lambda db, facts: db.execute("UPDATE account SET hidden = ? WHERE id = ?", (text, account))
        )

    def usage(self, account: int) -> Usage:
        """How much mail the account has, and how much it may have."""
        messages, size, quota = self._db.execute(
            "SELECT coalesce(sum(messages), 0), coalesce(sum(size), 0),"
            " (SELECT quota FROM account WHERE id = ?) FROM mailbox WHERE account = ?",
            (account, account),
        ).fetchone()
        return Usage(messages, self._limits.messages, size, self._limits.quota_bytes if quota is None else quota)

    def check_room(self, account: int, messages: int, size: int) -> None:
        """Raise LimitReached or OverQuota when so much more is more than the account may have."""
        usage = self.usage(account)
        if usage.messages + messages > usage.messages_limit:
            raise LimitReached(f"an account holds at most {usage.messages_limit} messages")
        if usage.size_limit and usage.size + size > usage.size_limit:
            raise OverQuota("the account is full")

    async def set_quota(self, account: int, octets: int | None) -> None:
        """The octets of mail it may have; 0: no limit, None: as configured for all."""
        await self._commits.do(
            lambda db, facts: db.execute("UPDATE account SET quota = ? WHERE id = ?", (octets, account))
        )

    async def add(self, address: str, password_hash: str | None, name: str = "") -> Account:
        """Make the account with INBOX and the usual mailboxes, subscribed. Raises AccountExists."""
        address = address.lower()
        account = await self._commits.do(lambda db, facts: _add(db, facts, address, password_hash, name))
        self.version += 1
        return account

    async def remove(self, address: str) -> None:
        """Remove the account and all its mail. Raises NoSuchAccount."""
        account = self.get(address)
        mailboxes = await self._commits.do(lambda db, facts: _remove(db, facts, account.id))
        self.version += 1
        for mailbox in mailboxes:
            await self._store.mailboxes.purge(mailbox)

    async def set_password(self, account: int, password_hash: str) -> None:
        await self._commits.do(
            lambda db, facts: db.execute("UPDATE account SET password = ? WHERE id = ?", (password_hash, account))
        )
        self.version += 1

    async def add_app_password(self, account: int, name: str, digest: bytes) -> int:
        """Keep the SHA-256 of an app password; its id."""
        number = await self._commits.do(
            lambda db, facts: (
                db.execute(
                    "INSERT INTO app_password (account, name, digest, created) VALUES (?, ?, ?, ?)",
                    (account, name, digest, int(time.time())),
                ).lastrowid
            )
        )
        self.version += 1
        return number or 0

    async def remove_app_password(self, account: int, number: int) -> None:
        await self._commits.do(
            lambda db, facts: db.execute("DELETE FROM app_password WHERE account = ? AND id = ?", (account, number))
        )
        self.version += 1


def _add(db: sqlite3.Connection, facts: list[Fact], address: str, password_hash: str | None, name: str) -> Account:
    if db.execute("SELECT 1 FROM account WHERE address = ?", (address,)).fetchone():
        raise AccountExists(f"the account {address} exists already")
    account = db.execute(
        "INSERT INTO account (address, name, password, created) VALUES (?, ?, ?, ?)",
        (address, name, password_hash, int(time.time())),
    ).lastrowid
    assert account is not None
    for mailbox, use in ((INBOX, None), *SPECIAL):
        names.create(db, facts, account, mailbox, use, len(SPECIAL) + 1)
        names.subscribe(db, facts, account, mailbox, True)
    return Account(account, address, name)


def _remove(db: sqlite3.Connection, facts: list[Fact], account: int) -> list[int]:
    rows = db.execute("SELECT id, name FROM mailbox WHERE account = ? ORDER BY name = ?", (account, INBOX)).fetchall()
    for mailbox, name in rows:
        if name == INBOX:
            db.execute("UPDATE mailbox SET account = -account, name = ? WHERE id = ?", (str(mailbox), mailbox))
            facts.append(Renamed(account, mailbox, deleted=True))
        else:
            names.delete(db, facts, account, name)
    for table in (
        "app_password", "subscription", "thread", "metadata", "sent_day", "sent_to", "suppressed",
        "script", "rule", "absence", "answered", "seen_id", "lesson", "sign", "learnt", "model_use", "model_answer",
        "triage_job", "routed", "reply", "reply_stop", "conversation", "effect", "confirmation",
    ):  # fmt: skip
        db.execute(f"DELETE FROM {table} WHERE account = ?", (account,))
    remote_rows.remove(db, account)
    db.execute("DELETE FROM account WHERE id = ?", (account,))
    return [mailbox for mailbox, _ in rows]
