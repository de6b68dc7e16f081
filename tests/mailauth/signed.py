"""Messages with signatures, and the keys that belong to them."""

import base64
import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gk.mailauth import relaxed
from gk.mailauth.dkim import Dkim, verify
from gk.mailauth.keys import Keys
from gk.mailauth.letter import Letter
from gk.mailauth.signing import Signer
from tests.mailauth.verifiers import records

DOMAIN = "a.test"
TEXT = (
    b"From: Ann <ann@a.test>\r\nTo: bob@example.test\r\nSubject: hello\r\n"
    b"Date: Fri, 30 Jan 2026 12:00:00 +0000\r\nMessage-ID: <1@a.test>\r\n\r\nHello.\r\n"
)


class Author:
    """A domain that signs."""

    def __init__(self, directory: Path, domain: str = DOMAIN) -> None:
        self.domain, self.keys = domain, Keys(directory / domain)
        self.keys.ensure([domain])
        self.signer = Signer(self.keys)

    @property
    def published(self) -> dict[str, bytes]:
        """Key records by name."""
        return {name: text.encode() for name, text in records(self.keys, self.domain).items()}

    def sign(self, text: bytes = TEXT) -> bytes:
        """The message below its two signatures."""
        return self.signer.sign(self.domain, text, len(text)) + text


def results(message: bytes, published: dict[str, bytes]) -> list[Dkim]:
    """What becomes of the signatures of a message; names that are not published have no key."""

    class All(dict[str, bytes | None]):
        def __contains__(self, name: object) -> bool:
            return True

        def __missing__(self, name: str) -> None:
            return None

    return verify(Letter(message, 0, len(message)), All(published))


def by_hand(text: bytes, key: RSAPrivateKey, tags: str) -> bytes:
    """The message with one rsa-sha256, relaxed signature over From whose tags are these and the needed ones."""
    letter = Letter(text, 0, len(text))
    body = base64.b64encode(letter.body_hash("sha256", True)[0]).decode()
    value = f" v=1; a=rsa-sha256; c=relaxed/relaxed; d={DOMAIN}; s=s; h=from; {tags} bh={body}; b=".encode()
    signed = letter.signed([b"from"], True) + relaxed.field(b"DKIM-Signature", value).removesuffix(b"\r\n")
    octets = key.sign(hashlib.sha256(signed).digest(), PKCS1v15(), Prehashed(SHA256()))
    return b"DKIM-Signature:" + value + base64.b64encode(octets) + b"\r\n" + text


def record_of(key: RSAPrivateKey, flags: str = "") -> bytes:
    """The key record of `by_hand`, at s._domainkey.a.test."""
    octets = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; {flags} p={base64.b64encode(octets).decode()}".encode()
