"""GK and a real chasquid write to each other, by MX and through a route with a login."""

import asyncio
import smtplib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gk.events import MessageDelivered
from tests.flows import chasquid as peers
from tests.flows.chasquid import DOMAIN, NAME, PASSWORD, USER, Chasquid
from tests.flows.conftest import ALICE, House, house, mail
from tests.strangers import Zone, free_port

pytestmark = pytest.mark.peer
HOST, RESOLVER = "127.0.0.7", "127.0.0.12"


@pytest.fixture
async def peer(gk: House) -> AsyncIterator[Chasquid]:
    """chasquid beside our server, with the same DNS."""
    peers.need()
    gk.zone.domain(DOMAIN, HOST)
    gk.zone.domain("example.test", "127.0.0.1")
    loop = asyncio.get_running_loop()
    door, _ = await loop.create_datagram_endpoint(lambda: Zone(gk.zone), local_addr=(RESOLVER, 53))
    running = peers.chasquid(HOST, gk.ports["mx"], free_port(HOST), RESOLVER)
    try:
        yield await asyncio.to_thread(running.__enter__)
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)
        door.close()


def log_in_and_send(peer: Chasquid, content: bytes, recipient: str) -> None:
    context = ssl.create_default_context(cafile=peer.ca)
    with smtplib.SMTP(HOST, peer.submission, "client.test", 20) as client:
        client._host = NAME  # type: ignore[attr-defined]  # the name its certificate is for
        client.starttls(context=context)
        client.login(USER, PASSWORD)
        client.sendmail(USER, [recipient], content, ["BODY=8BITMIME"])


async def test_chasquid_gets_our_mail_encrypted_and_byte_for_byte(gk: House, peer: Chasquid) -> None:
    content = mail(body=".\r\n..x\r\n" + "é" * 200 + "\r\n" + "y" * 900 + "\r\n")
    await gk.submit(content, USER, mail_options=["BODY=8BITMIME"])
    assert await gk.outcomes() == ["sent"]
    received = await asyncio.to_thread(peer.message)
    assert b"(mail.example.test)" in received and b"with ESMTPS" in received
    assert received.endswith(content)


async def test_a_refusal_of_chasquid_comes_back_as_a_report(gk: House, peer: Chasquid) -> None:
    await gk.submit(mail("lost"), f"nobody@{DOMAIN}")
    assert await gk.outcomes() == ["failed"]
    (report,) = await gk.reports()
    assert report.recipients[0]["final-recipient"] == f"rfc822; nobody@{DOMAIN}"
    assert report.recipients[0]["remote-mta"] == f"dns; {NAME}"


async def test_several_messages_go_over_one_session(gk: House, peer: Chasquid) -> None:
    for n in range(5):
        await gk.submit(mail(f"m{n}"), USER)
        assert await gk.outcomes() == ["sent"]
    subjects = {(await asyncio.to_thread(peer.message)).split(b"Subject: ")[1][:2] for _ in range(5)}
    assert subjects == {b"m0", b"m1", b"m2", b"m3", b"m4"}


async def test_chasquid_sends_to_us(gk: House, peer: Chasquid) -> None:
    content = mail("from chasquid", body="Grüße.\r\n.\r\n", sender=USER)
    with gk.rooms.store.bus.subscribe(MessageDelivered) as delivered:
        await asyncio.to_thread(log_in_and_send, peer, content, ALICE)
        await asyncio.wait_for(anext(delivered), 20)
    (received,) = await gk.inbox()
    assert b"by mail.example.test" in received and b"with ESMTPS" in received
    assert received.endswith("Grüße.\r\n.\r\n".encode())


async def test_what_we_refuse_chasquid_reports_to_its_sender(gk: House, peer: Chasquid) -> None:
    await asyncio.to_thread(log_in_and_send, peer, mail("lost", sender=USER), "nobody@example.test")
    report = await asyncio.to_thread(peer.message)
    assert b"nobody@example.test" in report and b"5.1.1" in report


ROUTE = """\
[[outbound.routes]]
domains = ["far.test"]
host = "{name}:{port}"
user = "{user}"
password_file = "password"
ca = "ca.pem"
"""


async def test_a_route_logs_in_at_chasquid_over_a_verified_session(gk: House, peer: Chasquid, tmp_path: Path) -> None:
    """chasquid takes mail for elsewhere from who logs in, and passes it on."""
    directory = tmp_path / "other"
    directory.mkdir()
    (directory / "password").touch(0o600)
    (directory / "password").write_text(PASSWORD)
    (directory / "ca.pem").write_bytes(peer.ca.read_bytes())
    far = await gk.stranger("far.test")
    outbound = ROUTE.format(name=NAME, port=peer.submission, user=USER)
    async with house(directory, domain="other.test", host="127.0.0.3", beside=gk, outbound=outbound) as other:
        gk.zone.domain("other.test", "127.0.0.3")
        await other.submit(mail("by route", sender="bob@other.test"), "yan@far.test", sender="bob@other.test")
        assert await other.outcomes() == ["sent"]
        received = await far.message()
        assert received.helo == NAME and b"Subject: by route\r\n" in received.content
        attempts = (await other.act("queue_trace", id=1))["attempts"]
        assert (attempts[0]["remote"], attempts[0]["tls"]) == (NAME, "TLSv1.3")
