"""The IMAP server: what all its connections share, and who makes room when there are too many."""

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable

from gk import metrics
from gk.accounts.limits import Gate
from gk.accounts.login import Logins
from gk.config import Limits
from gk.imap import registry
from gk.imap.connection import Connection
from gk.imap.conversation import Sessions
from gk.imap.wire import Bounds
from gk.net.listener import Listener
from gk.store.db import Store

COMPUTING = 2  # commands that sort, thread or scan in threads at once; reading and writing mail needs threads, too
DRAIN = 4  # a refused message up to so many times the allowed size is read and dropped, so that the client hears why


class ImapServer:
    """Makes the sessions of all IMAP listeners."""

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
        registry.load()
        self.store, self.logins, self.gate, self.limits = store, logins, gate, limits
        self.hostname, self.tls, self.require_tls = hostname, tls, require_tls
        self.sessions = Sessions(limits.sessions_per_user)
        self.computing = asyncio.Semaphore(COMPUTING)
        self.fresh: dict[Connection, str] = {}  # connections without a login and where they come from, oldest first
        self.stranger = Bounds(limits.login_line, limits.login_literals, limits.literal_count, limits.nesting)
        self.logged_in = Bounds(
            limits.line,
            limits.literals,
            limits.literal_count,
            limits.nesting,
            message=limits.message_bytes,
            drain=DRAIN * limits.message_bytes,
        )

    def session(self, listener: Listener, *, implicit_tls: bool) -> asyncio.Protocol:
        """A new connection's protocol, which is also the listener's Session."""
        return Connection(self, listener, implicit_tls)

    def enter(self, connection: Connection) -> None:
        """One more without a login. Where there are too many, the oldest from the most crowded address makes room:
        who holds connections without using them keeps nobody out."""
        if len(self.fresh) >= self.limits.connections_before_login:
            crowded, _ = Counter(self.fresh.values()).most_common(1)[0]
            oldest = next(other for other, peer in self.fresh.items() if peer == crowded)
            del self.fresh[oldest]
            metrics.refused.labels("imap", "crowded").inc()
            oldest.end("too many connections without a login")
        self.fresh[connection] = connection.peer
