"""DANE for SMTP (RFC 7672): whether the certificates a server showed are those its TLSA records speak of.

The handshake is done without verification and judged afterwards, over the chain as the server sent it
(docs/adr/0009-dane.md). The records were vouched for by the resolver before they come here.
"""

import _ssl
import datetime
import hashlib
import ssl
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509 import verification
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from gk.errors import GkError
from gk.net.dns import Tlsa

TRUST_ANCHOR, END_ENTITY = 2, 3  # usages DANE-TA and DANE-EE; SMTP uses no others, RFC 7672 §3.1.3
WHOLE, KEY = 0, 1  # selectors
EXACT, SHA256, SHA512 = 0, 1, 2  # matching types
RECORDS = 50  # looked at of one name
CHAIN = 10  # certificates looked at of one server

# What `cryptography` raises about certificates of strangers; TypeError, too, where a name is of an odd type.
_ODD = (
    ValueError, TypeError, OverflowError, UnsupportedAlgorithm, VerificationError,
    x509.InvalidVersion, x509.DuplicateExtension, x509.ExtensionNotFound, x509.UnsupportedGeneralNameType,
)  # fmt: skip
_LENGTHS = {SHA256: 32, SHA512: 64}


class Untrusted(GkError):
    """A server that mail may not go to this way.

    `result` says why in the words of RFC 8460 §4.3; `code` is 0 where it may be right later, 550 where it never is.
    """

    def __init__(self, text: str, result: str, code: int = 0) -> None:
        super().__init__(text)
        self.result, self.code = result, code


def usable(records: Sequence[Tlsa]) -> tuple[Tlsa, ...]:
    """The records to judge by: of sound form, and of several digests of a kind the strongest (RFC 7671 §9)."""
    sound = [record for record in records[:RECORDS] if _sound(record)]
    best: dict[tuple[int, int], int] = {}
    for record in sound:
        kind = record.usage, record.selector
        best[kind] = max(best.get(kind, 0), record.matching)
    return tuple(r for r in sound if r.matching in (EXACT, best[r.usage, r.selector]))


def _sound(record: Tlsa) -> bool:
    if record.usage not in (TRUST_ANCHOR, END_ENTITY) or record.selector not in (WHOLE, KEY):
        return False
    if record.matching in _LENGTHS:
        return len(record.data) == _LENGTHS[record.matching]
    if record.matching != EXACT:
        return False
    try:
        if record.selector == WHOLE:
            x509.load_der_x509_certificate(record.data)
        else:
            load_der_public_key(record.data)
    except _ODD:
        return False
    return True


def peer_chain(session: ssl.SSLObject) -> list[bytes]:
    """The certificates the server sent, in DER, its own first."""
    public = getattr(session, "get_unverified_chain", None)  # from Python 3.13 on
    if public is not None:
        return list(public() or ())
    found = session._sslobj.get_unverified_chain()  # type: ignore[attr-defined]  # there since 3.10, without a name
    return [certificate.public_bytes(_ssl.ENCODING_DER) for certificate in found or ()]


def judge(
    records: Sequence[Tlsa], chain: Sequence[bytes], names: Sequence[str], now: datetime.datetime | None = None
) -> None:
    """Return where one of the usable records proves the chain; raise Untrusted.

    `names` are those a certificate under a trust anchor may be for (RFC 7672 §3.2.2), in A-labels.
    """
    if not chain:
        raise Untrusted("the server showed no certificate", "validation-failure")
    # DANE-EE: names and dates do not matter, RFC 7672 §3.1.1
    if any(_matches(record, chain[0]) for record in records if record.usage == END_ENTITY):
        return
    anchors = _anchors(records, chain[1:CHAIN])
    if not anchors:
        raise Untrusted("the certificate is none of those the TLSA records name", "tlsa-invalid")
    _under(anchors, chain[:CHAIN], names, now or datetime.datetime.now(datetime.UTC))


def _matches(record: Tlsa, certificate: bytes) -> bool:
    """RFC 6698 §2.1.2 and §2.1.3."""
    selected = certificate
    if record.selector == KEY:
        try:
            key = x509.load_der_x509_certificate(certificate).public_key()
            selected = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        except _ODD:
            return False
    if record.matching == SHA256:
        selected = hashlib.sha256(selected).digest()
    elif record.matching == SHA512:
        selected = hashlib.sha512(selected).digest()
    return selected == record.data


def _anchors(records: Sequence[Tlsa], issuers: Sequence[bytes]) -> list[x509.Certificate]:
    """The trust anchors: certificates sent that a record names, and those that are in a record (RFC 7671 §5.2)."""
    wanted = [record for record in records if record.usage == TRUST_ANCHOR]
    found = [issuer for issuer in issuers if any(_matches(record, issuer) for record in wanted)]
    found += [record.data for record in wanted if (record.selector, record.matching) == (WHOLE, EXACT)]
    return _loaded(list(dict.fromkeys(found))[:CHAIN])


def _loaded(certificates: Sequence[bytes]) -> list[x509.Certificate]:
    loaded = []
    for certificate in certificates:
        try:
            loaded.append(x509.load_der_x509_certificate(certificate))
        except _ODD:
            continue
    return loaded


def _under(
    anchors: Sequence[x509.Certificate], chain: Sequence[bytes], names: Sequence[str], now: datetime.datetime
) -> None:
    """Return where the chain leads from an anchor to a certificate for one of the names (RFC 7672 §3.1.2)."""
    loaded = _loaded(chain)
    if not loaded or len(loaded) < len(chain):
        raise Untrusted("the certificates cannot be read", "validation-failure")
    leaf, others = loaded[0], loaded[1:]
    if any(_leads(anchors, leaf, others, name, now) for name in names):
        return
    if leaf.not_valid_after_utc < now:
        raise Untrusted("the certificate has expired", "certificate-expired")
    if any(_leads(anchors, leaf, others, name, now) for name in _names(leaf)):
        raise Untrusted("the certificate is for another name", "certificate-host-mismatch")
    raise Untrusted("the certificate does not lead to the trust anchor of the TLSA records", "certificate-not-trusted")


def _leads(
    anchors: Sequence[x509.Certificate],
    leaf: x509.Certificate,
    others: list[x509.Certificate],
    name: str,
    now: datetime.datetime,
) -> bool:
    try:
        verifier = (
            PolicyBuilder()
            .store(Store(list(anchors)))
            .time(now)
            .max_chain_depth(CHAIN)
            .extension_policies(ca_policy=_ISSUER, ee_policy=_LEAF)
            .build_server_verifier(x509.DNSName(name))
        )
        verifier.verify(leaf, others)
    except _ODD:
        return False
    return True


def _names(leaf: x509.Certificate) -> list[str]:
    """Some names it is for."""
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except _ODD:
        return []
    return [name.replace("*", "mx", 1) for name in found.get_values_for_type(x509.DNSName)[:3]]


def _is_issuer(policy: verification.Policy, certificate: x509.Certificate, found: x509.BasicConstraints) -> None:
    if not found.ca:
        raise ValueError("an issuer that is no authority")


def _signs(policy: verification.Policy, certificate: x509.Certificate, found: x509.KeyUsage | None) -> None:
    if found is not None and not found.key_cert_sign:
        raise ValueError("an issuer whose key is not for certificates")


# The house rules of private authorities are looser than those of the web: what makes an issuer an issuer, and a name.
_ISSUER = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _is_issuer)
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _signs)
)
_LEAF = ExtensionPolicy.permit_all().require_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
