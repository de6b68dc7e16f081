"""A listener's socket and its sessions: busy ports, a graceful end, sockets of systemd's."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest

from gk.cli.main import leaves
from gk.errors import ConfigError
from gk.net import listener as listener_module
from gk.net.listener import Listener
from gk.service import supervise
from gk.tls.certs import make
from tests.strangers import PATIENCE, free_port


class Echo(asyncio.Protocol):
    """A session that repeats what it hears; told to finish, it says goodbye after `slow` is set."""

    def __init__(self, listener: Listener, room: "Room") -> None:
        self._listener, self._room = listener, room
        self._end = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._listener.began(self)

    def data_received(self, data: bytes) -> None:
        if data == b"fail\n":
            self._room.fault = True
            self._end.set()
        else:
            self._transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._end.set()

    async def serve(self) -> None:
        self._room.began.set()
        try:
            await self._end.wait()
            if self._room.fault:
                raise ValueError("a bug")
            await self._room.release.wait()
            self._transport.write(b"bye\n")
        except asyncio.CancelledError:
            self._transport.write(b"cut off\n")
            raise
        finally:
            self._transport.close()

    def finish(self) -> None:
        self._end.set()


class Room:
    """What the sessions of a test share."""

    def __init__(self) -> None:
        self.began, self.release = asyncio.Event(), asyncio.Event()
        self.release.set()
        self.fault = False

    def listener(self, bind: str, **more: object) -> Listener:
        return Listener("echo test", bind, lambda door: Echo(door, self), **more)  # type: ignore[arg-type]


async def test_a_busy_port_is_named_with_the_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as owner:
        port = owner.getsockname()[1]
        with pytest.raises(ExceptionGroup) as caught:
            async with supervise(Room().listener(f"127.0.0.1:{port}")):
                pass
    (error,) = leaves(caught.value)
    assert isinstance(error, ConfigError)
    assert f"cannot listen on 127.0.0.1:{port}: the port is in use; find its owner with «ss -ltnp" in str(error)


async def test_an_address_this_machine_does_not_have_is_named() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with supervise(Room().listener("192.0.2.1:0")):
            pass
    assert "cannot listen on 192.0.2.1:0: Cannot assign requested address" in str(next(leaves(caught.value)))


async def test_sessions_say_goodbye_when_the_server_stops() -> None:
    room, port = Room(), free_port()
    async with supervise(room.listener(f"127.0.0.1:{port}")):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
    assert await reader.read() == b"bye\n"
    writer.close()


async def test_a_session_that_does_not_end_in_time_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener_module, "GRACE", 0.05)
    room, port = Room(), free_port()
    room.release.clear()
    async with supervise(room.listener(f"127.0.0.1:{port}")):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.wait_for(room.began.wait(), PATIENCE)
    assert await reader.read() == b"cut off\n"
    writer.close()


async def test_a_session_that_fails_ends_no_other(caplog: pytest.LogCaptureFixture) -> None:
    room, port = Room(), free_port()
    async with supervise(room.listener(f"127.0.0.1:{port}")):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello\n")
        await reader.readline()
        bad_reader, bad = await asyncio.open_connection("127.0.0.1", port)
        bad.write(b"fail\n")
        assert await bad_reader.read() == b""
        room.fault = False
        writer.write(b"again\n")
        assert await reader.readline() == b"again\n"
        writer.close()
        bad.close()
    assert "event=session_failed listener=echo test" in caplog.text


async def test_nobody_is_let_in_once_the_listener_stops() -> None:
    room, port = Room(), free_port()
    async with supervise(room.listener(f"127.0.0.1:{port}")):
        pass
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_tls_listener_closes_on_those_who_speak_none(tmp_path: Path) -> None:
    make(tmp_path / "c.pem", tmp_path / "k.pem", ["localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c.pem", tmp_path / "k.pem")
    room, port = Room(), free_port()
    async with supervise(room.listener(f"127.0.0.1:{port}", tls=context)):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"EHLO plain\r\n")
        assert b"hello" not in await asyncio.wait_for(reader.read(), PATIENCE)
        trusting = ssl.create_default_context(cafile=str(tmp_path / "c.pem"))
        good_reader, good = await asyncio.open_connection("localhost", port, ssl=trusting)
        good.write(b"hello\n")
        assert await good_reader.readline() == b"hello\n"
        good.close()
        writer.close()


async def test_an_inherited_socket_is_used_for_its_address_and_bound_anew_after_that() -> None:
    given = socket.create_server(("127.0.0.1", 0))
    port = given.getsockname()[1]
    listener = Room().listener(f"127.0.0.1:{port}", inherited=[given])
    for _ in range(2):
        async with supervise(listener):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hello\n")
            assert await reader.readline() == b"hello\n"
            writer.close()
        assert given.fileno() < 0
