"""Takes a claimed message to the servers of its domain, the next one where one fails (RFC 5321 §5.1)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Literal

from gk.config import Outbound
from gk.errors import Unavailable
from gk.mailauth.dane import Untrusted
from gk.outbound.answer import Answer
from gk.outbound.exchange import Exchange, Stale
from gk.outbound.letter import Letter
from gk.outbound.link import Link, Links
from gk.outbound.policy import Destination, Policies, TlsPolicy
from gk.outbound.relay import Relay, Relays
from gk.outbound.route import Route, Target, Undeliverable
from gk.outbound.sender_relay import SenderRelays
from gk.outbound.source import NoSource, Source, Sources
from gk.outbound.transport import NoService, TlsFailed, Transport
from gk.store.queued import Claim, ClaimedRecipient

log = logging.getLogger(__name__)

ATTEMPT = 600.0  # seconds after which no further server of a domain is tried: the next attempt has its turn


class Courier:
    """One attempt for one claim."""

    def __init__(
        self,
        route: Route,
        transport: Transport,
        policies: Policies,
        config: Outbound,
        relays: Relays | None = None,
        sources: Sources | None = None,
        own: SenderRelays | None = None,
    ) -> None:
        self._own = own
        self._route, self._transport, self._policies = route, transport, policies
        self._relays, self._sources = relays or Relays({}), sources or Sources({})
        self._gates = Gates(config.per_address)
        self._links = Links()

    def destination(self, claim: Claim) -> Literal["mx", "route"]:
        """What kind of way a message takes, as the metrics call it."""
        try:
            return "mx" if self._relay(claim)[0] is None else "route"
        except Unavailable:
            return "route"

    def _relay(self, claim: Claim) -> tuple[Relay | None, bool]:
        """The server that takes the mail in place of the domain's own, and whether that is the sender's."""
        own = self._own.of(claim.sender, claim.account) if self._own is not None else None
        return (own, True) if own is not None else (self._relays.to(claim.domain), False)

    async def deliver(self, claim: Claim, letter: Letter) -> list[Answer]:
        """An answer for every recipient of the claim. Raises Removed and Unavailable as `letter` does."""
        source = self._sources.of(claim.sender)
        try:
            relay, personal = self._relay(claim)
        except Unavailable as error:
            return same(claim.recipients, 0, str(error), own=True)
        try:
            targets = await self._route.targets(claim.domain, relay)
        except Undeliverable as error:
            return same(claim.recipients, 550, f"{error.status} {error}")
        except Unavailable as error:
            return same(claim.recipients, 0, str(error), own=personal)
        reachable = [target for target in targets if source.serves(target.address)]
        if not reachable:
            family = "IPv6" if source.v4 else "IPv4"
            text = f"mail of this sender leaves from {source.v4 or source.v6}, and only {family} leads there"
            return same(claim.recipients, 0, text, own=True)
        destination = await self._policies.of(
            claim.domain, [t.host for t in targets],
            require=claim.requiretls > 0, optional=claim.requiretls < 0, relay=relay,
        )  # fmt: skip
        answers: dict[int, Answer] = {}
        settled: set[int] = set()
        end = asyncio.get_running_loop().time() + ATTEMPT
        for target in reachable:
            waiting = [r for r in claim.recipients if r.no not in settled]
            if not waiting or asyncio.get_running_loop().time() > end:
                break
            try:
                for answer in await self._at(target, source, destination, claim, waiting, letter):
                    answers[answer.no] = answer
                    if answer.accepted or answer.permanent or answer.doubtful:
                        settled.add(answer.no)
            except NoSource as fault:  # the same for every server of its family, and none of them is to blame
                for recipient in waiting:
                    answers.setdefault(recipient.no, Answer(recipient.no, 0, str(fault), "", own=True))
            except NoService as refusal:
                for recipient in waiting:
                    earlier = answers.get(recipient.no)
                    if earlier is None or earlier.permanent:  # one server that may take it later outweighs refusals
                        answers[recipient.no] = Answer(recipient.no, refusal.code, refusal.text, target.host)
        found = [answers[r.no] for r in claim.recipients]
        # A server of one sender that does not answer says nothing about the domain of the recipients.
        return [replace(answer, own=True) if personal and not answer.code else answer for answer in found]

    async def _at(
        self,
        target: Target,
        source: Source,
        destination: Destination,
        claim: Claim,
        recipients: list[ClaimedRecipient],
        letter: Letter,
    ) -> list[Answer]:
        async with self._gates.enter(target.address):
            try:
                steps = destination.steps(target.host)
            except Untrusted as error:
                raise NoService(error.code, str(error)) from None
            # Sessions are shared where all of it is the same: the way, the login, the source, the TLS that is wanted.
            key = (target, destination.relay, source, steps)
            while (link := self._links.take(key)) is not None:
                try:
                    return await self._over(link, key, claim, recipients, letter)
                except Stale:
                    continue
            link = await self._session(target, source, destination, steps)
            return await self._over(link, key, claim, recipients, letter)

    async def _session(
        self, target: Target, source: Source, destination: Destination, steps: Sequence[TlsPolicy]
    ) -> Link:
        """A session opened in the strictest way that succeeds. Raises NoService, NoSource."""
        code, text = 0, ""
        for policy in steps:
            try:
                link = await self._transport.open(target, policy, destination.relay, source)
            except TlsFailed as failure:
                log.info("event=tls_failed host=%s policy=%s reason=%s", target.host, policy.kind, failure)
                destination.record(target.host, policy, failure.result)
                code, text = 0, str(failure)
                continue
            try:
                destination.check(target.host, policy, link.session, link.extensions)
                return link
            except Untrusted as error:
                log.info("event=tls_refused host=%s policy=%s reason=%s", target.host, policy.kind, error)
                link.leave()
                code, text = error.code, str(error)
        raise NoService(code, text)

    async def _over(
        self, link: Link, key: tuple[object, ...], claim: Claim, recipients: list[ClaimedRecipient], letter: Letter
    ) -> list[Answer]:
        exchange = Exchange(link, claim, letter, self._transport.patience)
        try:
            return await exchange.offer(recipients)
        finally:
            if exchange.clean:
                self._links.keep(key, link)
            else:
                link.leave()

    def close(self) -> None:
        """End the sessions that are at rest."""
        self._links.close()


class Gates:
    """So many at once for each address, the others wait."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._gates: dict[str, tuple[asyncio.Semaphore, int]] = {}  # with the number of those inside or waiting

    @asynccontextmanager
    async def enter(self, address: str) -> AsyncIterator[None]:
        gate, present = self._gates.get(address, (asyncio.Semaphore(self._width), 0))
        self._gates[address] = gate, present + 1
        try:
            async with gate:
                yield
        finally:
            _, present = self._gates[address]
            if present == 1:
                del self._gates[address]
            else:
                self._gates[address] = gate, present - 1


def same(recipients: Sequence[ClaimedRecipient], code: int, text: str, *, own: bool = False) -> list[Answer]:
    """One answer of our own for all."""
    return [Answer(r.no, code, text, "", own=own) for r in recipients]
