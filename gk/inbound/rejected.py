"""What is kept of a message that is not taken, for whoever is asked about it: its envelope, and why."""

import logging
from typing import Any

from gk.errors import Unavailable
from gk.inbound.incoming import Incoming, Message
from gk.inbound.verdict import Verdict
from gk.store.rejects import Rejects

log = logging.getLogger(__name__)

RECIPIENTS, TEXT = 20, 320  # recipients that are named, characters of each text


def told(incoming: Incoming, message: Message, verdict: Verdict, action: str, reply: str) -> dict[str, Any]:
    """The envelope and the evidence as plain values; `where` of findings is gone with the message."""
    evidence = verdict.evidence(0)
    return {
        **evidence,
        "findings": [{**finding, "where": None} for finding in evidence["findings"]],
        "action": action,
        "reply": reply[:TEXT],
        "message": incoming.id,
        "client": incoming.client.address,
        "helo": incoming.client.helo[:TEXT],
        "sender": str(incoming.sender or "")[:TEXT],
        "recipients": [str(address)[:TEXT] for address, _ in incoming.recipients[:RECIPIENTS]],
        "recipient_count": len(incoming.recipients),
        "size": message.size - message.above,
    }


async def keep(
    rejects: Rejects, incoming: Incoming, message: Message, verdict: Verdict, action: str, reply: str
) -> None:
    """Note it; where that cannot be done now the message is not taken all the same."""
    try:
        await rejects.add(told(incoming, message, verdict, action, reply))
    except Unavailable as error:
        log.warning("event=reject_not_kept id=%s reason=%s", incoming.id, error)
