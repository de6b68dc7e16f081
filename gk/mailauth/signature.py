"""One signature verified: the tags of its field, the key of its domain, the hashes (RFC 6376 §6.1, RFC 8301, RFC 8463).

dkimpy reads and checks the tags and knows the rules of ARC; keys and signatures are left to cryptography.
"""

import base64
import binascii
import functools
import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dkim
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from dkim.util import InvalidTagValueList, parse_tag_value

from gk.mailauth import relaxed
from gk.mailauth.letter import Field, Letter

SHORTEST, LONGEST = 1024, 4096  # bits of an RSA key: RFC 8301 §3.2, and what verifying may cost
EXPONENT = 64  # bits of its exponent
RECORD = 4 << 10  # octets of a key record; one of 4,096 bits has 800
NAMES = 500  # in one h=
REASON = 120  # characters of a reason: a stranger's tag may be in it
SILENT = logging.Logger("dkimpy")  # of no handler and no parent: what dkimpy says ends here
SILENT.addHandler(logging.NullHandler())

_SIGNED = re.compile(rb"([;\s]b\s*=)[A-Za-z0-9+/=\s]*")  # the value of b= with its blanks, which is left out (§3.7)
_NAMES = re.compile(rb"\s*:\s*")
_SHOWN = re.compile(r"[^\x20-\x7e]")

Keys = Mapping[str, bytes | None]
"""Key records by name: None where there is none; a name that is missing had no answer."""


class Fault(dkim.ValidationError):  # type: ignore[misc]
    """Why a signature does not count: `result` in the words of RFC 8601 §2.7.1."""

    def __init__(self, result: str, reason: str) -> None:
        super().__init__(reason)
        self.result, self.reason = result, reason


@dataclass(frozen=True, slots=True)
class Key:
    """A published key, and the flags of its record."""

    public: RSAPublicKey | Ed25519PublicKey
    flags: frozenset[bytes]
    hashes: frozenset[bytes]  # empty: any


@functools.lru_cache(64)  # asked for the key, and again to verify
def tags(value: bytes) -> Mapping[bytes, bytes]:
    """The tags of a signature field. Raises Fault."""
    try:
        found: dict[bytes, bytes] = parse_tag_value(value)
    except (InvalidTagValueList, ValueError, IndexError):
        raise Fault("permerror", "the tags cannot be read") from None
    return found


def key_name(found: Mapping[bytes, bytes]) -> str | None:
    """The name of the key a signature wants, in lower case; None where it names none."""
    selector, domain = found.get(b"s"), found.get(b"d")
    if not selector or not domain:
        return None
    try:
        return b"".join([selector, b"._domainkey.", domain]).decode("ascii").lower().rstrip(".")
    except UnicodeDecodeError:
        return None


class Checked:
    """What verifies one signature; before dkimpy's own classes, which call `verify_sig` and never reach theirs."""

    def __init__(self, letter: Letter, keys: Keys) -> None:
        self.letter, self.keys = letter, keys
        self.unanswered = False  # a key was asked for and nobody said whether it is there

    def verify_sig(
        self, sig: Mapping[bytes, bytes], include_headers: list[bytes], header: Any, dnsfunc: object
    ) -> bool:
        """Whether the signature of these tags holds. Raises Fault for what makes it worthless."""
        names = [name for name in include_headers if name]
        if len(names) > NAMES:
            raise Fault("permerror", "h= has too many names")
        key = self._key(sig)
        hashed, relax_header, relax_body = _algorithms(sig, key)
        if b"bh" in sig:
            self._check_body(sig, hashed, relax_body)
        if b"from" in names:
            names.append(b"from")  # a From field that was added breaks the signature (§8.15)
        text = self.letter.signed(names, relax_header)
        own = _SIGNED.sub(b"\\1", header[1])
        name = header[0].lower() if relax_header else header[0]
        whole = relaxed.field(name, own) if relax_header else name + b":" + own
        digest = hashlib.new(hashed, text + whole.removesuffix(b"\r\n"), usedforsecurity=False).digest()
        return _holds(key.public, hashed, _decoded(sig[b"b"]), digest)

    def _key(self, sig: Mapping[bytes, bytes]) -> Key:
        name = key_name(sig)
        if name is None:
            raise Fault("permerror", "d= or s= is no name")
        if name not in self.keys:
            self.unanswered = True
            raise Fault("temperror", "the key could not be looked up")
        record = self.keys[name]
        if record is None:
            raise Fault("permerror", "there is no key")
        found = published(record)
        if isinstance(found, Fault):
            raise found
        return found

    def _check_body(self, sig: Mapping[bytes, bytes], hashed: str, relax: bool) -> None:
        digest, octets = self.letter.body_hash(hashed, relax)
        if b"l" in sig and int(sig[b"l"] or b"0") < octets:
            # Whoever adds text behind the signed part makes it the author's (§8.2).
            raise Fault("policy", "l= leaves a part of the body unsigned")
        if digest != _decoded(sig[b"bh"]):
            raise Fault("fail", "the body was changed")


def _algorithms(sig: Mapping[bytes, bytes], key: Key) -> tuple[str, bool, bool]:
    """(hash, relaxed header?, relaxed body?) of a signature."""
    kind, _, hashed = sig[b"a"].decode("ascii", "replace").lower().partition("-")
    if hashed == "sha1":
        raise Fault("policy", "rsa-sha1 is worth nothing any more")  # RFC 8301 §3.1
    if (kind == "rsa") != isinstance(key.public, RSAPublicKey):
        raise Fault("permerror", "the key is of another kind")
    if key.hashes and hashed.encode() not in key.hashes:
        raise Fault("permerror", "the key is for other hashes")
    header, _, body = sig.get(b"c", b"simple/simple").lower().partition(b"/")
    if header not in (b"simple", b"relaxed") or (body or b"simple") not in (b"simple", b"relaxed"):
        raise Fault("permerror", "c= is unknown")
    return hashed, header == b"relaxed", body == b"relaxed"


def _holds(key: RSAPublicKey | Ed25519PublicKey, hashed: str, signature: bytes, digest: bytes) -> bool:
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(signature, digest, PKCS1v15(), Prehashed(hashes.SHA256()))
        else:
            key.verify(signature, digest)  # RFC 8463 §3: the hash is what is signed
    except InvalidSignature:
        return False
    return True


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()))
    except (binascii.Error, ValueError):
        raise Fault("permerror", "base64 that is none") from None


@functools.lru_cache(1024)
def published(record: bytes) -> Key | Fault:
    """The key a record holds, or why it is none (RFC 6376 §3.6.1)."""
    try:
        return _published(record)
    except Fault as fault:
        return fault


def _published(record: bytes) -> Key:
    if len(record) > RECORD:
        raise Fault("policy", "the key record is too long")
    found = tags(record)
    if found.get(b"v", b"DKIM1") != b"DKIM1":
        raise Fault("permerror", "the version of the key is unknown")
    services = frozenset(s.strip() for s in found.get(b"s", b"*").split(b":"))
    if not services & {b"*", b"email"}:
        raise Fault("permerror", "the key is not for mail")
    if b"p" not in found:
        raise Fault("permerror", "the record holds no key")
    octets = _decoded(found[b"p"])
    if not octets:
        raise Fault("permerror", "the key was revoked")
    flags = frozenset(f.strip() for f in found.get(b"t", b"").split(b":"))
    hashes_ = frozenset(h.strip().lower() for h in found.get(b"h", b"").split(b":") if h.strip())
    return Key(_public(found.get(b"k", b"rsa"), octets), flags, hashes_)


def _public(kind: bytes, octets: bytes) -> RSAPublicKey | Ed25519PublicKey:
    try:
        if kind == b"ed25519":
            return Ed25519PublicKey.from_public_bytes(octets)
        key = serialization.load_der_public_key(octets) if kind == b"rsa" else None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Fault("permerror", "the key cannot be read") from None
    if not isinstance(key, RSAPublicKey):
        raise Fault("permerror", "the key is of an unknown kind")
    if not SHORTEST <= key.key_size <= LONGEST:
        raise Fault("policy", f"a key of {key.key_size} bits")
    if key.public_numbers().e.bit_length() > EXPONENT:
        raise Fault("policy", "the exponent of the key is too large")
    return key


def checked_names(sig: Mapping[bytes, bytes]) -> list[bytes]:
    """The names of h= in lower case."""
    return [name.lower() for name in _NAMES.split(sig.get(b"h", b"").strip())]


def shown(text: object) -> str:
    """A stranger's text in a reason: short, of printable characters."""
    return _SHOWN.sub("?", str(text))[:REASON]


def short(field: Field) -> str:
    """How a field is told from others of its name."""
    return shown(field.value[:40].decode("latin-1"))
