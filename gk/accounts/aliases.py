"""Where an address leads: accounts, aliases of the configuration, "+tag", "@domain", elsewhere (RFC 5233, RFC 2142).

A local part is looked up whole: percent signs, bangs and quotes in it mean nothing here, so nothing is relayed by them.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gk.message.address import Address, AddressError, parse_address
from gk.store.accounts import Accounts
from gk.store.mailboxes import Mailboxes
from gk.store.values import INBOX, Account, Recipient

TARGETS = 1000  # accounts and aliases visited for one address: aliases may lead to aliases, and in circles
REMEMBERED = 10_000  # addresses looked up lately
ALWAYS = ("postmaster", "abuse")  # answered by somebody in every domain, RFC 5321 §4.5.1 and RFC 2142 §4
TAG = "+"


@dataclass(frozen=True, slots=True)
class Leads:
    """What is behind an address of ours: ids of accounts, and addresses of other servers."""

    accounts: tuple[int, ...]
    away: tuple[str, ...]


class Directory:
    """The addresses of the domains whose mail lives here."""

    def __init__(
        self,
        accounts: Accounts,
        mailboxes: Mailboxes,
        domains: Sequence[str],
        aliases: Mapping[str, Sequence[str]],
        elsewhere: Mapping[str, str] | None = None,
    ) -> None:
        """`elsewhere`: addresses of other servers that users write from, and their owners; "": the first account."""
        self._elsewhere = {_key(address): owner.lower() for address, owner in (elsewhere or {}).items()}
        self._accounts, self._mailboxes = accounts, mailboxes
        self._inboxes: dict[int, int] = {}  # an INBOX is made and removed with its account, whose id is not reused
        self._found: dict[str, Leads] = {}  # as long as no account comes or goes
        self._version = accounts.version
        self.configure(domains, aliases)

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains as A-labels, the first of the configuration first."""
        return (self._first, *sorted(self._domains - {self._first})) if self._domains else ()

    def configure(self, domains: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> None:
        """Take over the domains and aliases of a configuration just read."""
        self._found = {}
        self._first = _domain(domains[0]) if domains else ""
        self._domains = frozenset(_domain(domain) for domain in domains)
        self._aliases = {_key(alias): tuple(map(self._target, targets)) for alias, targets in aliases.items()}

    def resolve(self, address: Address) -> list[Recipient] | None:
        """The mailboxes mail for `address` goes to; none for an unknown user, None where the domain is not ours."""
        address = self.complete(address)
        key = address.key
        if key.rpartition("@")[2] not in self._domains:
            return None
        text = str(address)
        return [Recipient(account, self._inbox(account), text) for account in self._lookup(key).accounts]

    def away(self, address: Address) -> tuple[str, ...]:
        """The addresses of other servers mail for `address` is forwarded to; none for what is not ours."""
        key = self.complete(address).key
        return self._lookup(key).away if key.rpartition("@")[2] in self._domains else ()

    def complete(self, address: Address) -> Address:
        """The address with its domain: bare Postmaster is the one of the first domain (RFC 5321 §4.1.1.3)."""
        return address if address.domain else Address(address.local, self._first)

    def owns(self, account: Account, address: Address) -> bool:
        """Whether this account, and nobody else, gets the mail of `address`: then it may write in its name."""
        if self._elsewhere and self.elsewhere(address.key) == account.id:
            return True
        found = self.resolve(address)
        return bool(found) and all(recipient.account == account.id for recipient in found or ())

    def elsewhere(self, key: str) -> int | None:
        """The id of the account that writes from this address of another server; None for any other address."""
        owner = self._elsewhere.get(key)
        if owner is None:
            return None
        accounts = self._accounts
        found = accounts.by_address(owner) if owner else min(accounts.all(), key=lambda a: a.id, default=None)
        return found.id if found else None

    def from_elsewhere(self, account: Account) -> bool:
        """Whether the account writes from addresses of other servers, too."""
        return any(self.elsewhere(key) == account.id for key in self._elsewhere)

    def home(self, address: Address) -> list[Recipient]:
        """Where reports about mail from `address` go: its mailboxes here, or the INBOX of who writes from elsewhere."""
        found = self.resolve(address)
        if found is None and (account := self.elsewhere(address.key)) is not None:
            return [Recipient(account, self._inbox(account), str(address))]
        return found or []

    def _lookup(self, key: str) -> Leads:
        if self._version != self._accounts.version or len(self._found) > REMEMBERED:
            self._found, self._version = {}, self._accounts.version
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._expand(key)
        return found

    def _expand(self, key: str) -> Leads:
        """What is behind an address of ours, each once."""
        found: dict[int, None] = {}
        away: dict[str, None] = {}
        seen = {key}
        waiting = deque([key])
        while waiting:
            key = waiting.popleft()
            local, _, domain = key.rpartition("@")
            targets = self._targets(key)
            if targets is None:
                if (account := self._account(key)) is not None:
                    found[account.id] = None
                elif domain not in self._domains:
                    away[key] = None
                continue
            for target in targets:
                if target.startswith("@"):  # a whole domain that is another one
                    target = local + target
                if target == key or target in seen:  # «ann = [ann, bob]» keeps ann's own copy; a circle ends
                    if (account := self._accounts.by_address(target)) is not None:
                        found[account.id] = None
                elif len(seen) < TARGETS:
                    seen.add(target)
                    waiting.append(target)
        return Leads(tuple(found), tuple(away))

    def _targets(self, key: str) -> Sequence[str] | None:
        """What an alias leads to, or None when `key` is for an account to answer."""
        local, _, domain = key.rpartition("@")
        base = f"{local.partition(TAG)[0]}@{domain}" if TAG in local[1:] else key
        for name in (key, base):
            if name in self._aliases:
                return self._aliases[name]
            if self._accounts.by_address(name) is not None:
                return None
        return self._aliases.get(f"@{domain}")

    def _account(self, key: str) -> Account | None:
        local, _, domain = key.rpartition("@")
        found = self._accounts.by_address(key)
        if found is None and TAG in local[1:]:
            found = self._accounts.by_address(f"{local.partition(TAG)[0]}@{domain}")
        if found is None and local in ALWAYS and domain in self._domains:
            found = min(self._accounts.all(), key=lambda account: account.id, default=None)
        return found

    def _target(self, text: str) -> str:
        """The lookup form of what an alias leads to; elsewhere the case of a local part may mean something."""
        key = _key(text)
        return key if key.rpartition("@")[2] in self._domains else _spelled(text)

    def _inbox(self, account: int) -> int:
        mailbox = self._inboxes.get(account)
        if mailbox is None:
            mailbox = self._inboxes[account] = self._mailboxes.get(account, INBOX).id
        return mailbox


def _domain(text: str) -> str:
    try:
        return Address("postmaster", text.lower()).key.rpartition("@")[2]
    except AddressError:
        return text.lower()


def _spelled(text: str) -> str:
    try:
        return str(parse_address(text))
    except AddressError:
        return text


def _key(text: str) -> str:
    """The lookup form of an address, or of "@domain", as the configuration writes it."""
    if text.startswith("@"):
        return "@" + _domain(text[1:])
    try:
        return parse_address(text).key
    except AddressError:
        return text.lower()
