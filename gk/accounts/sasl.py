"""SASL PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login) without a socket.

A mechanism is a generator: it yields challenges, is sent the client's answers, and returns the Credentials.
CRAM-MD5 and DIGEST-MD5 are not here on purpose: they need a secret that can be recovered.
"""

import base64
import binascii
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TypeAlias

LONGEST = 12_288  # bytes of one line in base64, RFC 4954 §4


class SaslError(ValueError):
    """The client's answer is not what the mechanism asks for."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client says it is."""

    login: str
    password: str = field(repr=False)


Exchange: TypeAlias = Generator[bytes, bytes, Credentials]


def decode(line: bytes) -> bytes:
    """One base64 line of the client; `=` is the empty answer (RFC 4954 §4)."""
    if line == b"=":
        return b""
    try:
        return base64.b64decode(line, validate=True)
    except binascii.Error:
        raise SaslError("not base64") from None


def parse_plain(message: bytes) -> tuple[str, str, str]:
    """`[authzid] NUL authcid NUL password` (RFC 4616 §2), each as text; raise SaslError."""
    fields = message.split(b"\0")
    if len(fields) != 3 or not fields[1] or not fields[2]:
        raise SaslError("PLAIN needs authzid NUL authcid NUL password")
    authzid, authcid, password = (_text(field) for field in fields)
    return authzid, authcid, password


def plain(initial: bytes | None) -> Exchange:
    """PLAIN; nobody may act as somebody else."""
    authzid, login, password = parse_plain((yield b"") if initial is None else initial)
    if authzid and authzid.lower() != login.lower():
        raise SaslError("authzid and authcid must be the same")
    return Credentials(login, password)


def login(initial: bytes | None) -> Exchange:
    """LOGIN, as Outlook and old programs speak it."""
    name = _text((yield b"Username:") if initial is None else initial)
    password = _text((yield b"Password:"))
    if not name or not password:
        raise SaslError("LOGIN needs a name and a password")
    return Credentials(name, password)


MECHANISMS: dict[str, Callable[[bytes | None], Exchange]] = {"PLAIN": plain, "LOGIN": login}


def _text(raw: bytes) -> str:
    if b"\0" in raw:
        raise SaslError("NUL in a name or password")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise SaslError("names and passwords are UTF-8") from None
