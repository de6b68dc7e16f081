"""The tables of programs beside GK that look at mail: clamd and rspamd."""

from dataclasses import dataclass

from gk.config.endpoints import endpoint
from gk.config.key import key
from gk.errors import ConfigError

FAIL = ("open", "closed")


@dataclass(frozen=True, slots=True)
class Clamd:
    """A virus scanner: what it finds is refused. Asked where spam.enabled is true."""

    address: str = key("", 'The socket of clamd, "/run/clamav/clamd.ctl" or "127.0.0.1:3310"; empty: nobody is asked.')
    seconds: int = key(20, "How long its answer is waited for.")
    fail: str = key("open", "open: without an answer mail is taken; closed: it is deferred.")
    largest_bytes: int = key(25 << 20, "Larger messages are not shown to it; clamd has a limit, too (StreamMaxLength).")


@dataclass(frozen=True, slots=True)
class Rspamd:
    """Another judge of junk, whose score counts with the others. Asked where spam.enabled is true."""

    address: str = key("", 'The normal worker of rspamd, "127.0.0.1:11333"; empty: nobody is asked.')
    seconds: int = key(10, "How long its answer is waited for.")
    fail: str = key("open", "open: without an answer mail is taken; closed: it is deferred.")
    weight: float = key(0.5, "Points here for one of rspamd's.")
    most: float = key(10.0, "Points that it adds or takes at most.")
    largest_bytes: int = key(10 << 20, "Larger messages are not shown to it.")


def check_scanners(clamd: Clamd, rspamd: Rspamd, scored: bool, source: str) -> None:
    """Raise ConfigError for addresses and words that mean nothing."""
    for name, table in (("clamd", clamd), ("rspamd", rspamd)):
        if table.fail not in FAIL:
            raise ConfigError(f'{source}: {name}.fail must be open or closed, not "{table.fail}"')
        if not table.address:
            continue
        if not scored:
            raise ConfigError(f"{source}: {name}.address needs spam.enabled = true")
        if name == "clamd" and table.address.startswith("/"):
            continue
        try:
            endpoint(table.address)
        except ConfigError as error:
            raise ConfigError(f"{source}: {name}.address: {error}") from None
