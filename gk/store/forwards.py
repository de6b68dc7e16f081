"""Mail that is handed on: kept and queued in one commit, under a sender of ours that leads back to the true one.

A server that hands mail on must not use the domain of others, or SPF fails where it arrives (RFC 7208 §D.1). The
sender becomes `SRS0=<token>@<our domain>`, after the Sender Rewriting Scheme; what the token stands for is a row
rather than a part of the address, which would be longer than the 64 octets a local part may have (RFC 5321 §4.5.3.1.1),
and cannot be forged.
"""

import base64
import secrets
import sqlite3
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gk.errors import GkError
from gk.store import delivery, entries
from gk.store.outgoing import insert
from gk.store.queued import Forward
from gk.store.spool import SpoolFile
from gk.store.values import Arrival, Fact, Recipient

if TYPE_CHECKING:
    from gk.store.db import Store

MARK = "SRS0="  # what the local part of such a sender begins with
ORIGIN = "forward"
DAY = 86_400
VALID = 30  # days a report may take to come back
RENEWED = 10  # days in which one sender keeps its token
PRUNED = 1000  # outdated rows dropped at once


class Forwards:
    """The room of what is handed on."""

    def __init__(self, store: "Store") -> None:
        self._store, self._db = store, store.reader

    async def hand_on(
        self,
        sender: str,
        handed: Sequence[tuple[Forward, Arrival, bytes]],
        local: Sequence[tuple[Arrival, Sequence[Recipient]]] = (),
    ) -> None:
        """Queue each message of `handed` with the fields that go out above it; deliver `local` in the same commit.

        Raises Overloaded, DiskFull, ReadOnly: then nothing was stored.
        """
        outgoing, bounds, now = self._store.outgoing, self._store.delivering, time.time()
        arrivals = [*(arrival for _, arrival, _ in handed), *(kept for kept, _ in local)]
        size = sum(arrival.size for _, arrival, _ in handed)
        try:
            outgoing.check_room(size)
            await self._store.space.room()
        except GkError:
            for refused in arrivals:
                if isinstance(refused.content, SpoolFile):
                    refused.content.discard()
            raise

        def work(db: sqlite3.Connection, facts: list[Fact]) -> None:
            for kept, recipients in local:
                delivery.deliver(db, facts, kept, recipients, int(now), bounds)
            for forward, arrival, prefix in handed:
                message = entries.add_message(db, arrival)
                back = f"{_token(db, sender, int(now))}@{forward.via.rpartition('@')[2]}" if sender else ""
                insert(
                    db, facts, message, forward.to, now, account=forward.account, sender=back, origin=ORIGIN,
                    prefix=prefix,
                )  # fmt: skip

        await self._store.keep_all(arrivals, work)
        outgoing.counted(len(handed), size)

    def origin(self, local: str) -> str | None:
        """The true sender behind the local part of a sender of ours; None where there is none, or it is too late."""
        if not is_return(local):
            return None
        row = self._db.execute(
            "SELECT sender FROM forward WHERE token = ? AND until > ?", (_canonical(local), int(time.time()))
        ).fetchone()
        return str(row[0]) if row else None


def is_return(local: str) -> bool:
    """Whether a local part has the form of those made here."""
    return local[: len(MARK)].upper() == MARK


def _canonical(local: str) -> str:
    return MARK + local[len(MARK) :].upper()  # some servers change the case of what is not theirs


def _token(db: sqlite3.Connection, sender: str, now: int) -> str:
    """The local part that stands for a sender; a part of a unit of work."""
    db.execute("DELETE FROM forward WHERE token IN (SELECT token FROM forward WHERE until <= ? LIMIT ?)", (now, PRUNED))
    row = db.execute(
        "SELECT token FROM forward WHERE sender = ? AND until > ?", (sender, now + (VALID - RENEWED) * DAY)
    ).fetchone()
    if row:
        return str(row[0])
    token = MARK + base64.b32encode(secrets.token_bytes(15)).decode()
    db.execute("INSERT INTO forward (token, sender, until) VALUES (?, ?, ?)", (token, sender, now + VALID * DAY))
    return token
