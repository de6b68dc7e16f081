"""The transactions of one message over one open session (RFC 5321 §3.3): an answer for each recipient.

Where the server offers PIPELINING, MAIL, RCPT and DATA go out together (RFC 2920). Each reply has its own time-out, a
content of 50 MiB goes out in pieces, and nothing is believed that the server said before it was asked.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence

from gk.message.sevenbit import Unalterable
from gk.outbound import commands
from gk.outbound.answer import Answer, Patience, clean, known, reason, refused
from gk.outbound.letter import Letter
from gk.outbound.link import Link
from gk.outbound.replies import Disconnected, OutOfStep, Reply
from gk.store.queued import Claim, ClaimedRecipient

GROUP = 100  # recipients of one transaction: what every server takes, RFC 5321 §4.5.3.1.8
PIECE = 64 << 10  # bytes sent before the loop looks elsewhere
RATE = 1024  # bytes a second below which a server is not sent to

_FAULTS = (Disconnected, OutOfStep, OSError)  # TimeoutError is an OSError


class Stale(Exception):
    """A session that was kept had ended before it heard anything of this message: another one is due."""


class _Unanswered(Exception):
    """Nobody knows whether the message was taken (RFC 1047)."""


class Exchange:
    """The transactions of one claim over one session. `clean` once it can be used for the next."""

    def __init__(self, link: Link, claim: Claim, letter: Letter, patience: Patience) -> None:
        self._link, self._claim, self._letter, self._patience = link, claim, letter, patience
        self._dsn = link.offers("dsn")
        self._answers: dict[int, Answer] = {}
        self._heard = False  # the server has answered something about this message
        self._kept = link.transactions > 0
        self._closing = False  # the server has said that it will end the session
        self.clean = False

    async def offer(self, recipients: Sequence[ClaimedRecipient]) -> list[Answer]:
        """Raises Stale, Removed, Unavailable."""
        left = list(recipients)
        content = await self._letter.read()
        if not content.isascii() and not self._link.offers("8bitmime"):
            try:
                content = await self._letter.in_seven_bits()
            except Unalterable as reason_:
                self.clean = True
                return self._all(recipients, 554, f"5.6.3 the server takes no 8-bit mail, and {reason_}")
        try:
            while left:
                group, left = left[:GROUP], left[GROUP:]
                left = await self._transaction(group, content) + left
        except _FAULTS as error:
            if self._kept and not self._heard and isinstance(error, Disconnected):
                raise Stale from None
            return self._all(recipients, 0, reason(error))
        self.clean = not self._closing
        return [self._answers[r.no] for r in recipients]

    async def _transaction(self, recipients: list[ClaimedRecipient], content: bytes) -> list[ClaimedRecipient]:
        """MAIL, RCPT, DATA; return those the server had no more room for in this one."""
        async with asyncio.timeout(self._patience.envelope):
            taken, later, data = await self._envelope(recipients, content)
        if not taken:
            if data is not None and data.code == 354:  # it wants a message nobody is to have: RFC 2920 §3.1
                final = self._link.expect()
                await self._link.write(b".\r\n")
                await self._reply(final, self._patience.final)
            return []
        assert data is not None
        if data.code != 354:
            for recipient in taken:
                self._answer(recipient, refused(data.code), clean(data.text))
            return later
        try:
            code, text = await self._content(content)
        except _Unanswered as fault:
            for recipient in taken:
                self._answer(recipient, 0, str(fault), doubtful=True)
            raise Disconnected(str(fault)) from None
        self._link.open_transaction = False
        self._link.transactions += 1
        for recipient in taken:
            self._answer(recipient, code, text, told=self._dsn)
        return later

    async def _envelope(
        self, recipients: list[ClaimedRecipient], content: bytes
    ) -> tuple[list[ClaimedRecipient], list[ClaimedRecipient], Reply | None]:
        """(those the server took, those it had no more room for, what it said to DATA)."""
        utf8 = self._link.offers("smtputf8")
        spelled = {r.no: commands.spelled(r.address, utf8) or None for r in recipients}
        sender = commands.spelled(self._claim.sender, utf8)
        known_ = [r for r in recipients if spelled[r.no] is not None]
        for recipient in recipients:
            if sender is None or spelled[recipient.no] is None:
                no_address = recipient.address.isascii() and self._claim.sender.isascii()
                why = "5.1.3 that is no address" if no_address else "5.6.7 the server takes ASCII addresses only"
                self._answer(recipient, 553, why)
        if sender is None or not known_:
            return [], [], None
        international = utf8 and not (
            sender.isascii()
            and all((spelled[r.no] or "").isascii() for r in known_)
            and content[: content.find(b"\r\n\r\n")].isascii()
        )
        offers = self._link.extensions
        mail = commands.mail(
            self._claim, sender, offers, len(content), eight=not content.isascii(), international=international
        )
        rcpts = [commands.rcpt(r, spelled[r.no] or "", offers) for r in known_]
        replies = self._together(mail, rcpts) if self._link.offers("pipelining") else self._apart(mail, rcpts)
        try:
            first = await anext(replies)
            if not 200 <= first.code < 300:
                self._all(known_, refused(first.code), clean(first.text))
                rest = [reply async for reply in replies]
                return [], [], rest[-1] if rest else None
            self._link.open_transaction = True
            taken, later = [], []
            for recipient in known_:
                reply = await anext(replies)
                if 200 <= reply.code < 300:
                    taken.append(recipient)
                elif reply.code == 452 and taken:  # RFC 5321 §4.5.3.1.10: the next transaction
                    later.append(recipient)
                else:
                    self._answer(recipient, refused(reply.code), clean(reply.text))
            return taken, later, await anext(replies, None) if taken else await self._last(replies)
        finally:
            await replies.aclose()

    async def _last(self, replies: AsyncGenerator[Reply, None]) -> Reply | None:
        """What DATA was answered where nobody was taken; it is not sent where it need not be."""
        return await anext(replies, None) if self._link.offers("pipelining") else None

    async def _together(self, mail: bytes, rcpts: list[bytes]) -> AsyncGenerator[Reply, None]:
        """The replies to all commands, which go out at once."""
        reset = [b"RSET"] if self._link.open_transaction else []
        waiting = self._link.ask(*reset, mail, *rcpts, b"DATA")
        for number, future in enumerate(waiting):
            last = number == len(waiting) - 1
            reply = await self._reply(future, self._patience.data if last else self._patience.command)
            if number or not reset:
                yield reply

    async def _apart(self, mail: bytes, rcpts: list[bytes]) -> AsyncGenerator[Reply, None]:
        """The replies to one command after the other, each sent when its reply is asked for."""
        for command in [b"RSET"] if self._link.open_transaction else []:
            await self._reply(self._link.ask(command)[0], self._patience.command)
        for command in [mail, *rcpts]:
            yield await self._reply(self._link.ask(command)[0], self._patience.command)
        yield await self._reply(self._link.ask(b"DATA")[0], self._patience.data)

    async def _reply(self, future: "asyncio.Future[Reply]", patience: float) -> Reply:
        async with asyncio.timeout(patience):
            reply = await future
        self._heard = True
        self._closing |= reply.code == 421  # RFC 5321 §3.8
        return reply

    async def _content(self, content: bytes) -> tuple[int, str]:
        """The message; raise _Unanswered when it went out whole and no reply came."""
        final = self._link.expect()
        try:
            async with asyncio.timeout(self._patience.block + len(content) / RATE):
                for piece in dotted(content):
                    async with asyncio.timeout(self._patience.block):
                        await self._link.write(piece)
                    await asyncio.sleep(0)  # a fast server is no reason to keep the others waiting
                    if final.done():
                        return self._early(final)
        except (Disconnected, OutOfStep):
            if final.done():
                return self._early(final)
            raise
        except BaseException:
            self._link.abort()  # in the middle of a message nothing more can be said
            raise
        try:
            await self._link.write(b".\r\n")
            reply = await self._reply(final, self._patience.final)
        except _FAULTS as error:
            raise _Unanswered(reason(error)) from None
        return known(reply.code), clean(reply.text)

    def _early(self, final: "asyncio.Future[Reply]") -> tuple[int, str]:
        """What a reply before the end of the message is worth: a refusal is one, an acceptance cannot be."""
        self._link.abort()
        fault = final.exception()
        if fault is not None:
            raise fault
        reply = final.result()
        if reply.code >= 400:
            return known(reply.code), clean(reply.text)
        return 0, "the server answered before it had the message"

    def _answer(
        self, recipient: ClaimedRecipient, code: int, text: str, *, told: bool = False, doubtful: bool = False
    ) -> None:
        told = told and 200 <= code < 300
        self._answers[recipient.no] = Answer(recipient.no, code, text, self._link.host, told, doubtful, self._link.tls)

    def _all(self, recipients: Sequence[ClaimedRecipient], code: int, text: str) -> list[Answer]:
        """The same answer for all that have none yet."""
        for recipient in recipients:
            if recipient.no not in self._answers:
                self._answer(recipient, code, text)
        return [self._answers[r.no] for r in recipients]


def dotted(content: bytes) -> Iterator[bytes]:
    """The content in pieces as they go over the wire: CRLF line ends, dots doubled (RFC 5321 §4.5.2), no final dot."""
    start, size = 0, len(content)
    while start < size:
        end = content.find(b"\n", min(start + PIECE, size) - 1) + 1 or size
        piece = content[start:end].replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
        start = end
        if piece.startswith(b"."):
            piece = b"." + piece
        piece = piece.replace(b"\r\n.", b"\r\n..")
        yield piece if piece.endswith(b"\n") else piece + b"\r\n"
