"""What one transaction gathers, what is known of its client, and the door users' mail leaves by."""

from dataclasses import dataclass
from typing import Protocol

from aiosmtpd import smtp

from gk.inbound.trace import Client
from gk.message.address import Address
from gk.smtp.extensions import NO_MAIL_OPTIONS, MailOptions
from gk.store.spool import SpoolFile
from gk.store.values import Account, Recipient


@dataclass(frozen=True, slots=True)
class EnvelopeRecipient:
    """A recipient of a submitted message. `notify` is NEVER or words with commas, `orcpt` type;xtext as it came."""

    address: Address
    notify: str | None = None
    orcpt: str | None = None


class Submit(Protocol):
    """Where users' mail goes. `envid` is xtext as it came, `ret` FULL or HDRS (RFC 3461)."""

    async def submit(
        self,
        account: Account,
        sender: Address | None,
        recipients: list[EnvelopeRecipient],
        content: bytes | SpoolFile,
        *,
        envid: str | None,
        ret: str | None,
        requiretls: bool,
    ) -> str:
        """Queue a complete message and return its queue id after the synced commit; raise a GkError."""
        ...


class Peer(smtp.Session):
    """What is known of the client: how it came, and the account once it logged in."""

    client: Client
    account: Account | None = None


class Envelope(smtp.Envelope):
    """One transaction. aiosmtpd's own fields hold the addresses as text."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = False  # MAIL was accepted
        self.id = ""
        self.sender: Address | None = None
        self.options: MailOptions = NO_MAIL_OPTIONS
        self.keys: set[str] = set()  # of the recipients: naming one twice changes nothing
        self.mailboxes: list[tuple[Address, list[Recipient]]] = []  # of mail from others
        self.recipients: list[EnvelopeRecipient] = []  # of mail from users
        self.message: bytes | SpoolFile = b""  # complete, with its new header
        self.above = 0  # octets at its beginning that are ours
