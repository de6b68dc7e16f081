"""The server as a process of its own: signals, a kill at the wrong moment, what its log holds, the demo."""

import asyncio
import dataclasses
import imaplib
import json
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from gk.tls.certs import make
from tests.flows.conftest import mail
from tests.site import ALICE, PASSWORD, TOP, Site
from tests.strangers import Mx, MxSession, Zone, hang, zone

pytestmark = pytest.mark.slow  # each is a process or two
BOB = "bob@example.test"


@dataclasses.dataclass
class Town:
    """A site and the strangers around it."""

    site: Site
    zone: Zone
    stack: AsyncExitStack

    async def stranger(self, domain: str, *args: Any, host: str = "127.0.0.2", **kwargs: Any) -> Mx:
        self.zone.domain(domain, host)
        return await self.stack.enter_async_context(Mx(*args, **kwargs).serve(host, self.site.ports["outbound"]))

    async def submit(self, content: bytes, *recipients: str, sender: str = ALICE, password: str = PASSWORD) -> None:
        def work() -> None:
            with smtplib.SMTP("127.0.0.1", self.site.ports["submission"], "client.test", 20) as client:
                client.login(sender, password)
                client.sendmail(sender, recipients, content)

        await asyncio.to_thread(work)


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with AsyncExitStack() as stack:
        names = await stack.enter_async_context(zone())
        site = Site(tmp_path)
        site.write(site.path.read_text().replace(f":{site.ports['dns']}", f":{names.port}"))
        await asyncio.to_thread(site.add_alice)
        yield Town(site, names, stack)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_cleanly(site: Site, number: int) -> None:
    with site.served() as server, socket.create_connection(("127.0.0.1", site.ports["mx"])) as client:
        lines = client.makefile("rb")
        assert lines.readline().startswith(b"220 ")
        client.sendall(b"EHLO client.test\r\n")
        while not lines.readline().startswith(b"250 "):
            pass
        began = time.monotonic()
        assert server.stopped(number) == 0
        assert time.monotonic() - began < 30
        assert lines.readline() == b"421 4.3.2 Shutting down\r\n"
        lines.close()
        assert server.door.recv(100) == b"STOPPING=1"
    assert not (site.data / "gk.sock").exists()
    assert "Traceback" not in (site.directory / "log").read_text()


def recipient(site: Site, address: str) -> int:
    """What the exchanger says to a recipient."""
    with smtplib.SMTP("127.0.0.1", site.ports["mx"], "client.test", 20) as client:
        client.ehlo()
        client.mail("eve@far.test")
        return client.rcpt(address)[0]


def certificate(site: Site) -> bytes:
    """The certificate that a client is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP("127.0.0.1", site.ports["mx"], "client.test", 20) as client:
        client.starttls(context=context)
        assert isinstance(client.sock, ssl.SSLSocket)
        return client.sock.getpeercert(binary_form=True) or b""


def test_a_hang_up_signal_reloads_domains_aliases_and_certificates(site: Site) -> None:
    site.add_alice()
    for name in ("a", "b"):
        make(site.directory / f"{name}.pem", site.directory / f"{name}.key", ["mail.example.test"])
    site.append('[tls]\ncertificates = [{ chain = "a.pem", key = "a.key" }]\n')
    with site.served() as server:
        before = certificate(site)
        assert recipient(site, "info@example.test") == recipient(site, "alice@second.test") == 550
        text = site.path.read_text().replace('["example.test"]', '["example.test", "second.test"]')
        text = text.replace("a.pem", "b.pem").replace("a.key", "b.key")
        site.write(text + '[aliases]\n"info@example.test" = ["alice@example.test"]\n')
        server.reload()
        assert recipient(site, "info@example.test") == 250
        assert certificate(site) != before
        assert site.click("user", "add", "alice@second.test", "--password-stdin", input=PASSWORD).exit_code == 0
        assert recipient(site, "alice@second.test") == 250


def test_a_wrong_configuration_is_not_taken_over_by_a_reload(site: Site) -> None:
    site.add_alice()
    with site.served() as server:
        good = site.path.read_text()
        site.write(good + "nonsense = 5\n")
        server.reload()
        assert recipient(site, ALICE) == 250
        assert "event=reload_refused reason=" in (site.directory / "log").read_text()
        site.write(good)
        server.reload()
        assert recipient(site, ALICE) == 250


@pytest.mark.parametrize("step", ["EHLO", "DATA", "end"])
async def test_a_message_that_was_being_sent_when_the_server_was_killed_is_sent_by_the_next(
    town: Town, step: str
) -> None:
    reached = asyncio.Event()

    async def stuck(session: MxSession) -> None:
        reached.set()
        await hang(session)

    mx = await town.stranger("far.test", {step: stuck})
    with town.site.served() as server:
        await town.submit(mail("survivor"), "zoe@far.test")
        await asyncio.wait_for(reached.wait(), 20)
        server.process.kill()
        server.process.wait()
    mx.replies[step] = {"DATA": b"354 go\r\n", "end": b"250 kept\r\n"}.get(step, b"")
    if step == "EHLO":
        del mx.replies[step]
    with town.site.served():
        received = await mx.message()
        assert b"Subject: survivor" in received.content
    assert len(mx.kept) == 1
    with town.site.served():
        assert await asyncio.to_thread(town.site.json, "queue", "list") == []


async def test_the_queue_is_handled_by_commands(town: Town) -> None:
    mx = await town.stranger("far.test", {"MAIL": [b"451 4.3.0 not \x1b[31mnow\r\n", b"250 ok\r\n"]})

    async def gk(*arguments: str) -> str:
        done = await asyncio.to_thread(town.site.run, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with town.site.served():
        await town.submit(mail("waiting"), "zoe@far.test")
        async with asyncio.timeout(20):
            while "451" not in (listed := await gk("queue", "list")):
                pass
        heading, line = listed.splitlines()
        assert heading.split() == ["id", "sender", "recipient", "status", "attempts", "next", "size", "reply"]
        assert line.split()[:5] == ["1", ALICE, "zoe@far.test", "pending", "1"]
        assert line.endswith("451 4.3.0 not [31mnow") and line.isprintable()
        assert "held 1" in await gk("queue", "hold", "1")
        assert " held " in await gk("queue", "list")
        shown = await gk("queue", "show", "1")
        assert "Subject: waiting\n" in shown and "\r" not in shown
        assert json.loads(await gk("queue", "show", "1", "--json"))["message"]["held"] is True
        await gk("queue", "retry", "1")
        assert json.loads(await gk("queue", "release", "1", "--json")) == {"id": 1}
        await mx.message()


CANARIES = {
    "subject": "Kanarienvogel",
    "body": "Zeisig-im-Text",
    "password": "wrong-Stieglitz-9",
    "stranger": "zoe.zaunkoenig",
    "unknown": "niemand-gimpel",
    "helo": "helo-buchfink.test",
    "name": "Dompfaff",
}


async def test_no_log_holds_an_address_a_password_or_a_word_of_a_message(town: Town) -> None:
    """T16, through every door and its failures."""
    site, ports = town.site, town.site.ports
    site.append('[log]\nlevel = "debug"\nformat = "json"\n')
    refusal = f"550 5.1.1 <{CANARIES['stranger']}@far.test>: unknown\r\n".encode()
    await town.stranger("far.test", {"RCPT": [b"450 4.2.0 later\r\n", refusal]})

    def strangers() -> None:
        with smtplib.SMTP("127.0.0.1", ports["mx"], CANARIES["helo"], 20) as client:
            client.sendmail(f"{CANARIES['stranger']}@far.test", [ALICE], content)
            for argument in (f"<{CANARIES['unknown']}@example.test>", f"<{CANARIES['unknown']}@else.test>", "<\x07>"):
                client.docmd("MAIL", f"FROM:<{CANARIES['stranger']}@far.test>")
                client.docmd("RCPT", f"TO:{argument}")
                client.docmd(CANARIES["body"], CANARIES["subject"])
                client.docmd("RSET")
            client.docmd("MAIL", f"FROM:<{CANARIES['stranger']}@far.test>")
            client.docmd("RCPT", f"TO:<{ALICE}>")
            client.docmd("DATA")
            client.send(f"Subject: {CANARIES['subject']}\r\n\r\nbare\nline {CANARIES['body']}\r\n.\r\n".encode())
            client.getreply()

    def readers() -> None:
        with imaplib.IMAP4("127.0.0.1", ports["imap"], 20) as client:
            for name in (ALICE, f"{CANARIES['unknown']}@example.test"):
                with pytest.raises(imaplib.IMAP4.error):
                    client.login(name, CANARIES["password"])
            client.login(ALICE, PASSWORD)
            client.select()
            client.search(None, "SUBJECT", CANARIES["subject"])
            client.create(CANARIES["name"])
            client.append(CANARIES["name"], "", "", content)
            client.fetch("1", "(BODY[])")
            with pytest.raises(imaplib.IMAP4.error):
                client.fetch("1", CANARIES["body"])

    content = mail(CANARIES["subject"], CANARIES["body"] + "\r\n", From=f"{CANARIES['name']} <{ALICE}>")
    with site.served():
        with pytest.raises(smtplib.SMTPAuthenticationError):
            await town.submit(content, BOB, password=CANARIES["password"])
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await town.submit(content, f"{CANARIES['unknown']}@example.test")
        with pytest.raises(smtplib.SMTPDataError):
            await town.submit(content.replace(ALICE.encode(), BOB.encode()), ALICE)
        await town.submit(content, f"{CANARIES['stranger']}@far.test")
        await asyncio.to_thread(strangers)
        await asyncio.to_thread(readers)
        async with asyncio.timeout(20):
            while not (queue := await asyncio.to_thread(site.json, "queue", "list"))[0]["recipients"][0]["attempts"]:
                pass
        await asyncio.to_thread(site.click, "queue", "retry", str(queue[0]["id"]))
        async with asyncio.timeout(20):
            while await asyncio.to_thread(site.json, "queue", "list"):
                pass
        metrics = (await asyncio.to_thread(site.click, "status", "--metrics")).stdout
    log = (site.directory / "log").read_text()
    entries = [json.loads(line) for line in log.splitlines()]
    assert len(entries) >= 5
    assert not [entry for entry in entries if "traceback" in entry or entry["level"] in ("error", "critical")]
    for canary in (*CANARIES.values(), "alice", BOB, PASSWORD, "@example.test", "@far.test"):
        assert canary not in log
        assert canary not in metrics


def free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_the_demo_is_ready_at_once_and_its_commands_work(
    tmp_path: Path, record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
) -> None:
    if not all(map(free, (2525, 2587, 2465, 2143, 2993))):
        pytest.skip("another demo is running on this machine")
    for start in ("first", "second"):
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "gk", "demo", "--dir", str(tmp_path / "demo")],
            cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        try:
            first = process.stdout.readline()
            seconds = time.monotonic() - began
            record_property(f"{start}_start_seconds", round(seconds, 2))
            with capsys.disabled():
                print(f" [demo ready in {seconds:.2f} s]", end="")
            assert first == f"GK is running on this machine; everything is in {tmp_path / 'demo'}.\n"
            greeting = ""
            while not greeting.endswith("Stop with Ctrl-C.\n"):
                greeting += process.stdout.readline()
            with imaplib.IMAP4("127.0.0.1", 2143, 20) as client:
                client.login(ALICE, PASSWORD)
                messages = int(client.select()[1][0])
                assert messages >= 4
            if start == "first" and shutil.which("curl"):
                send, see = greeting.split("Send a mail as a stranger would:\n")[1].split("See it arrive:\n")
                assert subprocess.run(send, shell=True, capture_output=True, timeout=20).returncode == 0
                seen = subprocess.run(see.split("\n\n")[0], shell=True, capture_output=True, timeout=20).stdout
                assert f"MESSAGES {messages + 1}".encode() in seen
            process.send_signal(signal.SIGINT)
            assert process.wait(15) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()
