"""Takes a claimed message to the servers of its domain, the next one where one fails (RFC 5321 §5.1)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from gk.config import Outbound
from gk.errors import Unavailable
from gk.outbound.answer import Answer
from gk.outbound.exchange import Exchange, Stale
from gk.outbound.letter import Letter
from gk.outbound.link import Link, Links
from gk.outbound.route import Route, Target, Undeliverable
from gk.outbound.transport import NoService, TlsFailed, Transport
from gk.store.outgoing import Claim, ClaimedRecipient

log = logging.getLogger(__name__)

ATTEMPT = 600.0  # seconds after which no further server of a domain is tried: the next attempt has its turn


class Courier:
    """One attempt for one claim."""

    def __init__(self, route: Route, transport: Transport, config: Outbound) -> None:
        self._route, self._transport = route, transport
        self._gates = Gates(config.per_address)
        self._links = Links()

    async def deliver(self, claim: Claim, letter: Letter) -> list[Answer]:
        """An answer for every recipient of the claim. Raises Removed and Unavailable as `letter` does."""
        try:
            targets = await self._route.targets(claim.domain)
        except Undeliverable as error:
            return same(claim.recipients, 550, f"{error.status} {error}")
        except Unavailable as error:
            return same(claim.recipients, 0, str(error))
        answers: dict[int, Answer] = {}
        settled: set[int] = set()
        end = asyncio.get_running_loop().time() + ATTEMPT
        for target in targets:
            waiting = [r for r in claim.recipients if r.no not in settled]
            if not waiting or asyncio.get_running_loop().time() > end:
                break
            try:
                for answer in await self._at(target, claim, waiting, letter):
                    answers[answer.no] = answer
                    if answer.accepted or answer.permanent or answer.doubtful:
                        settled.add(answer.no)
            except NoService as refusal:
                for recipient in waiting:
                    earlier = answers.get(recipient.no)
                    if earlier is None or earlier.permanent:  # one server that may take it later outweighs refusals
                        answers[recipient.no] = Answer(recipient.no, refusal.code, refusal.text, target.host)
        return [answers[r.no] for r in claim.recipients]

    async def _at(
        self, target: Target, claim: Claim, recipients: list[ClaimedRecipient], letter: Letter
    ) -> list[Answer]:
        async with self._gates.enter(target.address):
            key = (target.host, target.address, target.port)
            while (link := self._links.take(key)) is not None:
                try:
                    return await self._over(link, key, claim, recipients, letter)
                except Stale:
                    continue
            try:
                link = await self._transport.open(target, tls=True)
            except TlsFailed as failure:
                # Opportunistic: a server whose TLS is broken still gets the mail as before TLS existed (RFC 7435).
                log.info("event=tls_failed host=%s reason=%s", target.host, failure)
                link = await self._transport.open(target, tls=False)
            return await self._over(link, key, claim, recipients, letter)

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


def same(recipients: Sequence[ClaimedRecipient], code: int, text: str) -> list[Answer]:
    """One answer of our own for all."""
    return [Answer(r.no, code, text, "") for r in recipients]
