"""What [outbound] must hold beside the right types: ways out that exist once, and passwords that never go in clear."""

import ipaddress
import re

from gk.config.endpoints import endpoint, is_loopback
from gk.config.tables import Outbound, OutboundRoute
from gk.errors import ConfigError

ROUTES = 1000  # and as many domains in each
MODES = ("starttls", "tls", "none")
ALL = "*"

_NAME = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63})*")


def check_outgoing(outbound: Outbound, source: str) -> None:
    """Raise ConfigError for what is wrong, named as in the file `source`."""
    where = f"{source}: outbound"
    if outbound.port > 65535:
        raise ConfigError(f"{where}.port must be a port, not {outbound.port}")
    if not outbound.retry_minutes:
        raise ConfigError(f"{where}.retry_minutes needs at least one pause")
    smarthost = OutboundRoute(
        (), outbound.smarthost, outbound.smarthost_user, outbound.smarthost_password_file, outbound.smarthost_tls
    )
    _check_server(f"{where}.smarthost", "_", smarthost)
    _check_routes(f"{where}.routes", outbound)
    for domain, addresses in outbound.source.items():
        _check_source(f'{where}.source."{domain}"', domain, addresses)


def _check_routes(what: str, outbound: Outbound) -> None:
    if len(outbound.routes) > ROUTES:
        raise ConfigError(f"{what}: at most {ROUTES} routes")
    seen: set[str] = set()
    for route in outbound.routes:
        _check_server(what, ".", route)
        if not route.domains:
            raise ConfigError(f'{what}: a route needs domains = ["example.com"]')
        if len(route.domains) > ROUTES:
            raise ConfigError(f"{what}: at most {ROUTES} domains in a route")
        for domain in route.domains:
            if domain != ALL and not _NAME.fullmatch(domain.removeprefix(".")):
                raise ConfigError(f'{what}.domains: "{domain}" is no domain; ".example.com" is all below it, "*" all')
            if domain.lower() in seen:
                raise ConfigError(f'{what}.domains: "{domain}" is in two routes')
            seen.add(domain.lower())
    if ALL in seen and outbound.smarthost:
        raise ConfigError(f'{what}.domains: "*" and outbound.smarthost both take everything else; give one of them')


def _check_server(what: str, joint: str, route: OutboundRoute) -> None:
    if route.tls not in MODES:
        raise ConfigError(f'{what}{joint}tls must be one of {", ".join(MODES)}, not "{route.tls}"')
    if not route.host:
        if route.user and joint == ".":
            raise ConfigError(f"{what}.user needs a host to log in at")
        return
    try:
        host, port = endpoint(route.host)
    except ConfigError as error:
        raise ConfigError(f"{what}{'.host' if joint == '.' else ''}: {error}") from None
    if not port:
        raise ConfigError(f'{what}: "{route.host}" has no port mail can be sent to')
    if route.user and route.tls == "none" and not is_loopback(host):
        raise ConfigError(f'{what}{joint}tls = "none" would send the password to {host} in clear')
    if bool(route.user) != bool(route.password_file):
        raise ConfigError(f"{what}{joint}user and {what.rpartition('.')[2]}{joint}password_file go together")


def _check_source(what: str, domain: str, addresses: tuple[str, ...]) -> None:
    if domain != ALL and not _NAME.fullmatch(domain):
        raise ConfigError(f'{what}: "{domain}" is no domain; "*" stands for all others')
    versions = set()
    for text in addresses:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            raise ConfigError(f'{what}: "{text}" is no IP address') from None
        if address.version in versions:
            raise ConfigError(f"{what} has two addresses of IPv{address.version}; mail leaves from one")
        if address.is_unspecified or address.is_multicast:
            raise ConfigError(f'{what}: "{text}" is no address mail can leave from')
        versions.add(address.version)
    if not addresses:
        raise ConfigError(f"{what} is empty; leave it out where any address will do")
