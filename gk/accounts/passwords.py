"""Passwords of people (argon2id, RFC 9106) and passwords of programs (80 random bits and more)."""

import asyncio
import base64
import hashlib
import secrets
import unicodedata
from collections.abc import Callable
from typing import TypeVar

import argon2

from gk.errors import Overloaded, Refused

SHORTEST, LONGEST = 10, 1024  # bytes
AT_ONCE = 2  # each hash holds 19 MiB and a core for 20 ms
WAITING = 100  # about two seconds of work in line; more is a flood

T = TypeVar("T")
_HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def _nobody() -> str:
    """A digest no password has, which costs as much to refuse as a real one."""
    salt, tag = (base64.b64encode(secrets.token_bytes(n)).decode().rstrip("=") for n in (16, 32))
    return f"$argon2id$v=19$m={19 * 1024},t=2,p=1${salt}${tag}"


class Passwords:
    """argon2id off the loop, a bounded number at a time."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._nobody = _nobody()

    async def hash(self, password: str) -> str:
        """The digest to keep for a new password; raise Refused when it is too short or too long."""
        raw = prepare(password)
        if not SHORTEST <= len(raw) <= LONGEST:
            raise Refused(f"a password has {SHORTEST} to {LONGEST:,} bytes")
        if b"\0" in raw:
            raise Refused("a password cannot hold a NUL")  # RFC 4616 §2
        return await self._work(_HASHER.hash, raw)

    async def verify(self, digest: str | None, password: str) -> bool:
        """Whether `password` has this digest; None, nobody's, is refused after the same time. Raise Overloaded."""
        raw = prepare(password)
        if len(raw) > LONGEST:
            digest, raw = None, raw[:LONGEST]
        return await self._work(_matches, digest or self._nobody, raw)

    async def _work(self, function: Callable[..., T], *args: str | bytes) -> T:
        if self._waiting >= WAITING:
            raise Overloaded("too many logins at once")
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        work = asyncio.ensure_future(asyncio.to_thread(function, *args))
        work.add_done_callback(lambda _: self._turns.release())
        return await asyncio.shield(work)  # a client that hangs up does not free the turn of a thread still at it


def prepare(password: str) -> bytes:
    """The bytes of a password, however it was typed (RFC 8265 §4.2.2: NFC)."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def _matches(digest: str, raw: bytes) -> bool:
    try:
        return _HASHER.verify(digest, raw)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


def app_password() -> tuple[str, bytes]:
    """A new password for one program, to be shown once, and the digest to keep: 100 random bits, no guessing."""
    letters = base64.b32encode(secrets.token_bytes(13)).decode().lower()[:20]
    text = "-".join(letters[i : i + 5] for i in range(0, 20, 5))
    return text, app_digest(text)


def app_digest(text: str) -> bytes:
    """SHA-256 of an app password; dashes, spaces and case are for the eye only."""
    return hashlib.sha256(text.replace("-", "").replace(" ", "").lower().encode("utf-8", "surrogatepass")).digest()
