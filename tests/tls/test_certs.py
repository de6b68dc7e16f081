"""Certificates: made, read, chosen, reloaded, refused."""

import asyncio
import contextlib
import dataclasses
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509

from gk.config import Certificate, Config, Tls
from gk.errors import ConfigError
from gk.tls import certs
from gk.tls.certs import Certificates, make


def config(tmp_path: Path, *pairs: tuple[Path, Path]) -> Config:
    entries = tuple(Certificate(str(chain), str(key)) for chain, key in pairs)
    return Config(
        hostname="mail.example.org", domains=("example.org",), data=tmp_path / "data", tls=Tls(certificates=entries)
    )


def pair(tmp_path: Path, name: str, *names: str) -> tuple[Path, Path]:
    chain, key = tmp_path / f"{name}.pem", tmp_path / f"{name}.key"
    make(chain, key, names or (name,))
    return chain, key


@contextlib.asynccontextmanager
async def serving(context: ssl.SSLContext) -> AsyncIterator[int]:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


async def names_shown(port: int, server_name: str | None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> set[str]:
    """The names in the certificate a client is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=server_name or "")
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    certificate = x509.load_der_x509_certificate(shown)
    san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(san.get_values_for_type(x509.DNSName))


def test_the_first_start_makes_a_certificate_that_the_next_one_keeps(tmp_path: Path) -> None:
    first = Certificates(config(tmp_path))
    assert first.names == ("mail.example.org", "example.org")
    keys = tmp_path / "data" / "keys"
    assert {path.name: path.stat().st_mode & 0o777 for path in keys.iterdir()} == {
        "self-signed.pem": 0o600,
        "self-signed.key": 0o600,
    }
    assert keys.stat().st_mode & 0o777 == 0o700
    made = (keys / "self-signed.pem").read_bytes()
    Certificates(config(tmp_path))
    assert (keys / "self-signed.pem").read_bytes() == made


def test_other_names_or_a_lost_half_make_another_certificate(tmp_path: Path) -> None:
    before = config(tmp_path)
    Certificates(before)
    more = dataclasses.replace(before, domains=("example.org", "exämple.net"))
    assert "xn--exmple-cua.net" in Certificates(more).names
    (tmp_path / "data" / "keys" / "self-signed.key").unlink()
    assert "xn--exmple-cua.net" in Certificates(more).names


def test_an_address_may_stand_for_a_name(tmp_path: Path) -> None:
    bare = dataclasses.replace(config(tmp_path), hostname="127.0.0.1")
    Certificates(bare)
    made = (tmp_path / "data" / "keys" / "self-signed.pem").read_bytes()
    Certificates(bare)
    assert (tmp_path / "data" / "keys" / "self-signed.pem").read_bytes() == made


async def test_the_name_a_client_asks_for_chooses_the_certificate(tmp_path: Path) -> None:
    served = Certificates(
        config(
            tmp_path,
            pair(tmp_path, "mail.example.org"),
            pair(tmp_path, "wild", "*.example.net"),
            pair(tmp_path, "exact.example.net"),
        )
    )
    async with serving(served.context) as port:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            assert await names_shown(port, "MAIL.example.org", version) == {"mail.example.org"}
            assert await names_shown(port, "imap.example.net", version) == {"*.example.net"}
            assert await names_shown(port, "exact.example.net", version) == {"exact.example.net"}
            assert await names_shown(port, "a.b.example.net", version) == {"mail.example.org"}
            assert await names_shown(port, "unknown.test", version) == {"mail.example.org"}
            assert await names_shown(port, None, version) == {"mail.example.org"}


async def test_new_files_are_served_without_a_restart(tmp_path: Path) -> None:
    chain, key = pair(tmp_path, "one", "old.example.org")
    settings = config(tmp_path, (chain, key))
    served = Certificates(settings)
    async with serving(served.context) as port:
        assert await names_shown(port, None) == {"old.example.org"}
        make(chain, key, ("new.example.org",))
        served.reload(settings)
        assert await names_shown(port, None) == {"new.example.org"}
        assert served.names == ("new.example.org",)
        key.write_text("nothing")
        with pytest.raises(ConfigError):
            served.reload(settings)
        assert await names_shown(port, None) == {"new.example.org"}


async def test_tls_before_1_2_is_not_spoken(tmp_path: Path) -> None:
    assert Certificates(config(tmp_path)).context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_certificate_that_cannot_be_used_is_one_line_with_a_remedy(tmp_path: Path) -> None:
    chain, key = pair(tmp_path, "one")
    other_chain, other_key = pair(tmp_path, "two")
    garbage = tmp_path / "garbage"
    garbage.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    garbage.chmod(0o600)
    encrypted = tmp_path / "encrypted.key"
    encrypted.write_text(
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAg\n"
        "-----END ENCRYPTED PRIVATE KEY-----\n"
    )
    encrypted.chmod(0o600)
    readable = tmp_path / "readable.key"
    readable.write_bytes(key.read_bytes())
    readable.chmod(0o644)
    cases = [
        ((tmp_path / "missing", key), "No such file"),
        ((chain, tmp_path / "missing"), "No such file"),
        ((garbage, key), "no PEM certificate"),
        ((chain, other_key), "not the private key of"),
        ((other_chain, key), "not the private key of"),
        ((chain, garbage), "no private key that can be used"),
        ((chain, encrypted), "no private key that can be used"),
        ((chain, readable), "chmod"),
        ((tmp_path, key), "Is a directory"),
    ]
    for files, words in cases:
        with pytest.raises(ConfigError) as refused:
            Certificates(config(tmp_path, files))
        assert words in str(refused.value), files
        assert "\n" not in str(refused.value)
    with pytest.raises(ConfigError):
        Certificates(dataclasses.replace(config(tmp_path), tls=Tls(certificates=(Certificate("", ""),))))


def test_certificate_files_are_named_from_where_the_configuration_lies(tmp_path: Path) -> None:
    pair(tmp_path, "one", "relative.example.org")
    settings = Config(
        domains=("example.org",),
        data=tmp_path / "data",
        path=tmp_path / "gk.toml",
        tls=Tls(certificates=(Certificate("one.pem", "one.key"),)),
    )
    assert Certificates(settings).names == ("relative.example.org",)


def test_each_tls_connection_sets_little_memory_aside() -> None:
    assert asyncio.sslproto.SSLProtocol.max_size == certs.RECEIVE_BUFFER == 32 << 10
