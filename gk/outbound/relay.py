"""Servers the configuration sends mail to in place of a domain's own: the routes, and the smarthost for the rest."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from gk.config import Config, OutboundRoute, beside, endpoint, secret
from gk.errors import ConfigError
from gk.message.address import AddressError, ascii_domain


@dataclass(frozen=True, slots=True)
class Relay:
    """One server that takes mail for others; sessions are shared among equal ones only.

    `context` verifies it, None where it is spoken to without TLS. Without a `user` nobody logs in.
    """

    host: str
    port: int
    tls: Literal["starttls", "tls", "none"]
    context: ssl.SSLContext | None
    user: str = ""
    password: str = field(default="", repr=False)


class Relays:
    """Which domains go where: the most exact route, then the smarthost, then nowhere in particular."""

    def __init__(self, routes: Mapping[str, Relay | None], rest: Relay | None = None) -> None:
        """`routes` by the domains of the configuration, None for a domain's own servers."""
        self._routes = {_ascii(domain): relay for domain, relay in routes.items()}
        self._rest = self._routes.get("*", rest)

    @classmethod
    def of(cls, config: Config) -> "Relays":
        """As configured, with the passwords read. Raises ConfigError."""
        outbound = config.outbound
        smarthost = OutboundRoute(
            (), outbound.smarthost, outbound.smarthost_user, outbound.smarthost_password_file, outbound.smarthost_tls
        )
        routes: dict[str, Relay | None] = {}
        for route in outbound.routes:
            routes |= dict.fromkeys(route.domains, _relay(config, route, "outbound.routes."))
        return cls(routes, _relay(config, smarthost, "outbound.smarthost_"))

    def to(self, domain: str) -> Relay | None:
        """The server for mail to a domain; None: those of its MX records (RFC 5321 §5.1)."""
        if domain.startswith("["):  # an address literal is below no domain
            return self._rest
        name = _ascii(domain)
        if name in self._routes:
            return self._routes[name]
        while (below := name.partition(".")[2]) and f".{below}" not in self._routes:
            name = below
        return self._routes[f".{below}"] if below else self._rest


def _relay(config: Config, route: OutboundRoute, key: str) -> Relay | None:
    if not route.host:
        return None
    host, port = endpoint(route.host)
    context = None if route.tls == "none" else verifying(beside(config, route.ca), f"{key}ca")
    password = secret(beside(config, route.password_file), f"{key}password_file") if route.user else ""
    return Relay(host, port, cast(Literal["starttls", "tls", "none"], route.tls), context, route.user, password)


def verifying(authorities: Path | None, key: str) -> ssl.SSLContext:
    """A context that believes these authorities, or with None those of the system. Raises ConfigError."""
    try:
        context = ssl.create_default_context(cafile=authorities)
    except (OSError, ssl.SSLError):
        raise ConfigError(f"{key}: {authorities} must be a PEM file of certificates that can be read") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8314 §4.1
    return context


def _ascii(domain: str) -> str:
    """A domain as it is compared: in lower case, as A-labels, with its leading dot where it has one."""
    dot = "." if domain.startswith(".") else ""
    try:
        return dot + ascii_domain(domain.removeprefix(".").removesuffix("."))
    except AddressError:
        return domain.lower()
