"""What comes in: an envelope and a complete message."""

from collections.abc import Sequence
from dataclasses import dataclass

from gk.inbound.trace import Client
from gk.message.address import Address
from gk.store.spool import SpoolFile
from gk.store.values import Recipient


@dataclass(frozen=True, slots=True)
class Incoming:
    """The envelope of one message: its id here, who brings it, and the mailboxes behind each recipient."""

    id: str
    client: Client
    sender: Address | None
    utf8: bool
    recipients: Sequence[tuple[Address, Sequence[Recipient]]]


@dataclass(frozen=True, slots=True)
class Message:
    """A complete message: `content` begins with `above` octets of ours, and then is as it came."""

    content: bytes | SpoolFile
    above: int = 0

    @property
    def size(self) -> int:
        return self.content.size if isinstance(self.content, SpoolFile) else len(self.content)
