"""Servers the configuration sends mail to in place of a domain's own: the routes, and the smarthost for the rest."""

import os
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from gk.config import Config, OutboundRoute, endpoint
from gk.errors import ConfigError
from gk.message.address import AddressError, ascii_domain

PASSWORD = 4096  # bytes of a password file


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
    context = None if route.tls == "none" else _verifying(_path(config, route.ca), key)
    password = _password(_path(config, route.password_file), key) if route.user else ""
    return Relay(host, port, cast(Literal["starttls", "tls", "none"], route.tls), context, route.user, password)


def _path(config: Config, name: str) -> Path | None:
    return (config.path.parent if config.path else Path()) / name if name else None


def _verifying(authorities: Path | None, key: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=authorities)
    except (OSError, ssl.SSLError):
        raise ConfigError(f"{key}ca: {authorities} must be a PEM file of certificates that can be read") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8314 §4.1
    return context


def _password(path: Path | None, key: str) -> str:
    """The password in a file that nobody else may read. Raises ConfigError, which never holds it."""
    if path is None:
        raise ConfigError(f"{key}password_file is missing")
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IROTH | stat.S_IWOTH):
                raise ConfigError(f"{key}password_file: {path} is open to every user of the machine; chmod 600 it")
            password = file.read(PASSWORD + 1).decode().strip()
    except OSError as error:
        raise ConfigError(f"{key}password_file: {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{key}password_file: {path} is no text in UTF-8") from None
    if not 0 < len(password) <= PASSWORD or not password.isprintable():
        raise ConfigError(f"{key}password_file: {path} must hold one password of printable characters")
    return password


def _ascii(domain: str) -> str:
    """A domain as it is compared: in lower case, as A-labels, with its leading dot where it has one."""
    dot = "." if domain.startswith(".") else ""
    try:
        return dot + ascii_domain(domain.removeprefix(".").removesuffix("."))
    except AddressError:
        return domain.lower()
