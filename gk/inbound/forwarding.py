"""Mail for addresses of ours that lead elsewhere: what is handed on, under whose name, and what is not (RFC 5321 §3.9).

The content stays as it came; the envelope sender becomes one of ours that leads back (`gk.store.forwards`), so that
SPF and the reports work; the fields above say how it was judged here, and ARC seals them (RFC 8617).
"""

from collections.abc import Sequence
from typing import Protocol

from gk.accounts.aliases import Directory
from gk.inbound import trace
from gk.message.address import Address, AddressError, parse_address
from gk.message.searched import Sliced
from gk.store.db import Store
from gk.store.forwards import is_return
from gk.store.queued import Forward, QueuedRecipient
from gk.store.spool import SpoolFile
from gk.store.values import Arrival, Recipient


class Sealing(Protocol):
    """Who puts a seal on mail that is handed on."""

    async def seal(self, domain: str, content: Sliced, size: int, results: bytes) -> bytes:
        """The fields of an ARC set for `content`, whose results are `results`; empty where none can be made."""
        ...


class Forwarding:
    """Finds who is behind an address elsewhere, and queues what goes there."""

    def __init__(self, store: Store, directory: Directory, sealing: Sealing | None = None) -> None:
        self._store, self._directory, self._sealing = store, directory, sealing

    def leads_away(self, address: Address, sender: Address | None) -> bool:
        """Whether mail from `sender` for this address of ours goes to another server."""
        return bool(self.behind(address, sender))

    def behind(self, address: Address, sender: Address | None) -> tuple[Forward, ...]:
        """What mail for this address of ours is handed on to: by an alias, or because it is a report coming back.

        Only reports come back: mail with a sender to such an address has no business there.
        """
        if is_return(address.local):
            origin = self._store.forwards.origin(address.local) if sender is None else None
            return (forward(address, origin),) if origin else ()
        return tuple(forward(address, *away) for away in (self._directory.away(address),) if away)

    def postmaster(self, address: Address) -> list[Recipient]:
        """Who answers for the domain of an address: mail that cannot be handed on is kept there."""
        return self._directory.resolve(Address("postmaster", address.domain)) or []

    async def hand_on(
        self,
        sender: Address | None,
        forwards: Sequence[Forward],
        content: bytes | SpoolFile,
        above: int,
        written: tuple[bytes, bytes],
        local: Sequence[tuple[Arrival, Sequence[Recipient]]],
    ) -> None:
        """Queue a message, without its first `above` octets, for each of `forwards`; deliver `local` in one commit.

        `written` are the results and the Received field of ours. Raises what the store raises: nothing is kept then.
        """
        results, received = written
        copies: list[bytes | SpoolFile] = []
        handed: list[tuple[Forward, Arrival, bytes]] = []
        try:
            for one in forwards:
                source, skip = (content, above) if one.content is None else (one.content, 0)
                copies.append(copy := await _copy(source, trace.delivered_to(one.via) + results + received, skip))
                handed.append((one, await self._store.prepare(copy), await self._seal(one.via, copy, results)))
        except BaseException:
            for unused in (*copies, *(arrival.content for arrival, _ in local)):
                _discard(unused)
            raise
        finally:
            for one in forwards:
                _discard(one.content)
        await self._store.forwards.hand_on(str(sender or ""), handed, local)

    async def _seal(self, via: str, content: bytes | SpoolFile, results: bytes) -> bytes:
        if self._sealing is None:
            return b""
        domain = via.rpartition("@")[2]
        if isinstance(content, bytes):
            return await self._sealing.seal(domain, content, len(content), results)
        with content.map() as mapped:
            return await self._sealing.seal(domain, mapped, len(mapped), results)


def forward(via: Address, *to: str, account: int | None = None, content: bytes | SpoolFile | None = None) -> Forward:
    """A message for the address `via` of ours, handed on; what is no address among `to` is left out."""
    recipients = []
    for text in to:
        try:
            address = parse_address(text)
        except AddressError:
            continue
        recipients.append(QueuedRecipient(str(address), address.key.rpartition("@")[2]))
    return Forward(str(via), tuple(recipients), account, content)


def looped(forwards: Sequence[Forward], header: bytes) -> tuple[Forward, ...]:
    """Those that have handed the message on before: it came back (RFC 9228 §4)."""
    before = trace.delivered(header)
    return tuple(one for one in forwards if one.via.lower() in before)


async def _copy(content: bytes | SpoolFile, top: bytes, skip: int) -> bytes | SpoolFile:
    return top + content[skip:] if isinstance(content, bytes) else await content.copied(top, skip)


def _discard(content: bytes | SpoolFile | None) -> None:
    if isinstance(content, SpoolFile):
        content.discard()
