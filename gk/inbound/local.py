"""Mail of users for other users of this server: their rules decide about it as about mail from elsewhere."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from secrets import token_hex

from gk.errors import GkError
from gk.inbound.forwarding import Forwarding
from gk.inbound.incoming import Incoming, Message
from gk.inbound.placing import Placing, afterwards, merged, placed, throw_away
from gk.inbound.trace import Client
from gk.inbound.verdict import Verdict
from gk.mailauth.signing import Signer
from gk.message.address import Address
from gk.message.searched import Sliced
from gk.outbound.author import author_domain
from gk.outbound.submit import HEAD, Nearby
from gk.store.db import Store
from gk.store.spool import SpoolFile
from gk.store.values import Recipient

_CLIENT = Client("", "", True, None, True, hidden=True)
_VERDICT = Verdict(results={"auth": ("pass",)})  # RFC 8601 §2.7.4: the sender logged in


class Signed:
    """Signs what rules hand on, as all mail of our users is signed: ARC has nothing to say about it."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    async def seal(self, domain: str, content: Sliced, size: int, results: bytes) -> bytes:
        """The DKIM-Signature fields for the author's domain."""
        return await self._signer.fields(author_domain(content[:HEAD]) or domain, content, size)


class Local:
    """Asks `placing` for each recipient, and queues what they want elsewhere."""

    def __init__(self, store: Store, placing: Placing, forwarding: Forwarding) -> None:
        self._store, self._placing, self._forwarding = store, placing, forwarding

    async def place(
        self, sender: Address | None, recipients: Sequence[Recipient], content: bytes | SpoolFile
    ) -> Nearby:
        """Where a message goes here; what rules hand on or change is queued and kept already. Raises Unavailable."""
        incoming = Incoming(token_hex(8), _CLIENT, sender, False, ())
        decided = merged(await placed(self._placing, recipients, _VERDICT, incoming, Message(content)))
        evidence = None
        if decided.findings:
            evidence = replace(_VERDICT, findings=tuple(decided.findings)).evidence(0)
        if decided.forwards or decided.copies:
            try:
                kept = [(await self._store.prepare(copy.content, evidence), copy.mailboxes) for copy in decided.copies]
                await self._forwarding.hand_on(sender, decided.forwards, content, 0, (b"", b""), kept)
            except GkError:
                throw_away(decided.copies, decided.forwards)
                raise
        after = partial(afterwards, incoming.id, decided.later) if decided.later else None
        return Nearby(decided.mailboxes, evidence, after)
