"""No password, address or subject reaches the log or the metrics, and nothing a client says forges a log line."""

import base64
import json
import re
from pathlib import Path

import pytest

from gk.control.client import call
from tests.attacks.wire import imap, smtp
from tests.server import PASSWORD, Running, running

CANARY = "canary4711"
LOG = """
[log]
level = "debug"
format = "{form}"
[outbound]
smarthost = "127.0.0.1:1"
smarthost_tls = "none"
"""
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (?:debug|info|warning|error|critical) [a-z._]+ \S.*|  .*")


async def talk(server: Running) -> None:
    """Say the canary in every way there is, also where it fails."""
    await by_smtp(server)
    await by_submission(server)
    await by_imap(server)


async def by_smtp(server: Running) -> None:
    async with smtp(server, hello=False) as client:
        await client.reply()
        for line in (
            f"EHLO {CANARY}.example", f"HELO {CANARY}", f"EHLO {CANARY}\x1b[31m", f"{CANARY} {CANARY}",
            f"VRFY {CANARY}@example.test", f"MAIL FROM:<{CANARY}@example.org> X={CANARY}",
            f"MAIL FROM:<{CANARY}@example.org>", f"RCPT TO:<{CANARY}@example.test>",
            f"RCPT TO:<{CANARY}@elsewhere.example>", f"RCPT TO:<{CANARY} event=forged>",
            f"RCPT TO:<alice+{CANARY}@example.test>", "RCPT TO:<alice@example.test>",
        ):  # fmt: skip
            await client.say(line.encode())
        reply = await client.data(f"Subject: {CANARY}\r\nFrom: {CANARY}@x.example\r\n\r\n{CANARY}\r\n.\r\n".encode())
        assert reply.startswith("250")
    refused = (f"Subject: {CANARY}\nX: y\r\n\r\n", f"{CANARY}: y\r\n" * 90_000, "Received: x\r\n" * 60 + CANARY)
    async with smtp(server) as client:
        client.send(f"EHLO {CANARY}\nevent=forged\r\n".encode())
        assert [(await client.reply())[:3] for _ in range(2)] == ["500", "500"]
        for content in refused:
            await client.envelope("alice@example.test", sender=f"{CANARY}@example.org")
            assert (await client.data(f"{content}\r\n.\r\n".encode())).startswith("5")


async def by_submission(server: Running) -> None:
    tokens = [
        f"\0alice@example.test\0{CANARY}-password",
        f"{CANARY}\0{CANARY}\0{CANARY}",
        f"\0{CANARY}\0{CANARY}-password",
    ]
    for token in tokens:
        async with smtp(server, "submissions", source="127.40.0.1") as client:
            assert (await client.say("AUTH PLAIN " + base64.b64encode(token.encode()).decode())).startswith("5")
    async with smtp(server, "submissions") as client:
        assert (await client.login()).startswith("235")
        assert (await client.say(f"MAIL FROM:<{CANARY}@example.test>")).startswith("553")
        await client.envelope(f"{CANARY}@elsewhere.example", sender="alice@example.test")
        forged = f"From: {CANARY}@example.test\r\nSubject: {CANARY}\r\n\r\nx\r\n.\r\n"
        assert (await client.data(forged.encode())).startswith("550")
        await client.envelope(f"{CANARY}@elsewhere.example", sender="alice@example.test")
        assert (await client.data(f"Subject: {CANARY}\r\n\r\n{CANARY}\r\n.\r\n".encode())).startswith("250")


async def by_imap(server: Running) -> None:
    async with imap(server, source="127.41.0.1") as client:
        for command in (
            f"LOGIN alice@example.test {CANARY}-password", f"LOGIN {CANARY}@example.test {PASSWORD}",
            f"LOGIN {CANARY} {CANARY}", f"{CANARY} {CANARY}", f"SELECT {CANARY}",
            "AUTHENTICATE PLAIN " + base64.b64encode(f"\0{CANARY}\0{CANARY}".encode()).decode(),
        ):  # fmt: skip
            assert not (await client.say(command)).startswith("OK")
    async with imap(server, "alice", "INBOX") as client:
        await client.ok(f"CREATE {CANARY}")
        for command in (
            f"SEARCH TEXT {CANARY}", f"SEARCH SUBJECT {CANARY}", f"CREATE {CANARY}", f"SELECT {CANARY}/none",
            f"RENAME {CANARY} {CANARY}2", f"STORE 1 +FLAGS (${CANARY})", f"APPEND {CANARY}3 {{5+}}\r\nhello",
            f"COPY 1 {CANARY}4", f'ID ("name" "{CANARY}")', f'LIST "" {CANARY}*', f"{CANARY} x",
            f"FETCH 1 (ENVELOPE BODY[HEADER.FIELDS (X-{CANARY})] BODY[])", f"DELETE {CANARY}2",
        ):  # fmt: skip
            assert await client.say(command)


@pytest.mark.parametrize("form", ["text", "json"])
async def test_what_clients_say_stays_out_of_the_log_and_the_metrics(tmp_path: Path, form: str) -> None:
    with running(tmp_path, LOG.format(form=form)) as server:
        await talk(server)
        metrics = call(server.data, "status", {"metrics": True})["metrics"]
        for item in call(server.data, "queue_list", {})["messages"]:
            server.gk("queue", "retry", str(item["id"]), check=False)
        server.gk("user", "add", f"{CANARY}@example.test", "--password-stdin", stdin=f"{CANARY}-password\n")
        server.gk("user", "remove", f"{CANARY}@example.test", "--yes", check=False)
    log = server.log.read_text()
    assert len(log.splitlines()) > 3
    for secret in (CANARY, PASSWORD, "alice", base64.b64encode(CANARY.encode()).decode()[:10], "event=forged"):
        assert secret.lower() not in log.lower(), [line for line in log.splitlines() if secret.lower() in line.lower()][
            :3
        ]
        assert secret not in metrics
    for line in log.splitlines():
        if form == "json":
            assert json.loads(line)["level"]
        else:
            assert LINE.fullmatch(line) and line.isprintable(), line
    assert "Traceback" not in log
