"""DKIM signatures of outgoing mail, one by each key of the domain's active pair (RFC 6376, RFC 8301, RFC 8463)."""

import asyncio
import base64
import hashlib
import re
import time
from collections.abc import Callable

from gk.mailauth import relaxed
from gk.mailauth.domain import canonical
from gk.mailauth.keys import Keys
from gk.mailauth.pair import SigningKey
from gk.message.searched import Sliced

# Named once more than they occur, so that none can be added on the way (RFC 6376 §5.4.2, §8.15): readers and filters
# act on each of these also where the author wrote none.
ALWAYS_ONE_MORE = (
    b"From", b"Subject", b"To", b"Cc", b"Reply-To", b"MIME-Version", b"Content-Type", b"Content-Transfer-Encoding",
)  # fmt: skip
# The same where they occur; relays may add a missing Date or Message-ID (RFC 5321 §6.4).
ONE_MORE = (b"Date", b"Message-ID", b"In-Reply-To", b"References")
# As often as they occur: a mailing list adds its own (RFC 2369, RFC 2919); RFC 8058 §4 wants them signed.
AS_OFTEN = (
    b"List-Id", b"List-Unsubscribe", b"List-Unsubscribe-Post", b"List-Subscribe", b"List-Help", b"List-Post",
    b"List-Owner", b"List-Archive",
)  # fmt: skip
ORDER = (
    b"From", b"Subject", b"Date", b"To", b"Cc", b"Reply-To", b"Message-ID", b"In-Reply-To", b"References",
    b"MIME-Version", b"Content-Type", b"Content-Transfer-Encoding", *AS_OFTEN,
)  # fmt: skip

LIFE = 14 * 86_400  # seconds a signature is good for: queues keep mail for five days
HEADER = 4 << 20  # octets in which the end of the header is looked for
TIMES = 50  # fields of one name; with more a message is not signed, for a reader would choose among them
LINE = 74  # octets of a line of h= and b=

_FIELD = re.compile(rb"\r\n(?![ \t])")
_KNOWN = {name.lower(): name for name in ORDER}


class Signer:
    """Signs for the domains that have keys."""

    def __init__(self, keys: Keys, now: Callable[[], float] = time.time) -> None:
        self._keys, self._now = keys, now

    def signs(self, domain: str) -> bool:
        """Whether mail of this domain gets signatures."""
        return bool(self._keys.signing(domain))

    async def fields(self, domain: str, content: Sliced, size: int) -> bytes:
        """The DKIM-Signature fields for a message of `size` octets with CRLF line ends, RSA first, CRLF at their ends.

        b"" where the domain has no key, or where there is no From field to sign (RFC 6376 §5.4). A last line without
        CRLF is signed as the line it becomes in SMTP.
        """
        if not self._keys.signing(domain):
            return b""
        return await asyncio.to_thread(self.sign, domain, content, size)

    def sign(self, domain: str, content: Sliced, size: int) -> bytes:
        """The same, here and now."""
        keys = self._keys.signing(domain)
        header, body = _header(content, size)
        found = _fields(header)
        if not keys or not found.get(b"from") or max(map(len, found.values())) > TIMES:
            return b""
        names, text = _signed(found)
        body_hash = base64.b64encode(relaxed.body_hash(content, body, size))
        rest = b"\r\n\th=" + _folded(names) + b";\r\n\tbh=" + body_hash + b";\r\n\tb="
        domain, now = canonical(domain), int(self._now())
        return b"".join(_signature(key, domain, now, text, rest) for key in keys)


def _header(content: Sliced, size: int) -> tuple[bytes, int]:
    """The header section, and where the body begins; all is header where no empty line is (RFC 5322 §2.1)."""
    limit = relaxed.PIECE
    while True:
        header = content[: min(limit, size)]
        if header.startswith(b"\r\n"):
            return b"", 2
        end = header.find(b"\r\n\r\n")
        if end >= 0:
            return header[:end], end + 4
        if limit >= size:
            return header.removesuffix(b"\r\n"), size
        if limit >= HEADER:
            return b"", size
        limit *= 4


def _fields(header: bytes) -> dict[bytes, list[bytes]]:
    """The values of the fields that are signed, as they stand, from the top."""
    found: dict[bytes, list[bytes]] = {}
    for line in _FIELD.split(header):
        name, colon, value = line.partition(b":")
        known = _KNOWN.get(name.rstrip(b" \t").lower())
        if colon and known:
            found.setdefault(known.lower(), []).append(value)
    return found


def _signed(found: dict[bytes, list[bytes]]) -> tuple[list[bytes], bytes]:
    """The names of h=, and the canonical fields they stand for: of one name the lowest first (RFC 6376 §5.4.2)."""
    names: list[bytes] = []
    text: list[bytes] = []
    for name in ORDER:
        values = found.get(name.lower(), [])
        more = name in ALWAYS_ONE_MORE or (values and name in ONE_MORE)
        names += [name] * (len(values) + bool(more))
        text += [relaxed.field(name, value) for value in reversed(values)]
    return names, b"".join(text)


def _signature(key: SigningKey, domain: str, now: int, text: bytes, rest: bytes) -> bytes:
    """One field: `text` are the signed fields in their canonical form, `rest` the tags both signatures share."""
    tags = f" v=1; a={key.algorithm}; c=relaxed/relaxed; d={domain};\r\n\ts={key.selector}; t={now}; x={now + LIFE};"
    value = tags.encode() + rest
    digest = hashlib.sha256(text + relaxed.field(b"DKIM-Signature", value).removesuffix(b"\r\n")).digest()  # §3.7
    signed = base64.b64encode(key.sign(digest))
    lines = [signed[at : at + LINE] for at in range(0, len(signed), LINE)]
    return b"DKIM-Signature:" + value + b"\r\n\t ".join(lines) + b"\r\n"


def _folded(names: list[bytes]) -> bytes:
    """The list of h=, folded behind colons (RFC 6376 §3.5)."""
    lines = [b""]
    for at, name in enumerate(names):
        word = name + (b":" if at + 1 < len(names) else b"")
        if len(lines[-1]) + len(word) > LINE:
            lines.append(b"")
        lines[-1] += word
    return b"\r\n\t ".join(lines)
