"""The outgoing HTTP door: only to strangers, only what was asked for, and never for long."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gk.net.fetch import Fetch
from gk.net.guard import FetchFailed
from tests.authority import Issued, issue
from tests.net.test_guard import CLOSED, FORMS, Names

HOST = "mta-sts.far.test"
ROOT = issue(authority=True)
LEAF = issue(HOST, issuer=ROOT)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello"

Reply = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Web:
    """A server of one answer, on 127.0.0.1."""

    reply: Reply
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)  # asked for by SNI
    connections: int = 0

    async def session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            if isinstance(self.reply, bytes):
                writer.write(self.reply)
                await writer.drain()
            else:
                await self.reply(writer)
        except (OSError, EOFError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(reply: Reply, directory: Path, issued: Issued = LEAF) -> AsyncIterator[Web]:
    web = Web(reply)
    context = issued.context(directory)
    context.sni_callback = lambda session, name, context: web.names.append(name)
    async with await asyncio.start_server(web.session, "127.0.0.1", 0, ssl=context) as server:
        web.port = server.sockets[0].getsockname()[1]
        yield web


def trusting(directory: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ROOT.pem(directory / "root.pem")))


def door(directory: Path, *addresses: str) -> Fetch:
    return Fetch(Names(*(addresses or ("127.0.0.1",))), trusting(directory), {"127.0.0.1", "127.0.0.9"})


async def test_a_page_comes_with_its_kind_from_the_address_that_was_found(tmp_path: Path) -> None:
    async with serving(OK, tmp_path) as web:
        page = await door(tmp_path).get(f"https://{HOST}:{web.port}/.well-known/mta-sts.txt")
    assert (page.status, page.kind, page.body) == (200, "text/plain", b"hello")
    assert web.names == [HOST]
    (request,) = web.requests
    assert request.startswith(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\n")
    assert f"\r\nhost: {HOST}:{web.port}\r\n".encode() in request.lower()
    assert b"\r\naccept-encoding: identity\r\n" in request.lower()


async def test_the_host_is_looked_up_once(tmp_path: Path) -> None:
    names = Names("127.0.0.1")
    async with serving(OK, tmp_path) as web:
        await Fetch(names, trusting(tmp_path), {"127.0.0.1"}).get(f"https://{HOST}:{web.port}/")
    assert names.asked == 1


@pytest.mark.parametrize(
    "issued",
    [
        issue("other.test", issuer=ROOT),
        issue(HOST),
        issue(HOST, issuer=issue(authority=True)),
        issue(HOST, issuer=ROOT, days=(-9, -1)),
        issue("*.test", issuer=ROOT),
        issue(issuer=ROOT, common=HOST),
    ],
    ids=["another name", "its own", "another authority", "expired", "too wide a wildcard", "no name"],
)
async def test_a_certificate_that_is_not_the_hosts_ends_it(tmp_path: Path, issued: Issued) -> None:
    async with serving(OK, tmp_path, issued) as web:
        with pytest.raises(FetchFailed) as caught:
            await door(tmp_path).get(f"https://{HOST}:{web.port}/")
    assert caught.value.certificate
    assert web.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_not_followed(tmp_path: Path, status: int) -> None:
    async with serving(OK, tmp_path) as canary:
        location = f"https://{HOST}:{canary.port}/"
        reply = f"HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
        async with serving(reply, tmp_path) as web:
            assert (await door(tmp_path).get(f"https://{HOST}:{web.port}/")).status == status
        assert canary.connections == 0


async def endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
        await writer.drain()


async def endless_header(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: " + b"x" * 4000 + b"\r\n")
        await writer.drain()


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 70000,
        endless,
        endless_header,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"\x00\x01\x02 this is no answer\r\n\r\n",
        b"",
    ],
    ids=[
        "long",
        "long, no length",
        "endless",
        "endless header",
        "compressed",
        "short",
        "two lengths",
        "babble",
        "mute",
    ],
)
async def test_an_answer_that_is_too_much_or_none_is_a_failure(tmp_path: Path, reply: Reply) -> None:
    async with serving(reply, tmp_path) as web:
        with pytest.raises(FetchFailed) as caught:
            await door(tmp_path).get(f"https://{HOST}:{web.port}/")
    assert not caught.value.certificate


async def test_an_answer_that_drips_is_given_up_in_time(tmp_path: Path) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(drip, tmp_path) as web:
        with pytest.raises(FetchFailed, match="in time"):
            await door(tmp_path).get(f"https://{HOST}:{web.port}/", seconds=0.3)


async def test_the_next_address_is_tried_where_one_does_not_answer(tmp_path: Path) -> None:
    async with serving(OK, tmp_path) as web:
        page = await door(tmp_path, "127.0.0.9", "127.0.0.1").get(f"https://{HOST}:{web.port}/")
    assert page.status == 200


async def test_a_host_that_does_not_answer_at_all_is_a_failure(tmp_path: Path) -> None:
    async with serving(OK, tmp_path) as web:
        with pytest.raises(FetchFailed):
            await door(tmp_path, "127.0.0.9").get(f"https://{HOST}:{web.port}/")


async def test_no_spelling_leads_to_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(OK, tmp_path) as canary:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{canary.port}")  # what the environment says is not asked
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{canary.port}")
        for url in FORMS:
            for spelled in (url, url.replace("127.0.0.1", f"127.0.0.1:{canary.port}")):
                with pytest.raises(FetchFailed):
                    await Fetch(Names("127.0.0.1"), trusting(tmp_path)).get(spelled)
        for address in CLOSED:
            with pytest.raises(FetchFailed):
                await Fetch(Names(address), trusting(tmp_path)).get(f"https://{HOST}:{canary.port}/")
        assert canary.connections == 0


async def test_the_environments_proxy_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(OK, tmp_path) as canary, serving(OK, tmp_path) as web:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{canary.port}")
        assert (await door(tmp_path).get(f"https://{HOST}:{web.port}/")).status == 200
        assert canary.connections == 0
