"""The control socket: who may speak, and an answer for everything that is said."""

import asyncio
import json
import os
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gk import app
from gk.actions.context import Rooms
from gk.config import Config, Limits
from gk.control import server as server_module
from gk.control.client import NoDaemon, call
from gk.control.server import AT_ONCE, LINE, ControlServer
from gk.errors import Refused, Unavailable
from gk.service import supervise

ALICE = "alice@example.test"


@pytest.fixture
async def rooms(tmp_path: Path) -> AsyncIterator[Rooms]:
    config = Config(domains=("example.test",), data=tmp_path / "data", limits=Limits(free_space_bytes=0))
    async with app.rooms(config) as opened:
        yield opened


@pytest.fixture
async def data(rooms: Rooms) -> AsyncIterator[Path]:
    """A data directory with a control server in it."""
    where = rooms.store.data
    async with supervise(ControlServer(where / "gk.sock", rooms)):
        yield where


async def say(data: Path, raw: bytes) -> list[object]:
    """The lines that come back."""
    reader, writer = await asyncio.open_unix_connection(str(data / "gk.sock"), limit=1 << 26)
    try:
        writer.write(raw)
        writer.write_eof()
        lines = (await asyncio.wait_for(reader.read(), 10)).splitlines()
    finally:
        writer.close()
    return [json.loads(line) for line in lines]


async def test_an_action_is_done_and_its_result_comes_back(data: Path) -> None:
    made = await asyncio.to_thread(call, data, "user_add", {"address": ALICE, "password": "demo-password"})
    assert made == {"id": 1, "address": ALICE}
    assert await say(data, b'{"action": "user_exists", "arguments": {"address": "alice@example.test"}}\n') == [
        {"result": {"exists": True}}
    ]


async def test_an_error_of_an_action_comes_back_as_what_it_was(data: Path) -> None:
    with pytest.raises(Refused, match="no message 5 in the queue"):
        await asyncio.to_thread(call, data, "queue_show", {"id": 5})


async def test_the_socket_is_for_its_owner_only(data: Path) -> None:
    assert (data / "gk.sock").stat().st_mode & 0o777 == 0o600
    assert data.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
async def test_another_user_is_refused_even_where_the_files_let_it_in(rooms: Rooms) -> None:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        path = Path(directory) / "gk.sock"
        async with supervise(ControlServer(path, rooms)):
            path.chmod(0o666)
            reader, writer = os.pipe()
            child = os.fork()
            if not child:
                try:
                    os.setgroups([])
                    os.setuid(65534)
                    door = socket.socket(socket.AF_UNIX)
                    door.connect(str(path))
                    with suppress(OSError):  # it may have been refused before it asked
                        door.sendall(b'{"action": "user_list"}\n')
                    os.write(writer, door.recv(1000))
                finally:
                    os._exit(0)
            os.close(writer)
            answer = await asyncio.to_thread(os.read, reader, 1000)
            os.close(reader)
            os.waitpid(child, 0)
    assert json.loads(answer) == {
        "error": {"kind": "refused", "text": "only the user gk runs as, or root, may do that"}
    }


@pytest.mark.parametrize(
    "garbage",
    [
        b"\n",
        b"nonsense\n",
        b"[]\n",
        b"5\n",
        b"null\n",
        b'"action"\n',
        b"{}\n",
        b'{"action": "user_list", "arguments": 5}\n',
        b'{"action": "user_list", "arguments": [1]}\n',
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
        b'{"action": "user_list"',
    ],
)
async def test_garbage_is_answered(data: Path, garbage: bytes) -> None:
    assert await say(data, garbage) == [{"error": {"kind": "refused", "text": "not a request"}}]


async def test_a_request_that_is_too_long_is_answered(data: Path) -> None:
    (answer,) = await say(data, b"x" * (LINE + 5))
    assert answer == {"error": {"kind": "refused", "text": f"a request is longer than {LINE} bytes"}}
    (answer,) = await say(data, b'{"action": "' + b"x" * (3 * LINE) + b'"}\n')
    assert "longer than" in json.dumps(answer)
    with pytest.raises(Refused, match="longer than"):
        await asyncio.to_thread(call, data, "user_exists", {"address": "x" * (8 * LINE)})


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"action": "no_such"}, "there is no action no_such"),
        ({"action": "user_exists"}, "missing argument address"),
        ({"action": "user_exists", "arguments": {"address": 5}}, "the argument address must be str"),
        ({"action": "user_exists", "arguments": {"adress": "x"}}, "unknown argument adress"),
        ({"action": "queue_show", "arguments": {"id": True}}, "the argument id must be int"),
        ({"action": "queue_show", "arguments": {"id": 1 << 70}}, "the argument id must be int"),
        ({"action": "user_exists", "arguments": {"address": "\ud800"}}, "the argument address must be str"),
    ],
)
async def test_arguments_that_do_not_fit_are_named(data: Path, request_: object, text: str) -> None:
    assert await say(data, json.dumps(request_).encode() + b"\n") == [{"error": {"kind": "refused", "text": text}}]


async def test_nothing_said_is_not_answered(data: Path) -> None:
    assert await say(data, b"") == []


async def test_a_silent_connection_is_not_kept_for_ever(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "WAIT", 0.05)
    reader, writer = await asyncio.open_unix_connection(str(data / "gk.sock"))
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_more_connections_than_there_is_room_for_are_told_so(data: Path) -> None:
    held = [await asyncio.open_unix_connection(str(data / "gk.sock")) for _ in range(AT_ONCE)]
    with pytest.raises(Unavailable, match="too many commands at once"):
        await asyncio.to_thread(call, data, "user_list", {})
    for _, writer in held:
        writer.close()
        await writer.wait_closed()
    assert await asyncio.to_thread(call, data, "user_list", {}) == {"users": []}


async def test_who_hangs_up_in_the_middle_disturbs_nobody(data: Path) -> None:
    for raw in (b'{"action"', b'{"action": "verify", "arguments": {}}\n'):
        _, writer = await asyncio.open_unix_connection(str(data / "gk.sock"))
        writer.write(raw)
        await writer.drain()
        writer.transport.abort()
    assert await asyncio.to_thread(call, data, "user_list", {}) == {"users": []}


async def test_a_fault_of_our_own_is_answered_and_logged(
    data: Path, rooms: Rooms, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms.store.accounts, "all", lambda: 1 / 0)
    with pytest.raises(Refused, match="user_list failed: ZeroDivisionError; the server's log says more"):
        await asyncio.to_thread(call, data, "user_list", {})
    assert "event=action_failed action=user_list" in caplog.text


async def test_a_socket_left_by_a_killed_server_is_replaced(rooms: Rooms) -> None:
    path = rooms.store.data / "gk.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    async with supervise(ControlServer(path, rooms)):
        assert await asyncio.to_thread(call, rooms.store.data, "user_list", {}) == {"users": []}
    assert not path.exists()
    with pytest.raises(NoDaemon):
        await asyncio.to_thread(call, rooms.store.data, "user_list", {})


@given(raw=st.binary(max_size=300) | st.text(max_size=100).map(lambda text: json.dumps({"action": text}).encode()))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_line_gets_one_answer(data: Path, raw: bytes) -> None:
    answers = await say(data, raw.replace(b"\n", b" ") + b"\n")
    assert len(answers) == 1 and list(answers[0]) == ["error"]  # type: ignore[call-overload]
