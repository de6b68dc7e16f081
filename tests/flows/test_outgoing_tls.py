"""Mail leaves encrypted where it can (RFC 3207, RFC 7435), and through a smarthost only where it must be."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.conftest import House, house, mail
from tests.strangers import Mx, MxSession, drop, free_port

Tls = Callable[[str], ssl.SSLContext]


async def test_starttls_is_used_where_it_is_offered(gk: House, stranger_tls: Tls) -> None:
    mx = await gk.stranger("far.test", tls=stranger_tls("mx0.far.test"))
    await gk.submit(mail(), "zoe@far.test")
    assert (await mx.message()).tls == "TLSv1.3"
    await mx.idle()
    assert [line.split()[0] for line in mx.lines] == ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA", "QUIT"]


async def test_garbage_in_place_of_a_handshake_falls_back_to_plain_text(gk: House) -> None:
    async def garbage(session: MxSession) -> None:
        session.writer.write(b"220 go ahead\r\n")
        await session.reader.read(1)
        session.writer.write(b"\x00garbage that is no TLS record\r\n" * 10)

    mx = await gk.stranger("far.test", {"STARTTLS": garbage}, extensions=("STARTTLS", "8BITMIME"))
    await gk.submit(mail(), "zoe@far.test")
    assert (await mx.message()).tls is None
    assert mx.sessions == 2


async def test_a_connection_closed_at_the_handshake_falls_back_to_plain_text(gk: House) -> None:
    async def close(session: MxSession) -> None:
        session.writer.write(b"220 go ahead\r\n")
        await session.reader.read(1)
        await drop(session)

    mx = await gk.stranger("far.test", {"STARTTLS": close}, extensions=("STARTTLS",))
    await gk.submit(mail(), "zoe@far.test")
    assert (await mx.message()).tls is None


async def test_a_refused_starttls_goes_on_in_plain_text(gk: House) -> None:
    mx = await gk.stranger("far.test", {"STARTTLS": b"454 4.7.0 not now\r\n"}, extensions=("STARTTLS",))
    await gk.submit(mail(), "zoe@far.test")
    assert (await mx.message()).tls is None
    assert mx.sessions == 1


async def test_replies_sent_before_the_handshake_are_not_believed(gk: House, stranger_tls: Tls) -> None:
    injected = b"220 go ahead\r\n250-mx.evil.test\r\n250 8BITMIME\r\n550 5.0.0 injected\r\n"
    mx = await gk.stranger("far.test", {"STARTTLS": injected}, tls=stranger_tls("mx0.far.test"))
    await gk.submit(mail(), "zoe@far.test")
    received = await mx.message()
    assert received.tls == "TLSv1.3"
    assert "BODY=8BITMIME" not in received.mail or mx.lines.count("EHLO mail.example.test") == 2
    assert await gk.outcomes() == ["sent"]


def secret(path: Path, password: str) -> None:
    path.touch(0o600)
    path.write_text(password)


SMARTHOST = """\
smarthost = "localhost.test:{port}"
smarthost_tls = "{tls}"
smarthost_user = "gk@isp.test"
smarthost_password_file = "password"
"""


@pytest.mark.parametrize("kind", ["starttls", "tls"])
async def test_a_smarthost_takes_everything_over_verified_tls_with_a_login(
    tmp_path: Path, stranger_tls: Tls, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    context = stranger_tls("localhost.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "localhost.test.pem"))
    secret(tmp_path / "password", "sm4rt\n")
    port = free_port("127.0.0.5")
    async with house(tmp_path, outbound=SMARTHOST.format(port=port, tls=kind)) as gk:
        gk.zone.add("localhost.test", "A", "127.0.0.5")
        gk.ports["mx"] = port
        mx = await gk.mx("127.0.0.5", tls=context, implicit=kind == "tls", extensions=("AUTH PLAIN", "SIZE"))
        await gk.submit(mail(), "zoe@far.test", "yves@near.test")
        one, other = await mx.message(), await mx.message()
        assert {*one.rcpt, *other.rcpt} == {"<zoe@far.test>", "<yves@near.test>"}
        assert one.tls == "TLSv1.3"
        assert "AUTH PLAIN AGdrQGlzcC50ZXN0AHNtNHJ0" in mx.lines


async def test_a_smarthost_with_a_strange_certificate_gets_nothing(tmp_path: Path, stranger_tls: Tls) -> None:
    secret(tmp_path / "password", "sm4rt\n")
    port = free_port("127.0.0.5")
    async with house(tmp_path, outbound=SMARTHOST.format(port=port, tls="starttls")) as gk:
        gk.zone.add("localhost.test", "A", "127.0.0.5")
        gk.ports["mx"] = port
        mx = await gk.mx("127.0.0.5", tls=stranger_tls("localhost.test"), extensions=("AUTH PLAIN",))
        await gk.submit(mail(), "zoe@far.test")
        assert await gk.outcomes() == ["deferred"]
        assert not [line for line in mx.lines if line.startswith(("AUTH", "MAIL"))]
        assert "TLS failed" in (await gk.queue())[0]["recipients"][0]["reply"]


async def test_a_smarthost_without_starttls_gets_no_password(tmp_path: Path) -> None:
    secret(tmp_path / "password", "sm4rt\n")
    port = free_port("127.0.0.5")
    async with house(tmp_path, outbound=SMARTHOST.format(port=port, tls="starttls")) as gk:
        gk.zone.add("localhost.test", "A", "127.0.0.5")
        gk.ports["mx"] = port
        mx = await gk.mx("127.0.0.5", extensions=("AUTH PLAIN",))
        await gk.submit(mail(), "zoe@far.test")
        assert await gk.outcomes() == ["deferred"]
        assert not [line for line in mx.lines if line.startswith(("AUTH", "MAIL"))]


async def test_a_wrong_smarthost_password_bounces_nobodys_mail(
    tmp_path: Path, stranger_tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = stranger_tls("localhost.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "localhost.test.pem"))
    secret(tmp_path / "password", "wrong\n")
    port = free_port("127.0.0.5")
    async with house(tmp_path, outbound=SMARTHOST.format(port=port, tls="tls")) as gk:
        gk.zone.add("localhost.test", "A", "127.0.0.5")
        gk.ports["mx"] = port
        refusal = {"AUTH": b"535 5.7.8 bad credentials\r\n"}
        await gk.mx("127.0.0.5", refusal, tls=context, implicit=True, extensions=("AUTH PLAIN",))
        await gk.submit(mail(), "zoe@far.test")
        assert await gk.outcomes() == ["deferred"]
        assert "535 5.7.8" in (await gk.queue())[0]["recipients"][0]["reply"]
        assert await gk.reports() == []


ROUTES = """\
[[outbound.routes]]
domains = ["partner.test", ".partner.test"]
host = "relay.test:{port}"
tls = "starttls"
user = "gk"
password_file = "password"
ca = "relay.test.pem"
[[outbound.routes]]
domains = ["refused.test"]
host = "127.0.0.6:{port}"
tls = "none"
[outbound.source]
"example.test" = ["127.0.0.9"]
"""


async def test_each_domain_takes_its_route_from_the_address_of_its_sender(tmp_path: Path, stranger_tls: Tls) -> None:
    context = stranger_tls("relay.test")
    secret(tmp_path / "password", "s3cr3t\n")
    seen: list[str] = []

    async def note(session: MxSession) -> None:
        seen.append(session.writer.get_extra_info("peername")[0])
        session.writer.write(b"220 ready\r\n")

    port = free_port("127.0.0.5", "127.0.0.6")
    async with house(tmp_path, outbound=ROUTES.format(port=port)) as gk:
        own = await gk.stranger("far.test", {"banner": note})
        gk.zone.add("relay.test", "A", "127.0.0.5")
        relay = Mx({"banner": note}, tls=context, extensions=("AUTH PLAIN", "SIZE"))
        await gk.stack.enter_async_context(relay.serve("127.0.0.5", port))
        await gk.submit(mail(), "zoe@far.test", "yves@partner.test", "xi@eu.partner.test", "wu@refused.test")
        through = [await relay.message(), await relay.message()]
        assert sorted(each.rcpt[0] for each in through) == ["<xi@eu.partner.test>", "<yves@partner.test>"]
        assert through[0].tls == "TLSv1.3" and (await own.message()).rcpt == ["<zoe@far.test>"]
        assert sorted(await gk.outcomes(4)) == ["deferred", "sent", "sent", "sent"]
        (waiting,) = [r for r in (await gk.queue())[0]["recipients"] if r["status"] == "pending"]
        assert waiting["reply"] == "no connection to 127.0.0.6 (Connection refused)"
    assert set(seen) == {"127.0.0.9"}
