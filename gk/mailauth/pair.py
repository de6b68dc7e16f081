"""A pair of DKIM keys, RSA-2048 and Ed25519: made, read, published and signed with (RFC 6376 §3.6.1, RFC 8463 §4)."""

import base64
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

RSA_BITS, EXPONENT = 2048, 65537  # RFC 8301 §3.2; 4096 bits do not fit in the DNS everywhere
RSA, ED25519 = "r", "e"  # how the selectors of a pair end
NAME = re.compile(r"gk(\d{4})([a-z]{1,8})")

State = Literal["next", "active", "retired"]


class BadKey(Exception):
    """The file holds no key that can sign; the message says what it is not."""


class SigningKey:
    """One private key with its selector; `repr` shows the selector only."""

    def __init__(self, selector: str, private: RSAPrivateKey | Ed25519PrivateKey) -> None:
        self.selector, self._private = selector, private
        self.algorithm = "rsa-sha256" if isinstance(private, RSAPrivateKey) else "ed25519-sha256"

    def __repr__(self) -> str:
        return f"SigningKey({self.selector})"

    def sign(self, digest: bytes) -> bytes:
        """The signature of a SHA-256 digest (RFC 6376 §3.3.1, RFC 8463 §3)."""
        if isinstance(self._private, RSAPrivateKey):
            return self._private.sign(digest, PKCS1v15(), Prehashed(hashes.SHA256()))
        return self._private.sign(digest)

    @cached_property
    def record(self) -> str:
        """The text of its TXT record (RFC 6376 §3.6.1, RFC 8463 §4.2)."""
        public = self._private.public_key()
        if isinstance(self._private, RSAPrivateKey):
            kind, form, encoding = "rsa", serialization.PublicFormat.SubjectPublicKeyInfo, serialization.Encoding.DER
        else:
            kind, form, encoding = "ed25519", serialization.PublicFormat.Raw, serialization.Encoding.Raw
        return f"v=DKIM1; k={kind}; p={base64.b64encode(public.public_bytes(encoding, form)).decode()}"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two keys that come and go together. `since`: epoch seconds of the state; `damaged`: selectors without a key."""

    name: str
    state: State
    since: int
    keys: tuple[SigningKey, ...]
    damaged: tuple[str, ...] = ()


def selectors(name: str) -> tuple[str, str]:
    """The selectors of a pair, RSA first."""
    return f"{name}-{RSA}", f"{name}-{ED25519}"


def age(name: str) -> tuple[int, int, str]:
    """What sorts pairs by the order they were made in."""
    found = NAME.fullmatch(name)
    return (int(found[1]), len(found[2]), found[2]) if found else (0, 0, name)


def following(last: str, year: int) -> str:
    """The name after `last`: a letter further in the same year, or the first of a later one; never an earlier one."""
    found = NAME.fullmatch(last)
    if found is None or year > int(found[1]):
        return f"gk{year:04}a"
    letters = found[2]
    if not letters.strip("z"):
        return f"gk{found[1]}{'a' * (len(letters) + 1)}"
    kept = letters.rstrip("z")
    return f"gk{found[1]}{kept[:-1]}{chr(ord(kept[-1]) + 1)}{'a' * (len(letters) - len(kept))}"


def make(name: str) -> dict[str, bytes]:
    """Fresh keys as PEM (PKCS #8), by selector."""
    rsa, ed25519 = selectors(name)
    made: dict[str, RSAPrivateKey | Ed25519PrivateKey] = {
        rsa: generate_private_key(EXPONENT, RSA_BITS),
        ed25519: Ed25519PrivateKey.generate(),
    }
    form, without = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return {s: key.private_bytes(serialization.Encoding.PEM, form, without) for s, key in made.items()}


def read(selector: str, pem: bytes) -> SigningKey:
    """The key of a PEM file. Raises BadKey."""
    try:
        private = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKey("no private key that can be used: PEM and without a password") from None
    rsa = selector.endswith(RSA)
    if rsa and isinstance(private, RSAPrivateKey) and private.key_size >= 1024:  # RFC 8301 §3.2
        return SigningKey(selector, private)
    if not rsa and isinstance(private, Ed25519PrivateKey):
        return SigningKey(selector, private)
    raise BadKey("a key of another kind than its selector says")
