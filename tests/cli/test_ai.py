"""`gk ai models` and `gk ai ledger` (ai_models, ai_ledger), with a server and without one."""

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

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
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


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
        (line,) = site.json("ai", "ledger", ALICE)
    assert (line["model"], line["calls"], line["tokens_asked"], line["price"]) == ("small", 1, 1000, 0.0025)
    assert "small" in site.click("ai", "ledger").stdout
    assert "from 1 to 400" in site.run("ai", "ledger", "--days", "0").stderr
