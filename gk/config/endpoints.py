"""Where to listen and whom to reach: `"address:port"`, and which of it stays on this machine."""

import ipaddress
import re

from gk.errors import ConfigError


def endpoint(text: str) -> tuple[str, int]:
    """`"address:port"`, `"[v6]:port"` → (address, port)."""
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ConfigError(f'"{text}" is not "address:port"')
    return host.removeprefix("[").removesuffix("]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
