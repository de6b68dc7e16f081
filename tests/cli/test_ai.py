"""`gk ai models` and `gk ai ledger` (ai_models, ai_ledger), with a server and without one."""

import asyncio
import json
import smtplib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.cli.test_reports import _deliver
from tests.inbound.spam.test_rules import message
from tests.site import ALICE, Site

SUMMARY = {"choices": [{"message": {"content": '{"summary": "It leaks."}'}}], "usage": {"prompt_tokens": 1000}}


class _Answers(BaseHTTPRequestHandler):
    """Knows the model «small», and always says the same."""

    def do_GET(self) -> None:
        self._say({"data": [{"id": "small"}]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._say(SUMMARY)

    def _say(self, value: object) -> None:
        self._send(json.dumps(value).encode())

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def talker(steps: list[dict[str, Any]]) -> Iterator[str]:
    """A model that takes these turns, one after the other."""

    class Talks(_Answers):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            chunk = {"choices": [{"delta": steps.pop(0), "finish_reason": "stop"}]}
            self._send(b"data: " + json.dumps(chunk).encode() + b"\n\ndata: [DONE]\n\n")

    with ThreadingHTTPServer(("127.0.0.1", 0), Talks) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def test_models_are_looked_for_and_what_they_cost_is_shown(site: Site, url: str) -> None:
    site.add_alice()
    assert site.click("ai", "models").stdout == "no model is configured\n"
    site.append(f'[[ai.models]]\nurl = "{url}"\nmodel = "small"\nprice_asked = 2.5\n')
    site.append('[[ai.models]]\nurl = "http://127.0.0.1:1/v1"\nmodel = "gone"\n')
    states = [(one["model"], one["remote"], one["reason"]) for one in site.json("ai", "models", "--probe")]
    assert states == [("small", False, ""), ("gone", False, "it cannot be reached (ConnectError)")]
    assert site.click("ai", "ledger").stdout == "no model was asked\n"
    asyncio.run(_deliver(site.data, message("The roof leaks.", Subject="Roof", From="Ann <ann@far.test>")))
    with site.served():
        said = site.json("ask", ALICE, "summarise the last mail from Ann")
        assert "It leaks." in said["answer"]
        lines = {line["model"]: line for line in site.json("ai", "ledger", ALICE)}
    small = lines["small"]
    assert small["calls"] - small["failed"] == 1, "it cannot talk, so it was asked for a summary alone"
    assert (small["tokens_asked"], small["price"]) == (1000, 0.0025)
    assert "small" in site.click("ai", "ledger").stdout
    assert "from 1 to 400" in site.run("ai", "ledger", "--days", "0").stderr


ASKS = "Could you please send me the signed contract by Thursday? I need it for the notary. Regards, Zoe"


def test_answers_are_listed_replayed_stopped_and_resumed(site: Site) -> None:
    site.add_alice()
    assert "there are no rules" in site.click("ai", "status").stdout
    assert "there are no rules" in site.fails(1, "ai", "replay")
    fields = {"From": "Zoe <zoe@far.test>", "To": ALICE, "Message-ID": "<1@far.test>"}
    asyncio.run(_deliver(site.data, message(ASKS, **fields)))
    site.append('[[replies.rules]]\nname = "ack"\ntemplate = "acknowledgement"\n')
    assert "rule «ack»: draft, template acknowledgement" in site.click("ai", "status").stdout
    with site.served():
        found = site.json("ai", "replay", "--since", "2w", "--as", ALICE)
        assert [(row["message"], row["would"], row["rule"]) for row in found["messages"]] == [("G1", "draft", "ack")]
        assert "1 messages: 1 draft" in site.click("ai", "replay").stdout
        assert site.click("ai", "replies").stdout == "nothing was looked at\n"
        assert "no more answers for anybody; nothing waited" in site.click("ai", "stop").stdout
        assert "stopped for all since" in site.click("ai", "status").stdout
        assert site.json("ai", "stop", "--as", ALICE) == {"address": ALICE, "held": 0}
        assert f"stopped for {ALICE}" in site.click("ai", "status").stdout
        assert "answers again for anybody" in site.click("ai", "resume").stdout
        assert site.json("ai", "resume", "--as", ALICE) == {"address": ALICE, "unanswered": 0}
        assert site.json("ai", "replies", "--state", "completed") == []
        assert "a state is one of" in site.run("ai", "replies", "--state", "x").stderr
    assert site.run("ai", "replay", "--since", "soon").returncode == 2


def test_why_tells_what_was_answered_by_which_rule_and_why_not(site: Site) -> None:
    site.add_alice()
    site.append('[[replies.rules]]\nname = "ack"\ntemplate = "acknowledgement"\n')
    with site.served():
        with smtplib.SMTP("127.0.0.1", site.ports["mx"], "mx.far.test", 20) as client:
            for number, precedence in ((1, "first-class"), (2, "bulk")):
                fields = {"From": "Zoe <zoe@far.test>", "To": ALICE, "Precedence": precedence}
                raw = message(ASKS, **fields, **{"Message-ID": f"<{number}@far.test>"})
                client.sendmail("zoe@far.test", ALICE, raw)
        end = time.monotonic() + 60
        while len(found := site.json("ai", "replies")) < 2 or any(row["state"] == "pending" for row in found):
            assert time.monotonic() < end, found
        silent, answered = found
        told = site.click("why", answered["message"]).stdout.splitlines()
        assert f"answered for {ALICE}: completed, draft {answered['made']}, rule «ack»" in told
        assert told[-1].endswith("template acknowledgement; confidence 1; 1 attempts") or "confidence 0." in told[-1]
        told = site.click("why", silent["message"]).stdout.splitlines()
        assert told[-2:] == [f"answered for {ALICE}: skipped, no answer", "  it is bulk mail"]


def test_a_template_that_cannot_be_used_is_said_by_config_check(site: Site) -> None:
    (site.directory / "forms").mkdir()
    (site.directory / "forms/own.en.txt").write_text("{{ nobody }}")
    site.append('[replies]\ntemplates = "forms"\n[[replies.rules]]\nname = "own"\ntemplate = "own"\nlanguages = "en"\n')
    assert "unknown variable nobody" in site.fails(78, "config", "check")
    (site.directory / "forms/own.en.txt").write_text("Thank you.")
    assert "is well" in site.click("config", "check").stdout
