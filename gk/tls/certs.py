"""The certificates: PEM files of the configuration, or one GK makes and signs itself at the first start.

One server context serves every door; the client's SNI (RFC 6066 §3) chooses the certificate. `reload()` puts new
files in place for the handshakes that follow and keeps the old ones when the new are not usable.
"""

import asyncio.sslproto
import datetime
import ipaddress
import logging
import ssl
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gk import durable
from gk.config import Certificate, Config
from gk.errors import ConfigError

log = logging.getLogger(__name__)

# What asyncio sets aside to receive on each TLS connection, idle ones too. Its 256 KiB make 277 KiB a connection;
# with this it is 53 KiB, and large messages come in as fast.
RECEIVE_BUFFER = 32 << 10
asyncio.sslproto.SSLProtocol.max_size = RECEIVE_BUFFER

KEYS = "keys"
OWN_CHAIN, OWN_KEY = "self-signed.pem", "self-signed.key"
OWN_LIFE = datetime.timedelta(
    days=3650
)  # nobody but its first visitors vouches for it: a new one would only alarm them
RENEW_BEFORE = datetime.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Loaded:
    """One certificate ready to serve: its names in lower case and its context."""

    names: tuple[str, ...]
    context: ssl.SSLContext


class Certificates:
    """Every certificate and the context that serves them; raises ConfigError with the remedy."""

    def __init__(self, config: Config) -> None:
        self._loaded = _load(config)
        self.context = server_context()
        self.context.sni_callback = self._choose
        self._serve(self._loaded)

    @property
    def names(self) -> tuple[str, ...]:
        """All names of all certificates."""
        return tuple(name for loaded in self._loaded for name in loaded.names)

    def reload(self, config: Config) -> None:
        """Serve the files as they are now; on ConfigError everything stays as it was."""
        self._serve(_load(config))

    def find(self, name: str | None) -> ssl.SSLContext:
        """The context for a server name: an exact match, then a wildcard (RFC 6125 §6.4.3), then the first."""
        if name:
            wanted = name.lower().rstrip(".")
            for pattern in (wanted, "*." + wanted.partition(".")[2]):
                for loaded in self._loaded:
                    if pattern in loaded.names:
                        return loaded.context
        return self._loaded[0].context

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        connection.context = self.find(name)

    def _serve(self, loaded: Sequence[Loaded]) -> None:
        self._loaded = tuple(loaded)


def server_context() -> ssl.SSLContext:
    """TLS 1.2 and later, the server's side (RFC 8314 §4.1, RFC 8996)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    return context


def _load(config: Config) -> tuple[Loaded, ...]:
    if config.tls.certificates:
        base = config.path.parent if config.path else Path()
        return tuple(_load_one(base / entry.chain, base / entry.key, entry) for entry in config.tls.certificates)
    chain, key = config.data / KEYS / OWN_CHAIN, config.data / KEYS / OWN_KEY
    names = tuple(dict.fromkeys(_ascii(name.lower()) for name in (config.hostname, *config.domains)))
    try:
        if _still_good(chain, key, names):
            key.chmod(0o600)  # ours alone, also where a restored copy came with other rights
            return (_load_one(chain, key, None),)
    except ConfigError as error:  # nobody vouched for it: a damaged one is made anew
        log.warning("event=certificate_damaged reason=%s", error)
    make(chain, key, names)
    return (_load_one(chain, key, None),)


def _load_one(chain: Path, key: Path, entry: Certificate | None) -> Loaded:
    if entry is not None and not (entry.chain and entry.key):
        raise ConfigError("tls.certificates: every entry needs { chain = ..., key = ... }")
    certificate = _leaf(chain)
    _check_private(key)
    context = server_context()
    try:
        context.load_cert_chain(chain, key, password=_no_password)
    except ssl.SSLError as error:
        raise ConfigError(_explain(error, chain, key)) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{key}: cannot be used as the private key of {chain}: {error}") from None
    if certificate.not_valid_after_utc < datetime.datetime.now(datetime.UTC):
        log.warning("event=certificate_expired file=%s", chain)
    return Loaded(_names(certificate), context)


def _leaf(chain: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(chain.read_bytes())[0]
    except OSError as error:
        raise ConfigError(f"{chain}: cannot read the certificate: {error.strerror}; {_readable(chain)}") from None
    except (ValueError, IndexError):
        raise ConfigError(f"{chain}: holds no PEM certificate; it starts with -----BEGIN CERTIFICATE-----") from None


def _check_private(key: Path) -> None:
    """A key that every user of the machine can read is no secret."""
    try:
        mode = key.stat().st_mode
        with key.open("rb"):
            pass
    except OSError as error:
        raise ConfigError(f"{key}: cannot read the private key: {error.strerror}; {_readable(key)}") from None
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise ConfigError(f"{key}: every user of this machine can read this private key; run «chmod o= {key}»")


def _readable(path: Path) -> str:
    return f"give the user that runs gk the right to read it, or correct tls.certificates ({path.name})"


def _explain(error: ssl.SSLError, chain: Path, key: Path) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{key}: is not the private key of {chain}; name the two files that were issued together"
    return f"{key}: no private key that can be used: PEM and without a password; «openssl pkey -in {key}» shows it"


def _no_password() -> str:
    return ""  # without this, OpenSSL would ask at the terminal


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The names a certificate is for: its SANs, or its common name where it has none."""
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(attribute.value).lower() for attribute in common)
    return tuple(name.lower() for name in san.get_values_for_type(x509.DNSName))


def _still_good(chain: Path, key: Path, names: tuple[str, ...]) -> bool:
    if not chain.exists() or not key.exists():
        return False
    certificate = _leaf(chain)
    soon = datetime.datetime.now(datetime.UTC) + RENEW_BEFORE
    return set(_names(certificate)) == {n for n in names if not _address(n)} and certificate.not_valid_after_utc > soon


def make(chain: Path, key: Path, names: Sequence[str]) -> None:
    """Write a self-signed ECDSA P-256 certificate for `names` and its key, both 0600 in a 0700 directory."""
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    now = datetime.datetime.now(datetime.UTC)
    addresses = [x509.IPAddress(address) for name in names if (address := _address(name))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # clocks of clients
        .not_valid_after(now + OWN_LIFE)
        .add_extension(
            x509.SubjectAlternativeName([*(x509.DNSName(n) for n in names if not _address(n)), *addresses]),
            False,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        chain.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        chain.unlink(missing_ok=True)  # a crash between the two files leaves none, not a pair that does not match
        durable.replace(key, pem)
        durable.replace(chain, certificate.public_bytes(serialization.Encoding.PEM))
    except OSError as error:
        raise ConfigError(f"{chain.parent}: cannot keep the certificate there: {error.strerror}") from None
    log.info("event=certificate_made names=%s", ",".join(names))


def _ascii(name: str) -> str:
    try:
        return name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        raise ConfigError(f"{name}: cannot be written in a certificate; use its xn-- form") from None


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
