"""From TOML values to a Config: types, suggestions for wrong keys, and what types cannot say."""

import dataclasses
import difflib
import ipaddress
import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gk.config.abuse import check_bans
from gk.config.assistant import check_assistant
from gk.config.endpoints import endpoint, is_loopback
from gk.config.judging import check_judge
from gk.config.outgoing import check_outgoing
from gk.config.remote import check_remotes
from gk.config.replies import check_replies
from gk.config.scanners import check_scanners
from gk.config.tables import Config, documented
from gk.config.triage import check_triage
from gk.errors import ConfigError

LARGEST_FLOAT = 1000
LARGEST = 1 << 40  # of any number: what the clocks, the database and the sockets can still count with

_HOSTNAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?:\.(?!-)[A-Za-z0-9-]{1,63})*")
_DOMAIN = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63})*")


def parse(tree: Mapping[str, Any], source: str = "gk.toml") -> Config:
    """Build a Config from nested tables; raise ConfigError naming the key, with a suggestion where one is near."""
    return typing.cast(Config, _table(Config, tree, source, ""))


def check(config: Config, source: str) -> None:
    """What the types cannot say."""
    if not _HOSTNAME.fullmatch(config.hostname):
        raise ConfigError(f'{source}: hostname must be a name like "mail.example.org", not {config.hostname!r}')
    if not config.domains:
        raise ConfigError(f'{source}: domains is empty; write domains = ["example.org"]')
    for domain in config.domains:
        if not _DOMAIN.fullmatch(domain):
            raise ConfigError(f"{source}: domains: {domain!r} is no domain")
    for name in ("smtp.mx", "smtp.submission", "smtp.submissions", "imap.starttls", "imap.tls", "managesieve.listen"):
        table, item = name.split(".")
        for text in getattr(getattr(config, table), item):
            host = _address(f"{source}: {name}", text)
            if not config.security.require_tls and name != "smtp.mx" and not is_loopback(host):
                raise ConfigError(
                    f"{source}: security.require_tls = false is for loopback only, but {name} listens on {text}"
                )
    for text in config.dns.resolver:
        if _address(f"{source}: dns.resolver", text) == "localhost":
            raise ConfigError(f"{source}: dns.resolver: {text!r} must be an address, not a name")
    for name, value, allowed in (
        ("log.level", config.log.level, ("debug", "info", "warning", "error")),
        ("log.format", config.log.format, ("text", "json")),
    ):
        if value not in allowed:
            raise ConfigError(f'{source}: {name} must be one of {", ".join(allowed)}, not "{value}"')
    check_outgoing(config.outbound, source)
    check_assistant(config.ai, source)
    check_replies(config.replies, source)
    check_triage(config.triage, source)
    check_judge(config.judge, source)
    check_bans(config.bans, source)
    check_remotes(config.remote, config.domains, source)
    check_scanners(config.clamd, config.rspamd, config.spam.enabled, source)
    domains = {domain.lower() for domain in config.domains}
    local, _, domain = config.reports.address.rpartition("@")
    if config.reports.address and (not local or domain.lower() not in domains):
        raise ConfigError(
            f'{source}: reports.address must be an address at one of domains, not "{config.reports.address}"'
        )
    if config.reports.send and not config.reports.address:
        raise ConfigError(f"{source}: reports.send needs reports.address, which reports are sent from")
    for alias, targets in config.aliases.items():
        if "@" not in alias:
            raise ConfigError(f'{source}: aliases."{alias}" needs an @: "info@example.org", or "@example.org" for all')
        for target in targets:
            local, at, domain = target.rpartition("@")
            if not at or not domain:
                raise ConfigError(f'{source}: aliases."{alias}" leads to "{target}", which is no address')
            if not local and (not alias.startswith("@") or domain.lower() not in domains):
                raise ConfigError(f'{source}: aliases."{alias}": only a domain can be "{target}", and one in domains')


def _endpoint(what: str, text: str) -> tuple[str, int]:
    try:
        return endpoint(text)
    except ConfigError as error:
        raise ConfigError(f"{what}: {error}") from None


def _address(what: str, text: str) -> str:
    """The address of an endpoint, which must be one: names are not looked up here."""
    host, _ = _endpoint(what, text)
    try:
        return host if host == "localhost" else str(ipaddress.ip_address(host))
    except ValueError:
        raise ConfigError(f'{what}: "{host}" is no IP address; 0.0.0.0 stands for all of this machine') from None


def _table(cls: type, tree: Any, source: str, prefix: str) -> Any:
    if not isinstance(tree, Mapping):
        raise ConfigError(f"{source}: {prefix.rstrip('.')} must be a table")
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.metadata["doc"] is not None}
    values = {}
    for name, value in tree.items():
        if name not in fields:
            shown = name if name.isprintable() else repr(name)
            raise ConfigError(f"{source}: unknown key {prefix}{shown}{_suggestion(name, prefix, list(fields))}")
        values[name] = _value(hints[name], value, source, f"{prefix}{name}", fields[name].metadata.get("least", 0))
    return cls(**values)


def _suggestion(name: str, prefix: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    if near:
        return f"; did you mean {prefix}{near[0]}?"
    elsewhere = [dotted for dotted, _, _ in documented() if dotted.split(".")[-1] == name]
    return f"; did you mean {elsewhere[0]}?" if elsewhere else f"; known here: {', '.join(known)}"


def _value(hint: Any, value: Any, source: str, name: str, least: int = 0) -> Any:
    """The value as its key's type; raise ConfigError."""
    origin = typing.get_origin(hint)
    if dataclasses.is_dataclass(hint):
        return _table(typing.cast(type, hint), value, source, f"{name}.")
    if origin is tuple:
        items = [value] if isinstance(value, str) else value
        if isinstance(items, list | tuple):
            return tuple(_value(typing.get_args(hint)[0], v, source, name, least) for v in items)
        wanted = "a list"
    elif origin is typing.get_origin(Mapping[str, str]):
        if isinstance(value, Mapping) and all(str(k).isprintable() for k in value):
            return {
                str(k).lower(): _value(typing.get_args(hint)[1], v, source, f"{name}.{k}") for k, v in value.items()
            }
        wanted = "a table with printable keys"
    elif hint is bool:
        if isinstance(value, bool):
            return value
        wanted = "true or false"
    elif hint is int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= LARGEST:
            return value
        wanted = f"a whole number from {least} to {LARGEST}"
    elif hint is float:
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_FLOAT:
            return float(value)
        wanted = f"a number from -{LARGEST_FLOAT} to {LARGEST_FLOAT}"
    else:
        if isinstance(value, str) and value.isprintable():  # it may end in a header, a reply or a log line
            return Path(value) if hint is Path else value
        wanted = "a text in quotes, of printable characters"
    raise ConfigError(f"{source}: {name} must be {wanted}, not {_shown(value)}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
