"""What the connections of one SMTP role share: who may do what, limits, greetings, TLS."""

import asyncio
import functools
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from aiosmtpd.smtp import SMTP

from gk.accounts.limits import Gate
from gk.accounts.login import Logins
from gk.config import Limits, endpoint, is_loopback
from gk.inbound.accept import Accept
from gk.net.listener import Listener
from gk.smtp.envelope import Submit
from gk.smtp.extensions import greeting
from gk.smtp.roles import Mx, Role, Submission
from gk.smtp.session import Session

TICKS = 5  # looks at the clocks in the shortest wait


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a client is waited for, in seconds; `window` is what the rate of a message is measured over."""

    banner: float
    command: float
    data: float
    session: float
    stress: float
    window: float
    tick: float

    @classmethod
    def of(cls, limits: Limits) -> "Pace":
        waits = limits.banner_seconds, limits.command_seconds, limits.data_seconds, limits.session_seconds
        window = limits.data_seconds / 2
        return cls(*waits, limits.stress_seconds, window, min(*waits, limits.stress_seconds, window) / TICKS)


class SmtpServer:
    """Makes the sessions of the listeners of one role.

    mx takes mail for the domains that live here from anybody; submission and submissions take mail to anywhere from
    users who logged in, after STARTTLS or with TLS from the first byte. With `require_tls` false a loopback listener
    takes logins without TLS. `check_space(size)` raises when a message of that size cannot be kept now.
    """

    def __init__(
        self,
        role: Literal["mx", "submission", "submissions"],
        accept: Accept,
        submit: Submit | None,
        logins: Logins,
        gate: Gate,
        limits: Limits,
        *,
        hostname: str,
        tls: Callable[[], ssl.SSLContext] | None,
        require_tls: bool,
        check_space: Callable[[int], None],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.accept, self.logins, self.gate, self.limits = accept, logins, gate, limits
        self.hostname, self.tls, self._require_tls = hostname, tls, require_tls
        self.check_space, self.pause = check_space, pause
        self.role: Role
        if role == "mx":
            self.role = Mx(accept)
        else:
            assert submit is not None
            self.role = Submission(accept, submit, hostname, limits)
        self.name = role
        self.implicit_tls = role == "submissions"
        self.authenticates = role != "mx"
        self.recipients = limits.recipients if self.authenticates else limits.recipients_from_strangers
        self.pace = Pace.of(limits)

    def session(self, listener: Listener) -> Session:
        """The protocol of one new connection."""
        return Session(self, listener)

    @functools.cached_property
    def template(self) -> dict[str, Any]:
        """What aiosmtpd's constructor finds out by looking through its class and handler, found once."""
        limits = self.limits
        model = SMTP(
            self.role, data_size_limit=limits.message_bytes, enable_SMTPUTF8=True, hostname=self.hostname, ident="GK",
            auth_required=self.authenticates, loop=asyncio.get_running_loop(),
        )  # fmt: skip
        state = dict(vars(model))
        for own in ("_closed", "_stream_reader_wr", "_strong_reader", "_client_connected_cb", "_drain_waiters"):
            state.pop(own, None)  # of that one connection
        state["_smtp_methods"] = {
            name.removeprefix("smtp_"): getattr(Session, name) for name in dir(Session) if name.startswith("smtp_")
        }
        return state

    def may_be_plain(self, listener: Listener) -> bool:
        """Whether users may log in on this listener without TLS."""
        return not self._require_tls and is_loopback(endpoint(listener.bind)[0])

    @functools.lru_cache(8)  # noqa: B019 - as long as the server itself
    def keywords(self, secure: bool, auth: bool) -> bytes:
        """The answer to EHLO."""
        starttls = self.tls is not None and not secure
        lines = greeting(
            self.hostname, self.limits.message_bytes, self.recipients, starttls=starttls, auth=auth, secure=secure
        )
        return lines.encode()
