"""The ManageSieve server: what all its connections share."""

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable

from gk.accounts.limits import Gate
from gk.accounts.login import Logins
from gk.config import Limits
from gk.managesieve.connection import Connection
from gk.net.listener import Listener
from gk.store.db import Store

COMPILING = 2  # scripts compiled in threads at once


class ManageSieveServer:
    """Makes the sessions of all ManageSieve listeners."""

    def __init__(
        self,
        store: Store,
        logins: Logins,
        gate: Gate,
        limits: Limits,
        *,
        hostname: str,
        tls: Callable[[], ssl.SSLContext] | None,
        require_tls: bool,
    ) -> None:
        self.store, self.logins, self.gate, self.limits = store, logins, gate, limits
        self.hostname, self.tls, self.require_tls = hostname, tls, require_tls
        self.compiling = asyncio.Semaphore(COMPILING)
        self.sessions: Counter[tuple[int, str]] = Counter()  # by account and address

    def session(self, listener: Listener) -> asyncio.Protocol:
        """A new connection's protocol, which is also the listener's Session."""
        return Connection(self, listener)
