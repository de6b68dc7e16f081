"""GK and a real Postfix write to each other."""

import asyncio
import smtplib
from collections.abc import Iterator

import pytest

from gk.events import MessageDelivered
from tests.flows.conftest import ALICE, House, mail
from tests.flows.postfix import Postfix, postfix

pytestmark = pytest.mark.peer
HOST = "127.0.0.7"


@pytest.fixture
def peer(gk: House) -> Iterator[Postfix]:
    gk.zone.domain("postfix.test", HOST)
    with postfix(HOST, gk.ports["mx"], gk.ports["mx"]) as running:
        yield running


async def test_postfix_gets_our_mail_encrypted_and_byte_for_byte(gk: House, peer: Postfix) -> None:
    content = mail(body=".\r\n..x\r\n" + "é" * 200 + "\r\n" + "y" * 900 + "\r\n")
    await gk.submit(content, "zoe@postfix.test", mail_options=["BODY=8BITMIME"])
    assert await gk.outcomes() == ["sent"]
    received = await asyncio.to_thread(peer.message)
    assert received.startswith(f"Return-Path: <{ALICE}>\r\n".encode())
    assert b"Received: from mail.example.test" in received
    assert b"with ESMTPS" in received
    assert received.endswith(content)


async def test_a_refusal_of_postfix_comes_back_as_a_report(gk: House, peer: Postfix) -> None:
    await gk.submit(mail("lost"), "nobody@postfix.test")
    assert await gk.outcomes() == ["failed"]
    (report,) = await gk.reports()
    assert report.recipients[0]["status"] == "5.1.1"
    assert report.recipients[0]["remote-mta"] == "dns; mx0.postfix.test"


async def test_postfix_confirms_the_delivery_where_it_was_asked_to(gk: House, peer: Postfix) -> None:
    with gk.rooms.store.bus.subscribe(MessageDelivered) as delivered:
        await gk.submit(mail("sure"), "zoe@postfix.test", mail_options=["ENVID=QQ7"], rcpt_options=["NOTIFY=SUCCESS"])
        await asyncio.wait_for(anext(delivered), 20)
    (report,) = await gk.reports()
    assert "<MAILER-DAEMON@mx0.postfix.test>" in report.message["From"]
    assert report.fields["original-envelope-id"] == "QQ7"
    assert report.recipients[0]["action"] == "delivered"


async def test_postfix_sends_to_us(gk: House, peer: Postfix) -> None:
    content = mail("from afar", "Hello.\r\n.dot\r\n", sender="zoe@postfix.test")

    def send() -> None:
        with smtplib.SMTP(HOST, gk.ports["mx"], "client.test", 20) as client:
            client.sendmail("zoe@postfix.test", [ALICE], content)

    with gk.rooms.store.bus.subscribe(MessageDelivered) as delivered:
        await asyncio.to_thread(send)
        await asyncio.wait_for(anext(delivered), 20)
    (received,) = await gk.inbox()
    assert received.endswith(content)
    assert b"with ESMTPS (TLSv1.3)" in received
