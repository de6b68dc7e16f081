"""The other side of IMAP: its address, its answers, and what is refused before a password is sent."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.errors import Refused, Unavailable
from gk.tls.certs import make
from gk.transfer import remote
from gk.transfer.answers import BadAnswer, fetched, grouped, values
from gk.transfer.remote import Connection, Remote, parse, uid_set
from tests.transfer.fuzzing import examples


def test_an_address_names_host_port_user_and_folder() -> None:
    assert parse("imaps://ann%40example.org@mail.example.org") == Remote(
        "mail.example.org", 993, "ann@example.org", True
    )
    assert parse("imap://ann@example.org@host:1143/Old%20mail/x") == Remote(
        "host", 1143, "ann@example.org", False, "Old mail/x"
    )


@pytest.mark.parametrize(
    "url", ["imap://host", "imap://@host", "imap://a@", "imap://a@host:x", "imaps://a:secret@host"]
)
def test_an_address_that_is_none_or_holds_a_password_is_refused(url: str) -> None:
    with pytest.raises(Refused) as error:
        parse(url)
    assert "secret" not in str(error.value)


@examples
@given(
    st.lists(st.one_of(st.binary(max_size=30), st.tuples(st.binary(max_size=30), st.binary(max_size=9))), max_size=6)
)
def test_any_answer_is_read_or_refused(pieces: list[bytes | tuple[bytes, bytes]]) -> None:
    for group in grouped(pieces):
        try:
            values(group)
            fetched(group)
        except BadAnswer:
            pass


def test_answers_become_values() -> None:
    assert values([rb'(\HasNoChildren \Sent) "/" "Sent \"x\""']) == [[rb"\HasNoChildren", rb"\Sent"], b"/", b'Sent "x"']
    pieces: list[bytes | tuple[bytes, bytes]] = [
        (b"1 (UID 7 FLAGS (\\Seen) BODY[HEADER.FIELDS (MESSAGE-ID)] {5}", b"a\r\n)("), (b" BODY[] {2}", b"xy"), b")",
    ]  # fmt: skip
    (group,) = grouped(pieces)
    assert fetched(group) == {
        b"UID": b"7", b"FLAGS": [b"\\Seen"], b"BODY[HEADER.FIELDS (MESSAGE-ID)]": b"a\r\n)(", b"BODY[]": b"xy",
    }  # fmt: skip


def test_uids_are_written_as_ranges() -> None:
    assert uid_set([1, 2, 3, 7, 9, 10]) == "1:3,7,9:10"


@contextmanager
def server(
    script: list[tuple[bytes, bytes]], context: ssl.SSLContext | None = None
) -> Iterator[tuple[int, list[bytes]]]:
    """Says each answer after a line that has the word; the port, and what it heard."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            try:
                line, _ = door.accept()
                line.settimeout(10)
                with (
                    context.wrap_socket(line, server_side=True) if context else line as line,
                    line.makefile("rb") as lines,
                ):
                    line.sendall(b"* OK ready\r\n")
                    for said in lines:
                        heard.append(said)
                        tag, word = said.split()[:2]
                        line.sendall(dict(script).get(word.upper(), b"") + tag + b" OK done\r\n")
            except OSError:
                pass  # whoever asked did not trust it

        thread = threading.Thread(target=serve)
        thread.start()
        yield door.getsockname()[1], heard
        thread.join()


CAPABILITY = (b"CAPABILITY", b"* CAPABILITY IMAP4rev1\r\n")


def test_no_password_goes_over_a_line_without_tls_but_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    with server([CAPABILITY]) as (port, heard):
        Connection(Remote("127.0.0.1", port, "ann", False), "secret").close()
    assert any(b"LOGIN" in line for line in heard)
    monkeypatch.setattr(remote, "_LOOPBACK", remote.re.compile("nothing is"))
    with server([CAPABILITY]) as (port, heard), pytest.raises(Refused, match="offers no TLS"):
        Connection(Remote("127.0.0.1", port, "ann", False), "secret")
    assert not any(b"secret" in line for line in heard)


def test_a_certificate_nobody_vouches_for_is_refused_unless_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "a.pem", tmp_path / "a.key", ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "a.pem", tmp_path / "a.key")
    monkeypatch.setattr(remote, "_LOOPBACK", remote.re.compile("nothing is"))
    with server([CAPABILITY], context) as (port, heard), pytest.raises(Refused, match="cannot be trusted"):
        Connection(Remote("127.0.0.1", port, "ann", True), "secret")
    assert heard == []
    with server([CAPABILITY], context) as (port, _):
        Connection(Remote("127.0.0.1", port, "ann", True), "secret", insecure=True).close()


def test_nobody_there_is_a_reason_to_try_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    with pytest.raises(Unavailable, match="Connection refused"):
        Connection(Remote("127.0.0.1", port, "ann", False), "secret")
