"""The values of the outgoing queue: what is put in, claimed, recorded and looked for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gk.store.values import Arrival, Recipient

if TYPE_CHECKING:
    from gk.store.spool import SpoolFile

PENDING, SENDING, SENT, FAILED, BOUNCED = "pending", "sending", "sent", "failed", "bounced"


@dataclass(frozen=True, slots=True)
class QueuedRecipient:
    """One recipient of a message to be sent; notify and orcpt as the DSN extension gave them (RFC 3461)."""

    address: str
    domain: str
    notify: str | None = None
    orcpt: str | None = None


@dataclass(frozen=True, slots=True)
class Forward:
    """A message that is handed on: to whom, which address of ours wanted it, and the account that did, if one did.

    `content` is what goes out where that is not the message as it came.
    """

    via: str
    to: tuple[QueuedRecipient, ...]
    account: int | None = None
    content: "bytes | SpoolFile | None" = None


@dataclass(frozen=True, slots=True)
class ClaimedRecipient:
    no: int
    address: str
    notify: str | None
    orcpt: str | None
    attempts: int
    last_attempt: float | None


@dataclass(frozen=True, slots=True)
class Claim:
    """The recipients of one message at one domain, claimed for one attempt."""

    queue_id: int
    message: int
    size: int
    account: int | None
    sender: str
    envid: str | None
    ret: str | None
    created: float
    domain: str
    recipients: tuple[ClaimedRecipient, ...]
    prefix: bytes = b""  # header fields that go out before the content
    requiretls: int = 0  # 1: REQUIRETLS, -1: the message says `TLS-Required: No` (RFC 8689)
    bulk: int = 0  # 1: who refuses it for good is written to in bulk no more


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt for one recipient; `due` when it stays pending."""

    no: int
    status: str
    reply: str
    remote: str
    due: float = 0.0
    tls: str | None = None  # how the session was encrypted


@dataclass(frozen=True, slots=True)
class Report:
    """A DSN for a local sender, stored with the outcome it tells of."""

    arrival: Arrival
    recipients: tuple[Recipient, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Messages of the queue by what they are; "" and None ask for nothing. Addresses are compared without case."""

    status: str = ""  # of any recipient; "held"
    sender: str = ""
    recipient: str = ""
    domain: str = ""
    origin: str = ""

    def condition(self) -> tuple[str, tuple[str, ...]]:
        """SQL over `outgoing q`, and its values."""
        of_recipient = "EXISTS (SELECT 1 FROM outgoing_recipient r WHERE r.outgoing = q.id AND {})"
        parts: list[str] = []
        values: list[str] = []
        if self.status == "held":
            parts.append("q.held = 1")
        elif self.status:
            parts.append(of_recipient.format("r.status = ?"))
            values.append(self.status)
        for column, value in (("q.sender", self.sender), ("q.origin", self.origin)):
            if value:
                parts.append(f"lower({column}) = lower(?)")
                values.append("" if value == "<>" else value)
        for column, value in (("r.address", self.recipient), ("r.domain", self.domain)):
            if value:
                parts.append(of_recipient.format(f"lower({column}) = lower(?)"))
                values.append(value)
        return " AND ".join(parts) or "1", tuple(values)
