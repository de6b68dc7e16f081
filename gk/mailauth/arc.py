"""The Authenticated Received Chain (RFC 8617): what those who handed a message on saw, verified, and our own seal.

dkimpy knows the rules of the chain; its signatures are verified as those of DKIM are.
"""

import asyncio
import base64
import hashlib
import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

import dkim

from gk.mailauth import relaxed
from gk.mailauth.domain import canonical
from gk.mailauth.keys import Keys as OwnKeys
from gk.mailauth.letter import Letter
from gk.mailauth.pair import SigningKey
from gk.mailauth.signature import SILENT, Checked, Fault, Keys, key_name, shown, tags
from gk.message.header import uncomment, unfold
from gk.message.searched import Sliced

RESULTS, SIGNATURE, SEAL = b"arc-authentication-results", b"arc-message-signature", b"arc-seal"
SET = (RESULTS, SIGNATURE, SEAL)
INSTANCES = 50  # of one chain, RFC 8617 §4.2.1
OCTETS = 128 << 10  # of its fields: fifty real sets have as many
LINE = 74  # octets of a line of h= and b=

# What the seal of one message binds: what DKIM would, and the signatures that were there.
SIGNED = (
    b"from", b"subject", b"date", b"to", b"cc", b"reply-to", b"message-id", b"in-reply-to", b"references",
    b"mime-version", b"content-type", b"content-transfer-encoding", b"dkim-signature",
)  # fmt: skip

_INSTANCE = re.compile(rb"(?:^|;)\s*i\s*=\s*(\d{1,3})\s*(?:;|$)")
_QUOTED = re.compile(rb'"[^"]*"')  # in results of ours: what strangers chose, where it is no plain word
_PASSED_HERE = re.compile(rb";\s*arc=pass\b")
_PASSED = re.compile(rb"(?:^|;)\s*(dmarc|spf|dkim)\s*=\s*(\w+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Arc:
    """What came of a chain: none, pass, fail or temperror. `sealers`: domains, the newest first, all valid on pass.

    `reported` are the Authentication-Results each of them wrote, in the same order.
    """

    result: str
    sealers: tuple[str, ...] = ()
    reported: tuple[bytes, ...] = ()
    reason: str = ""
    where: tuple[int, int] | None = None


NONE = Arc("none")


class _Chain(Checked, dkim.ARC):  # type: ignore[misc]
    """The chain of a letter."""

    def __init__(self, letter: Letter, keys: Keys) -> None:
        Checked.__init__(self, letter, keys)
        dkim.ARC.__init__(self, None, logger=SILENT)
        # dkimpy looks for a blank before i=, which the relaxed form does not have
        self.headers = [
            (f.written, f.value if f.value[:1].isspace() else b" " + f.value) for f in letter.fields if f.name in SET
        ]


def wanted(letter: Letter) -> list[str]:
    """The names of the keys needed for the whole chain."""
    if _unfit(letter):
        return []
    found: dict[str, None] = {}
    for name in (SIGNATURE, SEAL):
        for field in letter.named(name):
            try:
                key = key_name(tags(field.value))
            except Fault:
                continue
            if key is not None:
                found[key] = None
    return list(found)


def verify(letter: Letter, keys: Keys) -> Arc:
    """What the chain is worth; never raises."""
    seals = letter.named(SEAL)
    if not seals and not letter.named(SIGNATURE) and not letter.named(RESULTS):
        return NONE
    where = seals[0].where if seals else None
    if reason := _unfit(letter):
        return Arc("fail", reason=reason, where=where)
    chain = _Chain(letter, keys)
    try:
        result, sets, reason = chain.verify()
    except Exception as error:  # dkimpy indexes what a stranger left out: then it is no chain
        return Arc("fail", reason=f"cannot be read ({type(error).__name__})", where=where)
    if result == dkim.CV_None:
        return Arc("none", where=where)
    if chain.unanswered and result != dkim.CV_Pass:
        return Arc("temperror", reason="a key could not be looked up", where=where)
    sealers = tuple(one["as-domain"].decode("ascii", "replace").lower() for one in sets if "as-domain" in one)
    reported = tuple(one["aar-value"] for one in sets if "aar-value" in one)
    passed = result == dkim.CV_Pass
    return Arc("pass" if passed else "fail", sealers, reported, "" if passed else shown(reason), where)


def vouched(arc: Arc, trusted: Collection[str]) -> str | None:
    """The trusted sealer whose word the message comes with, if it saw the author's domain authenticated.

    The newest seal must be trusted. Of an unbroken row of trusted seals the oldest counts: it saw the message before
    all the others, and what stands below it was written by somebody nobody trusts.
    """
    if arc.result != "pass":
        return None
    sealer = report = None
    for domain, reported in zip(arc.sealers, arc.reported, strict=True):
        if domain not in trusted:
            break
        sealer, report = domain, reported
    if sealer is None or report is None:
        return None
    found = [(m[1].lower(), m[2].lower()) for m in _PASSED.finditer(uncomment(unfold(report)))]
    methods = {method for method, _ in found}
    decisive = (b"dmarc",) if b"dmarc" in methods else (b"spf", b"dkim")
    return sealer if any(method in decisive and result == b"pass" for method, result in found) else None


def _unfit(letter: Letter) -> str:
    """Why a chain is not even looked at."""
    fields = [field for name in SET for field in letter.named(name)]
    if len(fields) > 3 * INSTANCES or sum(len(field.value) for field in fields) > OCTETS:
        return "the chain is too long"
    if not all(field.regular for field in fields):
        return "a field is too long or full of blanks"
    return ""


class Sealer:
    """Seals what is handed on, with the RSA key of one of our domains (RFC 8617 §5.1)."""

    def __init__(self, keys: OwnKeys, now: Callable[[], float] = time.time) -> None:
        self._keys, self._now = keys, now

    async def seal(self, domain: str, content: Sliced, size: int, results: bytes) -> bytes:
        """The three fields of the next set, CRLF at their ends, for a message of `size` octets with CRLF line ends.

        `results` is our Authentication-Results field; its arc= says what became of the chain there is. b"" where
        nothing was found out, the domain has no key, or the chain is so long, or broken, that nobody would believe it.
        """
        return await asyncio.to_thread(self._seal, domain, content, size, results) if results else b""

    def _seal(self, domain: str, content: Sliced, size: int, results: bytes) -> bytes:
        key = next((k for k in self._keys.signing(domain) if k.algorithm == "rsa-sha256"), None)
        letter = Letter(content, 0, size)
        sets = _sets(letter)
        if key is None or sets is None or len(sets) >= INSTANCES:
            return b""
        if sets and not _PASSED_HERE.search(_QUOTED.sub(b"", results)):
            return b""  # §5.1.2: after a failure nothing more is to be proved
        instance, domain, now = len(sets) + 1, canonical(domain), int(self._now())
        reported = b" i=%d; " % instance + results.partition(b":")[2].strip()
        head = f" i={instance}; a={key.algorithm}; d={domain};\r\n\ts={key.selector}; t={now};"
        signed = _signed(letter, head, key)
        seal = (head + f" cv={'pass' if sets else 'none'};\r\n\tb=").encode()
        chain = [relaxed.field(name, value) for one in sets for name, value in zip(SET, one, strict=True)]
        chain += [relaxed.field(RESULTS, reported + b"\r\n"), relaxed.field(SIGNATURE, signed + b"\r\n")]
        seal += _signature(key, b"".join(chain) + relaxed.field(SEAL, seal).removesuffix(b"\r\n"))
        return (
            b"ARC-Seal:" + seal + b"\r\nARC-Message-Signature:" + signed
            + b"\r\nARC-Authentication-Results:" + reported + b"\r\n"
        )  # fmt: skip


def _sets(letter: Letter) -> list[tuple[bytes, bytes, bytes]] | None:
    """The values of the chain's fields, oldest first; None where it has gaps or doubles."""
    found: dict[int, dict[bytes, bytes]] = {}
    if _unfit(letter):
        return None
    for name in SET:
        for field in letter.named(name):
            match = _INSTANCE.search(unfold(field.value))
            if match is None or name in found.setdefault(int(match[1]), {}):
                return None
            found[int(match[1])][name] = field.value
    if sorted(found) != list(range(1, len(found) + 1)) or any(len(one) < len(SET) for one in found.values()):
        return None
    return [(one[RESULTS], one[SIGNATURE], one[SEAL]) for _, one in sorted(found.items())]


def _signed(letter: Letter, head: str, key: SigningKey) -> bytes:
    """The value of the ARC-Message-Signature (§4.1.2)."""
    names = [name for name in SIGNED for _ in letter.named(name)] + [b"from"]
    digest, _ = letter.body_hash("sha256", True)
    listed = b":\r\n\t ".join(b":".join(names[at : at + 6]) for at in range(0, len(names), 6))
    value = head.encode() + b" c=relaxed/relaxed;\r\n\th=" + listed + b";\r\n\tbh=" + base64.b64encode(digest)
    value += b";\r\n\tb="
    text = letter.signed(names, True) + relaxed.field(SIGNATURE, value).removesuffix(b"\r\n")
    return value + _signature(key, text)


def _signature(key: SigningKey, text: bytes) -> bytes:
    signed = base64.b64encode(key.sign(hashlib.sha256(text).digest()))
    return b"\r\n\t ".join(signed[at : at + LINE] for at in range(0, len(signed), LINE))
