"""The beginning of a session, by aiosmtplib: reach the server, greet it, encrypt where it can, log in where it must."""

import asyncio
import base64
import os
import socket

import aiosmtplib

from gk.config import is_loopback
from gk.outbound.answer import Patience, clean, reason, refused
from gk.outbound.link import LINGER, Link
from gk.outbound.policy import TlsPolicy, tls_result
from gk.outbound.relay import Relay
from gk.outbound.replies import Disconnected, OutOfStep
from gk.outbound.route import Target
from gk.outbound.source import ANY, Source


class NoService(Exception):
    """The server was not reached or would not talk: no recipient was named to it. `code` 0 without a reply."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


class TlsFailed(Exception):
    """The session has not the TLS it was to have; `result` says why in the words of RFC 8460 §4.3."""

    def __init__(self, text: str, result: str) -> None:
        super().__init__(text)
        self.result = result


class Transport:
    """Speaks to servers as this one, or as its account at a relay."""

    def __init__(self, hostname: str, patience: Patience | None = None) -> None:
        self._hostname = hostname
        self.patience = patience or Patience()

    async def open(self, target: Target, policy: TlsPolicy, relay: Relay | None = None, source: Source = ANY) -> Link:
        """A session ready for transactions, opened as the policy wants it.

        Raises NoService; TlsFailed where it is the TLS that fails, NoSource where it cannot begin here.
        """
        sock = await self._reach(target, source)
        implicit = relay is not None and relay.tls == "tls"
        server = aiosmtplib.SMTP(
            sock=sock, hostname=target.host, local_hostname=self._hostname, start_tls=False, use_tls=implicit,
            tls_context=policy.context if implicit else None,
        )  # fmt: skip
        try:
            await self._open(server, policy, relay, starttls=policy.context is not None and not implicit)
            return Link(server, target.host)
        except Disconnected as error:
            raise NoService(0, str(error)) from None
        except BaseException:
            _leave(server)
            raise

    async def _reach(self, target: Target, source: Source) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if ":" in target.address else socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        # asyncio does so only for sockets whose protocol number it can see; Nagle would hold the last dot for 40 ms.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            source.bind(sock)
            async with asyncio.timeout(self.patience.connect):
                await asyncio.get_running_loop().sock_connect(sock, (target.address, target.port))
        except OSError as error:
            sock.close()
            why = os.strerror(error.errno) if error.errno else "timed out"
            raise NoService(0, f"no connection to {target.address} ({why})") from None
        except BaseException:
            sock.close()
            raise
        return sock

    async def _open(self, server: aiosmtplib.SMTP, policy: TlsPolicy, relay: Relay | None, *, starttls: bool) -> None:
        """Banner, EHLO, TLS, login."""
        try:
            await server.connect(timeout=self.patience.banner)
            await self._greet(server)
            if starttls:
                await self._secure(server, policy)
            if relay is not None and relay.user:
                await self._log_in(server, relay)
        except aiosmtplib.SMTPResponseException as error:
            text = clean(_without_secrets(error.message, relay))
            # A wrong password at a relay is nobody's mail bounced; and who has not shown who it is, where it must,
            # does not refuse mail for good.
            if relay is not None or policy.required:
                raise NoService(0, f"{error.code} {text}") from None
            raise NoService(refused(error.code), text) from None
        except (aiosmtplib.SMTPException, OutOfStep, OSError, ValueError) as error:
            raise NoService(0, reason(error)) from None

    async def _log_in(self, server: aiosmtplib.SMTP, relay: Relay) -> None:
        transport = server.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        secret = transport is not None and transport.get_extra_info("ssl_object") is not None
        if not secret and not (peer and is_loopback(peer[0])):  # a name may lead elsewhere than when it was checked
            raise NoService(0, f"{relay.host} is not on this machine, and its password is not sent in clear")
        await server.login(relay.user, relay.password, timeout=self.patience.command)

    async def _greet(self, server: aiosmtplib.SMTP) -> None:
        try:
            await server.ehlo(timeout=self.patience.command)
        except aiosmtplib.SMTPHeloError as error:
            if not 500 <= error.code < 600:
                raise
            await server.helo(timeout=self.patience.command)  # RFC 5321 §3.2: a server of before 1995
        _in_step(server)

    async def _secure(self, server: aiosmtplib.SMTP, policy: TlsPolicy) -> None:
        if not server.supports_extension("starttls"):
            if policy.required:
                raise TlsFailed("4.7.5 the server offers no STARTTLS", "starttls-not-supported")
            return
        try:
            # Whatever else the server said before the handshake is dropped, RFC 3207 §4.2.
            await server.starttls(
                tls_context=policy.context, server_hostname=policy.hostname, timeout=self.patience.tls
            )
            await server.ehlo(timeout=self.patience.command)
            _in_step(server)
        except aiosmtplib.SMTPResponseException as error:
            if policy.required:
                raise TlsFailed(clean(error.message), "starttls-not-supported") from None
            if not server.is_connected:
                raise
            await self._greet(server)  # it announced STARTTLS and refuses it: go on as if it had not
        except (aiosmtplib.SMTPException, OutOfStep, OSError, ValueError) as error:
            raise TlsFailed(reason(error), tls_result(error)) from None


def _in_step(server: aiosmtplib.SMTP) -> None:
    """Raise when the server has said more than one reply: it answers nobody."""
    if server.protocol is not None and server.protocol._buffer:
        raise OutOfStep("the server answered what it was not asked")


def _without_secrets(text: str, relay: Relay | None) -> str:
    """A reply that does not repeat a command with a password in it: it is kept, logged and shown."""
    if relay is None or not relay.user:
        return text
    plain = f"\0{relay.user}\0{relay.password}", f"{relay.user}\0{relay.user}\0{relay.password}", relay.password
    forms = [relay.password, *(base64.b64encode(form.encode()).decode().rstrip("=") for form in plain)]
    return "the server repeats what it was sent" if any(form in text for form in forms) else text


def _leave(server: aiosmtplib.SMTP) -> None:
    """Say QUIT and do not wait for the answer: what was delivered is to be written down now."""
    protocol, transport = server.protocol, server.transport
    if protocol is None or not isinstance(transport, asyncio.WriteTransport):
        return
    if server.is_connected:
        protocol.write(b"QUIT\r\n")
    server.close()
    asyncio.get_running_loop().call_later(LINGER, transport.abort)
