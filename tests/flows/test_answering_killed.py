"""The server is killed while it answers: after the next start there is exactly one answer, whenever the kill came."""

import asyncio
import imaplib
import json
import os
import signal
import smtplib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gk.control.client import call
from gk.errors import GkError
from tests.flows.answering import good, letter
from tests.server import PASSWORD, Running, prepared

ALICE = "alice@example.test"
PATIENCE = 60.0


class Model:
    """A model that says when it is asked, and answers when it may."""

    def __init__(self) -> None:
        self.asked, self.may, self.calls = threading.Event(), threading.Event(), 0


@contextmanager
def serving(model: Model) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say({})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            model.calls += 1
            model.asked.set()
            model.may.wait(PATIENCE)
            self._say({"choices": [{"message": {"content": json.dumps(good())}}]})

        def _say(self, value: Any) -> None:
            body = json.dumps(value).encode()
            try:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                pass  # it was killed meanwhile

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        model.may.set()
        server.shutdown()


def messages(server: Running, mailbox: str) -> int:
    with imaplib.IMAP4("127.0.0.1", server.ports["starttls"], 20) as client:
        client.login(ALICE, PASSWORD)
        return int(client.select(mailbox, readonly=True)[1][0] or b"0")


async def completed(server: Running, count: int) -> list[dict[str, Any]]:
    """What became of so many messages, once each has its answer."""
    async with asyncio.timeout(PATIENCE):
        while True:
            rows = (await asyncio.to_thread(call, server.data, "ai_replies", {}))["replies"]
            if len(rows) == count and all(row["state"] == "completed" for row in rows):
                return rows  # type: ignore[no-any-return]
            await asyncio.sleep(0.05)  # another process cannot tell


def bring(server: Running, number: int) -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["mx"], "mx.far.test", 20) as client:
        client.sendmail("zoe@far.test", ALICE, letter(number=number))


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def server(tmp_path: Path, model: Model) -> Iterator[Running]:
    with serving(model) as url:
        more = f'[[ai.models]]\nurl = "{url}"\nmodel = "m"\n[replies]\ndrafts_per_sender = 1000\n'
        opened = prepared(tmp_path, more + '[[replies.rules]]\nname = "all"\n')
        yield opened
        if opened.process is not None:
            opened.stop()


async def test_a_kill_while_the_model_thinks_leaves_exactly_one_answer(server: Running, model: Model) -> None:
    await asyncio.to_thread(server.start)
    await asyncio.to_thread(bring, server, 1)
    assert await asyncio.to_thread(model.asked.wait, PATIENCE)
    await asyncio.to_thread(server.stop, signal.SIGKILL)
    model.may.set()
    await asyncio.to_thread(server.start)
    (row,) = await completed(server, 1)
    assert row["made"] and row["attempts"] == 2 and model.calls == 2
    assert await asyncio.to_thread(messages, server, "Drafts") == 1


@pytest.mark.timeout(300)
@pytest.mark.parametrize("place", ["units-done", "committed"])
async def test_a_kill_before_or_after_any_commit_leaves_exactly_one_answer(
    server: Running, model: Model, place: str
) -> None:
    """Killed at one commit after the other, until a mail is answered before it comes to that.

    Before the odd ones and after the even ones, or at all of them with GK_FUZZ=1.
    """
    model.may.set()
    for number in range(1, 60) if os.environ.get("GK_FUZZ") else range(1 + (place == "committed"), 60, 2):
        server.environment = {"GK_CRASH_AT": f"{place}:{number}"}
        survived = await asyncio.to_thread(brought, server, number)
        if survived:
            survived = await answered_before_the_kill(server)
        await asyncio.to_thread(server.stop, signal.SIGKILL)
        server.environment = {}
        await asyncio.to_thread(server.start)
        came = await asyncio.to_thread(messages, server, "INBOX")
        await completed(server, came)
        assert await asyncio.to_thread(messages, server, "Drafts") == came, number
        await asyncio.to_thread(server.stop)
        if survived:
            break
    assert survived and came >= 3, "the kills went through all that happens to a mail"


def brought(server: Running, number: int) -> bool:
    """Start it and hand a mail over; false where it died before the mail was taken."""
    try:
        server.start()
        bring(server, number)
    except (AssertionError, OSError, smtplib.SMTPException):
        assert server.process is not None
        server.process.wait(PATIENCE)
        return False
    return True


async def answered_before_the_kill(server: Running) -> bool:
    """Whether the mail is answered while the server lives."""
    assert server.process is not None
    async with asyncio.timeout(PATIENCE):
        while server.process.poll() is None:
            try:
                rows = (await asyncio.to_thread(call, server.data, "ai_replies", {}))["replies"]
            except GkError:
                continue
            if rows and all(row["state"] == "completed" for row in rows):
                return server.process.poll() is None
            await asyncio.sleep(0.05)  # another process cannot tell
    return False
