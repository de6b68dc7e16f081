"""Logins: who a name and a password belong to."""

import asyncio
import functools
import hashlib
import hmac
import secrets
import time
import weakref
from collections import OrderedDict
from collections.abc import Sequence

from gk import metrics
from gk.accounts.limits import Clock, Failures
from gk.accounts.passwords import Passwords, app_digest, prepare
from gk.errors import LoginDelayed, LoginFailed
from gk.message.address import AddressError, parse_address
from gk.store.accounts import Accounts
from gk.store.values import Account

REMEMBERED = 900.0  # seconds a verified password is known again without hashing
ENTRIES = 10_000


class Verified:
    """Credentials found right lately, as keyed hashes only; forgotten when any credential changes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)  # of this process: nothing here is worth stealing
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._version: int | None = None

    def digest(self, account: int, raw: bytes) -> bytes:
        return hmac.digest(self._key, account.to_bytes(8, "big") + raw, hashlib.sha256)

    def knows(self, digest: bytes, version: int) -> bool:
        if version != self._version:
            self._until.clear()
            self._version = version
        return self._until.get(digest, 0.0) > self._clock()

    def add(self, digest: bytes, version: int) -> None:
        if version != self._version:
            return  # a credential changed while this one was being verified
        self._until.pop(digest, None)
        self._until[digest] = self._clock() + REMEMBERED
        if len(self._until) > ENTRIES:
            self._until.popitem(last=False)


class Logins:
    """Checks names and passwords for every door."""

    def __init__(
        self,
        accounts: Accounts,
        passwords: Passwords,
        failures: Failures,
        domains: Sequence[str],
        clock: Clock = time.monotonic,
    ) -> None:
        self._accounts, self._passwords, self._failures = accounts, passwords, failures
        self.configure(domains)
        self._verified = Verified(clock)
        self._turns: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    def configure(self, domains: Sequence[str]) -> None:
        """Take over the domains: with a single one, its local parts are login names too."""
        self._domain = domains[0].lower() if len(domains) == 1 else None

    async def check(self, login: str, password: str, peer: str, protocol: str) -> Account:
        """The account; raise LoginFailed, LoginDelayed (not looked at) or Overloaded.

        `peer` is the client's address, `protocol` a label for the metric. An answer about a wrong password may be
        late on purpose; of the same address, one unknown password is looked at at a time.
        """
        name = _name(login, self._domain)
        account = self._accounts.by_address(name) if name else None
        digest = self._verified.digest(account.id if account else 0, prepare(password))
        try:
            self._failures.check(peer, name)
            if account is None or not self._verified.knows(digest, self._accounts.version):
                await self._look(account, name, password, digest, peer)
        except LoginDelayed:
            metrics.logins.labels(protocol, "delayed").inc()
            raise
        except LoginFailed:
            metrics.logins.labels(protocol, "failed").inc()
            raise
        assert account is not None
        metrics.logins.labels(protocol, "ok").inc()
        return account

    async def _look(self, account: Account | None, name: str, password: str, digest: bytes, peer: str) -> None:
        turn = self._turns.setdefault(peer, asyncio.Lock())
        async with turn:  # so that guesses sent side by side are counted one by one
            self._failures.check(peer, name)
            version = self._accounts.version
            if account and self._verified.knows(digest, version):
                return
            matched = await self._matches(account, password)
            self._failures.check(peer, name)  # after too many from elsewhere meanwhile this one is not answered, either
            if matched and account:
                self._verified.knows(digest, version)
                self._verified.add(digest, version)
                self._failures.succeeded(peer, name)
                return
            late = self._failures.failed(peer, name, digest)
        await asyncio.sleep(late)
        raise LoginFailed("wrong name or password")

    async def _matches(self, account: Account | None, password: str) -> bool:
        given, found = app_digest(password), False
        for _, _, digest in self._accounts.app_passwords(account.id) if account else ():
            found |= hmac.compare_digest(given, digest)
        if found:
            return True
        return await self._passwords.verify(self._accounts.password_hash(account.id) if account else None, password)


@functools.lru_cache(1024)
def _name(login: str, domain: str | None) -> str:
    """The address a login stands for, the bare local part where there is one domain only; "" for what is none."""
    name = login.strip()
    if "@" not in name and domain:
        name = f"{name}@{domain}"
    try:
        return parse_address(name).key
    except AddressError:
        return ""
