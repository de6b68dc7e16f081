"""The data directory: locked by one process, made and migrated before anything is served."""

import errno
import fcntl
import logging
import os
import sqlite3
import time
from pathlib import Path

from gk import durable
from gk.errors import BrokenDatabase, ConfigError, InUse
from gk.store.schema import MIGRATIONS, VERSION

log = logging.getLogger(__name__)

FOLDERS = ("mail", "spool", "keys", "backup")
DATABASE = "gk.db"


def lock(data: Path) -> int:
    """Take the directory for this process; return the descriptor that holds the lock."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"{data}: {error.strerror}; give the directory to the user gk runs as, or set data in gk.toml"
        ) from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.read(fd, 32).decode(errors="replace").strip() or "unknown"
        os.close(fd)
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise ConfigError(f"{data}: cannot be locked: {error.strerror}") from None
        raise InUse(
            f"{data} is in use by another gk (process {owner}); stop it first, or use its own commands"
        ) from None
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd


def prepare(data: Path) -> None:
    """Make what is missing, refuse a newer database, migrate an older one after a backup."""
    if data.stat().st_mode & 0o077:
        data.chmod(0o700)
    for folder in FOLDERS:
        (data / folder).mkdir(mode=0o700, exist_ok=True)
    path = data / DATABASE
    fresh = not path.exists()
    try:
        db = sqlite3.connect(path, isolation_level=None)
        try:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise ConfigError(
                    f"{path} was written by a newer gk (schema {version}, this one knows {VERSION}); install that one"
                )
            if version < VERSION:
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=FULL")
                if version:
                    backup(db, data / "backup" / f"gk-schema{version}-{int(time.time())}.db")
                migrate(db, version)
        finally:
            db.close()
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "")
        if name in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
            raise BrokenDatabase(
                f"{path} is damaged ({error}); «gk reindex» rebuilds it from the message files"
            ) from None
        raise ConfigError(f"{path}: {error}") from None
    if fresh:
        path.chmod(0o600)
        durable.sync(data)
        durable.sync(data.parent)


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Apply the migrations after `version`, each in a transaction with its number."""
    for number, step in enumerate(MIGRATIONS[version:], version + 1):
        db.execute("BEGIN IMMEDIATE")
        try:
            step(db)
            db.execute(f"PRAGMA user_version = {number}")
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
        log.info("event=migrated schema=%d", number)


def backup(db: sqlite3.Connection, path: Path) -> None:
    """Copy the database as it is now."""
    fresh = path.with_suffix(".new")
    copy = sqlite3.connect(fresh)
    try:
        db.backup(copy)
    finally:
        copy.close()
    fresh.chmod(0o600)
    fd = os.open(fresh, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    fresh.rename(path)
    durable.sync(path.parent)


def connect_reader(data: Path) -> sqlite3.Connection:
    """A connection that only reads; usable from one thread at a time."""
    db = sqlite3.connect(data / DATABASE, isolation_level=None, check_same_thread=False, cached_statements=256)
    db.execute("PRAGMA query_only=ON")
    db.execute("PRAGMA wal_autocheckpoint=0")
    db.execute("PRAGMA cache_size=-16384")
    return db
