"""The tables [[remote]]: mailboxes users have elsewhere, and the variables of the environment that stand for one."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gk.config.endpoints import is_loopback
from gk.config.key import key
from gk.errors import ConfigError

ACCOUNTS, FOLDERS = 200, 50
CHECK = 5  # seconds between two looks at least
MODES = ("tls", "starttls", "none")
ENVIRONMENT = "external"  # the name of the account the environment describes
VARIABLES = (
    "EMAIL_ADDRESS", "EMAIL_PASSWORD", "IMAP_HOST", "IMAP_PORT", "IMAP_SSL", "IMAP_FOLDER", "SMTP_HOST", "SMTP_PORT",
    "SMTP_SSL", "SMTP_USERNAME", "SMTP_PASSWORD", "EMAIL_CHECK_INTERVAL",
)  # fmt: skip

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_ADDRESS = re.compile(r"[^@\s<>\",;]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})*")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9a-f:.]{2,45}")
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class Remote:
    """One mailbox elsewhere, in step with a mailbox here."""

    name: str = key("", "What it is called here: letters, digits, - and _.")
    address: str = key("", "Its address; its owner may write in its name where smtp_host is given.")
    owner: str = key("", "The address here whose account it belongs to; empty: the first account.")
    host: str = key("", "Its IMAP server.")
    port: int = key(993, "Its port.")
    tls: bool = key(True, "TLS from the first byte; false is for loopback only.")
    user: str = key("", "The login there; empty: its address.")
    password_file: str = key("", 'File that holds the password, readable by the service only; "$NAME": a variable.')
    ca: str = key("", "PEM file of the authorities believed there; empty: those of the system.")
    folders: tuple[str, ...] = key(("INBOX",), "The mailboxes there that are kept in step, the first one by IDLE.")
    mailbox: str = key("", "The mailbox here that the first one comes into, the others below it; empty: its name.")
    check_seconds: int = key(30, "How often it is looked at where the server does not tell by itself.", CHECK)
    smtp_host: str = key("", "The server its mail leaves by; empty: nobody writes in its name.")
    smtp_port: int = key(465, "Its port.")
    smtp_tls: str = key("tls", "tls (from the first byte), starttls (required) or none, on loopback only.")
    smtp_user: str = key("", "The login there; empty: the same as at the IMAP server.")
    smtp_password_file: str = key("", "The same for its password.")

    @property
    def login(self) -> str:
        return self.user or self.address

    @property
    def smtp_login(self) -> str:
        return self.smtp_user or self.login

    @property
    def here(self) -> str:
        """The name of the mailbox here."""
        return self.mailbox or self.name


def check_remotes(remotes: Sequence[Remote], domains: Sequence[str], source: str) -> None:
    """Raise ConfigError for what is wrong, named as in the file `source`."""
    where = f"{source}: remote"
    if len(remotes) > ACCOUNTS:
        raise ConfigError(f"{where}: at most {ACCOUNTS} accounts")
    seen: set[str] = set()
    for remote in remotes:
        for what, value in (("name", remote.name.lower()), ("address", remote.address.lower())):
            if value in seen:
                raise ConfigError(f'{where}.{what}: "{value}" is there twice')
            seen.add(value)
        _check(remote, where)
        if remote.address.rpartition("@")[2].lower() in {domain.lower() for domain in domains}:
            raise ConfigError(f'{where}.address: "{remote.address}" is an address here, not elsewhere')


def _check(remote: Remote, where: str) -> None:
    if not _NAME.fullmatch(remote.name):
        raise ConfigError(f'{where}.name must be 1 to 32 letters, digits, - and _, not "{remote.name}"')
    where = f'{where} "{remote.name}"'
    if not _ADDRESS.fullmatch(remote.address):
        raise ConfigError(f'{where}: address must be like "you@example.net", not "{remote.address}"')
    if remote.owner and "@" not in remote.owner:
        raise ConfigError(f'{where}: owner must be the address of an account here, not "{remote.owner}"')
    for name, host, port in (("", remote.host, remote.port), ("smtp_", remote.smtp_host, remote.smtp_port)):
        if port > 65535:
            raise ConfigError(f"{where}: {name}port must be a port, not {port}")
        if (host or not name) and not _HOST.fullmatch(host):
            raise ConfigError(f'{where}: {name}host must be a name or an address, not "{host}"')
    if not remote.tls and not is_loopback(remote.host):
        raise ConfigError(f"{where}: tls = false would send the password to {remote.host} in clear")
    if remote.smtp_tls not in MODES:
        raise ConfigError(f'{where}: smtp_tls must be one of {", ".join(MODES)}, not "{remote.smtp_tls}"')
    if remote.smtp_tls == "none" and remote.smtp_host and not is_loopback(remote.smtp_host):
        raise ConfigError(f'{where}: smtp_tls = "none" would send the password to {remote.smtp_host} in clear')
    if not remote.password_file:
        raise ConfigError(f"{where}: password_file is missing")
    if not 0 < len(set(remote.folders)) == len(remote.folders) <= FOLDERS:
        raise ConfigError(f"{where}: folders must be 1 to {FOLDERS} different names")


def surrounding(environ: Mapping[str, str]) -> dict[str, Any] | None:
    """The account that the environment describes, as a table [[remote]]; None where it describes none.

    Passwords stay where they are: the table names their variables. Raises ConfigError.
    """
    address, host = environ.get("EMAIL_ADDRESS", ""), environ.get("IMAP_HOST", "")
    if not address or not host:
        return None
    table: dict[str, Any] = {"name": ENVIRONMENT, "address": address, "host": host}
    table["password_file"] = "$EMAIL_PASSWORD"  # noqa: S105 - the name of a variable
    table["tls"] = _switch(environ, "IMAP_SSL", default=True)
    table |= {
        name: _number(environ, variable)
        for name, variable in (
            ("port", "IMAP_PORT"), ("smtp_port", "SMTP_PORT"), ("check_seconds", "EMAIL_CHECK_INTERVAL"),
        )
        if environ.get(variable)
    }  # fmt: skip
    if "check_seconds" in table:
        table["check_seconds"] = max(CHECK, table["check_seconds"])
    if not table["tls"] and "port" not in table:
        table["port"] = 143
    if folders := [folder.strip() for folder in environ.get("IMAP_FOLDER", "").split(",") if folder.strip()]:
        table["folders"] = folders
    if smtp := environ.get("SMTP_HOST", ""):
        implicit = _switch(environ, "SMTP_SSL", default=table.get("smtp_port", 465) == 465)
        table["smtp_host"] = smtp
        table["smtp_tls"] = "tls" if implicit else "none" if is_loopback(smtp) else "starttls"
        table.setdefault("smtp_port", 465 if implicit else 587)
        table["smtp_user"] = environ.get("SMTP_USERNAME", "")
        table["smtp_password_file"] = "$SMTP_PASSWORD" if environ.get("SMTP_PASSWORD") else ""
    return table


def _switch(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = environ.get(name, "").lower()
    if value and value not in (*_YES, *_NO):
        raise ConfigError(f"${name} must be true or false")
    return value in _YES if value else default


def _number(environ: Mapping[str, str], name: str) -> int:
    value = environ[name]
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise ConfigError(f"${name} must be a whole number")
    return int(value)
