"""A real client: swaks, over each port."""

import asyncio
import os
import shutil

import pytest

from tests.smtp.conftest import ALICE, PASSWORD, House

pytestmark = pytest.mark.peer


def missing(what: str) -> None:
    """Skip, but never where all peers are promised to be there."""
    assert not os.environ.get("CI"), what
    pytest.skip(what)


async def swaks(*arguments: str) -> tuple[int, str]:
    if shutil.which("swaks") is None:
        missing("swaks is not installed: apt-get install swaks")
    process = await asyncio.create_subprocess_exec(
        "swaks", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    text = output.decode()
    if "TLS not available" in text:
        missing("swaks has no TLS: apt-get install libnet-ssleay-perl")
    return process.returncode, text


@pytest.mark.parametrize("options", [(), ("--pipeline",), ("--protocol", "SMTP"), ("--tls",)])
async def test_swaks_delivers(strict: House, options: tuple[str, ...]) -> None:
    where = ("--server", f"127.0.0.1:{strict.mx}", "--from", "eve@example.org", "--to", ALICE)
    code, output = await swaks(*where, *options)
    assert code == 0, output
    (message,) = await strict.inbox()
    assert b"X-Mailer: swaks" in message


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize(("role", "tls"), [("submission", ""), ("submission", "--tls"), ("submissions", "--tlsc")])
async def test_swaks_submits_after_a_login_only(smtp: House, role: str, tls: str, mechanism: str) -> None:
    where = ["--server", f"127.0.0.1:{smtp.ports[role]}", "--from", ALICE, "--to", "x@elsewhere.example"]
    where += [tls] if tls else []
    code, output = await swaks(*where, "--auth", mechanism, "--auth-user", ALICE, "--auth-password", PASSWORD)
    assert code == 0, output
    code, _ = await swaks(*where)
    assert code != 0
    assert len(smtp.outbox.sent) == 1
