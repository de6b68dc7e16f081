"""gk.toml, the machine's overlay gk.local.toml, and a few environment variables."""

import dataclasses
import os
import tomllib
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from gk.config.checks import check, parse
from gk.config.remote import VARIABLES, surrounding
from gk.config.tables import Config
from gk.errors import ConfigError

DEFAULT_FILES = (Path("gk.toml"), Path("/etc/gk/gk.toml"))
OVERLAY = "gk.local.toml"
ENVIRONMENT = ("EMAIL_DOMAIN", "LOG_LEVEL", "DEBUG", "DATABASE_URL", *VARIABLES)  # accepted in place of their keys
_ANY = {"domains": ["example.org"]}  # the least there must be


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """Read gk.toml (`path`, else the first of DEFAULT_FILES), the overlay and the environment; raise ConfigError.

    The overlay wins over the file, the environment over both.
    """
    path = find(path)
    tree = _read(path)
    parse(tree, str(path))  # what is wrong in a file is said under its own name
    surroundings = {name: over for name in ENVIRONMENT if (over := _surrounding(name, environ.get(name, "")))}
    data = merge(tree, surroundings.get("DATABASE_URL", {})).get("data", "data")
    data = (path.parent / data).absolute()
    overlay = data / OVERLAY
    local = _read_overlay(overlay)
    parse(local, str(overlay))
    tree = merge(tree, local)
    for name, over in surroundings.items():
        check(parse(merge(_ANY, over), f"${name}"), f"${name}")
        tree = merge(tree, over)
    if account := surrounding(environ):  # one more account elsewhere
        check(parse(merge(_ANY, {"remote": [account]}), "$IMAP_HOST"), "$IMAP_HOST")
        tree["remote"] = [*tree.get("remote", []), account]
    tree["data"] = str(data)
    config = dataclasses.replace(parse(tree, str(path)), path=path.absolute())
    check(config, str(path))
    return config


def notes(environ: Mapping[str, str] = os.environ) -> list[str]:
    """What the log says about the environment: variables that other systems need and this one does not."""
    return ["REDIS_URL is set and not needed: queue and caches live in gk itself"] if environ.get("REDIS_URL") else []


def _surrounding(name: str, value: str) -> dict[str, Any]:
    """The keys that an environment variable sets."""
    match name:
        case "EMAIL_DOMAIN" if value:
            return {"domains": [domain.strip() for domain in value.split(",")]}
        case "LOG_LEVEL" if value:
            return {"log": {"level": value.lower()}}
        case "DEBUG" if value.lower() in ("1", "true", "yes"):
            return {"log": {"level": "debug"}}
        case "DATABASE_URL" if value:
            return {"data": _database(value)}
        case _:
            return {}


def _database(url: str) -> str:
    """The data directory that `sqlite:///path` means; the path of a database file means its directory."""
    scheme, _, rest = url.partition("://")
    if scheme.partition("+")[0] in ("postgresql", "postgres"):
        raise ConfigError("$DATABASE_URL: PostgreSQL is not supported yet; use sqlite:///directory or unset it")
    path = urllib.parse.unquote(rest[1:]) if rest.startswith("/") else ""
    if scheme != "sqlite" or not path:
        raise ConfigError("$DATABASE_URL: must be sqlite:///directory, the data directory of gk")
    return str(Path(path).parent) if path.endswith((".db", ".sqlite", ".sqlite3")) else path


def find(path: Path | None) -> Path:
    """The configuration file to use."""
    if path is not None:
        return path
    for candidate in DEFAULT_FILES:
        if candidate.exists():
            return candidate
    raise ConfigError(
        "no gk.toml here nor in /etc/gk: make one with «gk init you@example.org» or name it with --config"
    )


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `over` on top, table by table."""
    out = dict(base)
    for name, value in over.items():
        below = out.get(name)
        out[name] = merge(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return out


def set_local(config: Config, dotted: str, text: str) -> Path:
    """Write one key to the overlay, after checking that the whole still stands; return the overlay's path.

    `text` is a TOML value, or a text without its quotes.
    """
    overlay = config.data / OVERLAY
    change = _assignment(dotted, text)
    if "data" in change:
        raise ConfigError(f"data: says where {OVERLAY} lies, so it cannot stand in it; edit {config.path}")
    tree = merge(_read_overlay(overlay), change)
    base = _read(config.path) if config.path else {}
    check(parse(merge(base, tree), OVERLAY), OVERLAY)
    fresh = overlay.with_suffix(".new")
    try:
        config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            tomli_w.dump(tree, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(overlay)
    except OSError as error:
        raise ConfigError(f"{overlay}: cannot be written: {error.strerror}") from None
    return overlay


def _assignment(dotted: str, text: str) -> dict[str, Any]:
    """`a."b.c"`, value → {"a": {"b.c": value}}."""
    if dotted.isprintable() and text.isprintable():
        for value in (text, tomli_w.dumps({"v": text}).partition("=")[2]):
            try:
                return tomllib.loads(f"{dotted} = {value}")
            except (tomllib.TOMLDecodeError, RecursionError):
                continue
    raise ConfigError(f"{dotted!r} is no key: write it as table.key")


def _read_overlay(path: Path) -> dict[str, Any]:
    try:
        return _read(path) if path.exists() else {}
    except PermissionError:
        raise ConfigError(f"{path.parent}: permission denied; run as the user gk runs as, or as root") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; make one with «gk init you@example.org»") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None
