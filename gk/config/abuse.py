"""The tables about clients that misbehave."""

import ipaddress
from dataclasses import dataclass

from gk.config.key import key
from gk.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Bans:
    """Addresses that misbehave are answered late, then for a while not at all: an IPv6 client's whole /64.

    Loopback, the addresses of this machine and judge.trusted are never banned.
    """

    enabled: bool = key(True, "Addresses are banned for what they did; without, only by «gk ban add».")
    never: tuple[str, ...] = key((), "Addresses and networks that are never banned: one's own office.")
    window_minutes: int = key(60, "How long each of these is counted, by address; 0 below is never a reason:")
    logins: int = key(20, "Failed logins, of which a password that is wrong again counts once.", 0)
    errors: int = key(60, "Commands without sense before a login.", 0)
    relays: int = key(20, "Recipients elsewhere, asked for without a login.", 0)
    recipients: int = key(60, "Recipients here who do not exist.", 0)
    overruns: int = key(300, "Connections beyond limits.new_connections_per_minute.", 0)
    first_minutes: int = key(10, "How long the first ban of an address lasts; each further one twice as long.")
    longest_minutes: int = key(1440, "And never longer than this.")
    remembered_days: int = key(7, "After so many days without a ban the next one is a first one.")
    addresses: int = key(10_000, "Bans remembered at once; the one that ends first makes room.")
    delays: int = key(200, "Clients that are kept waiting at once; beyond that they are sent away.")


@dataclass(frozen=True, slots=True)
class Greylist:
    """Mail of clients nobody here knows is asked to come again, once (451 4.7.1)."""

    enabled: bool = key(False, "First mail of a client network from a sender to a recipient is deferred.")
    minutes: int = key(5, "What comes again earlier is deferred again.")
    hours: int = key(24, "What comes again later is new again.")
    days: int = key(36, "How long who came again is known after the last message.")
    entries: int = key(100_000, "Rows remembered; those that end first make room.")


def check_bans(bans: Bans, source: str) -> None:
    """Raise ConfigError for what is no network."""
    for text in bans.never:
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ConfigError(f'{source}: bans.never: "{text}" is no address or network like "192.0.2.0/24"') from None
