"""Secrets of the configuration stand in files of their own, which nobody else may read."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from gk.config.tables import Config
from gk.errors import ConfigError

LONGEST = 4096  # octets


def beside(config: Config, name: str) -> Path | None:
    """A file the configuration names, relative to its own; None for ""."""
    return (config.path.parent if config.path else Path()) / name if name else None


def secret(path: Path | None, what: str) -> str:
    """What is in the file, for the key `what`. Raises ConfigError, which never holds it."""
    if path is None:
        raise ConfigError(f"{what} is missing")
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IROTH | stat.S_IWOTH):
                raise ConfigError(f"{what}: {path} is open to every user of the machine; chmod 600 it")
            found = file.read(LONGEST + 1).decode().strip()
    except OSError as error:
        raise ConfigError(f"{what}: {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{what}: {path} is no text in UTF-8") from None
    if not 0 < len(found) <= LONGEST or not found.isprintable():
        raise ConfigError(f"{what}: {path} must hold one password of printable characters")
    return found


def given(config: Config, name: str, what: str, environ: Mapping[str, str] = os.environ) -> str:
    """The secret the key `what` names: what is in the file, or for "$NAME" in that variable. Raises ConfigError."""
    if not name.startswith("$"):
        return secret(beside(config, name), what)
    found = environ.get(name[1:], "").strip()
    if not 0 < len(found) <= LONGEST or not found.isprintable():
        raise ConfigError(f"{what}: {name} must hold one password of printable characters")
    return found
