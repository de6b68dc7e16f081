"""REQUIRETLS from the user's program to the other side (RFC 8689)."""

import asyncio
import smtplib
import ssl

import pytest

from tests.flows.conftest import ALICE, PASSWORD, House, mail


def _send(gk: House, *options: str, secure: bool = True) -> None:
    with smtplib.SMTP("127.0.0.1", gk.ports["submission"], "client.test", 20) as client:
        if secure:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            client.starttls(context=context)
        client.login(ALICE, PASSWORD)
        assert client.has_extn("requiretls") == secure
        client.sendmail(ALICE, ["zoe@far.test"], mail(), options)


async def test_a_message_that_requires_tls_does_not_go_where_nothing_proves_the_server(gk: House) -> None:
    mx = await gk.stranger("far.test")
    await asyncio.to_thread(_send, gk, "REQUIRETLS")
    assert await gk.outcomes() == ["failed"]
    (report,) = await gk.reports()
    assert report.recipients[0]["status"] == "5.7.10"
    assert mx.kept == []


async def test_it_is_not_taken_in_clear(gk: House) -> None:
    with pytest.raises(smtplib.SMTPSenderRefused, match="Unknown parameter"):
        await asyncio.to_thread(_send, gk, "REQUIRETLS", secure=False)


async def test_without_it_the_same_message_goes(gk: House) -> None:
    mx = await gk.stranger("far.test")
    await asyncio.to_thread(_send, gk)
    assert (await mx.message()).rcpt == ["<zoe@far.test>"]
