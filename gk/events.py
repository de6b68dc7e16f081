"""Committed facts, published on the bus: ids and plain labels only, so neither bus nor logs hold personal data."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MessageDelivered:
    """A message is in a mailbox, by whatever door it came."""

    account: int
    mailbox: int
    uid: int


@dataclass(frozen=True, slots=True)
class FlagsChanged:
    """Flags or keywords of messages are not what they were."""

    account: int
    mailbox: int
    uids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MessageTriaged:
    """It is known what a delivered message is about, its keywords are set, and it stands where a route led it.

    `priority` is that of the route, from 1 to 5; `moved`: it was delivered elsewhere.
    """

    account: int
    mailbox: int
    uid: int
    category: str = ""
    urgency: str = ""
    needs_response: bool = False
    priority: int = 5
    moved: bool = False


@dataclass(frozen=True, slots=True)
class MessagesExpunged:
    """Messages left a mailbox for good."""

    account: int
    mailbox: int
    uids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MailboxChanged:
    """A mailbox was made, renamed, deleted or subscribed to."""

    account: int
    mailbox: int


@dataclass(frozen=True, slots=True)
class MessageQueued:
    """A message waits in the outgoing queue."""

    queue_id: int


@dataclass(frozen=True, slots=True)
class DeliveryAttempted:
    """One attempt for one recipient of a queued message ended; outcome is sent, deferred or failed."""

    queue_id: int
    recipient_no: int
    outcome: str


@dataclass(frozen=True, slots=True)
class CertificateRenewed:
    """The certificates in use were loaded anew."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfigReloaded:
    """SIGHUP: the configuration was read again."""


Event = (
    MessageDelivered
    | FlagsChanged
    | MessageTriaged
    | MessagesExpunged
    | MailboxChanged
    | MessageQueued
    | DeliveryAttempted
    | CertificateRenewed
    | ConfigReloaded
)
