"""Real and malformed public mail through the whole server: in by SMTP and APPEND, out byte for byte, by mbsync too."""

import hashlib
import imaplib
import re
import smtplib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.corpus import corpus_path
from tests.peers import need
from tests.server import PASSWORD, Running, running

ALICE, BOB = "alice@example.test", "bob@example.test"
BARE_CR = re.compile(rb"\r(?!\n)")

pytestmark = [pytest.mark.peer, pytest.mark.timeout(200)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("server"), "pipelined = 1000") as up:
        yield up
        assert up.gk("verify", "--content").stdout == "all is well\n"
        assert "Traceback" not in up.log.read_text()


@pytest.fixture(scope="module")
def corpus() -> list[tuple[str, bytes]]:
    """Every public message with CRLF line ends, by its name."""
    found = []
    for folder in ("mime", "spam-ham"):
        for path in sorted(corpus_path(folder).rglob("*")):
            if path.is_file() and path.suffix not in (".json", ".ref") and "LICENSE" not in path.name:
                content = path.read_bytes()
                if b"\n" in content and path.name not in ("COPYING", "README.md"):
                    found.append((str(path.relative_to(corpus_path())), re.sub(rb"\r?\n", b"\r\n", content)))
    assert len(found) > 800
    return found


def mark(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


@pytest.fixture(scope="module")
def delivered(server: Running, corpus: list[tuple[str, bytes]]) -> dict[str, bytes]:
    """Everything sent by SMTP, and what the server answered 250 to; the others were refused as they must be."""
    taken = {}
    with smtplib.SMTP("127.0.0.1", server.ports["mx"], timeout=30) as session:
        session.ehlo("client.example.org")
        for name, content in corpus:
            assert session.mail("sender@example.org")[0] == session.rcpt(ALICE)[0] == 250
            code, text = _data(session, content)
            if b"\x00" in content or BARE_CR.search(content):
                assert (code, text[:6]) == (550, b"5.6.11"), name
            else:
                assert code == 250, (name, text)
                taken[name] = content if content.endswith(b"\r\n") else content + b"\r\n"
    return taken


def _data(session: smtplib.SMTP, content: bytes) -> tuple[int, bytes]:
    """DATA with the bytes as they are; smtplib's own would mend them."""
    session.putcmd("data")
    assert session.getreply()[0] == 354
    stuffed = re.sub(rb"(?m)^\.", b"..", content)
    session.send(stuffed + (b"" if content.endswith(b"\r\n") else b"\r\n") + b".\r\n")
    return session.getreply()


def test_every_message_comes_back_byte_for_byte(server: Running, delivered: dict[str, bytes]) -> None:
    box = imaplib.IMAP4("127.0.0.1", server.ports["starttls"])
    box.login(ALICE, PASSWORD)
    assert box.select("INBOX", readonly=True)[1] == [str(len(delivered)).encode()]
    for number, (name, content) in enumerate(delivered.items(), 1):
        _, ((head, body), *_) = box.fetch(str(number), "(RFC822.SIZE BODY.PEEK[])")  # type: ignore[misc]
        assert box.fetch(str(number), "(ENVELOPE BODYSTRUCTURE)")[0] == "OK", name
        trace = body[: len(body) - len(content)]
        assert int(re.search(rb"RFC822.SIZE (\d+)", head)[1]) == len(body), name  # type: ignore[index]
        if not body.endswith(content):
            # Only Return-Path, which we alone may write, is taken out; what has no header gets an empty line above.
            header, gap, rest = content.partition(b"\r\n\r\n")
            left = re.sub(rb"(?im)^return-path[ \t]*:.*\r\n(?:[ \t].*\r\n)*", b"", header + b"\r\n") + gap[2:] + rest
            assert (left != content and body.endswith(left)) or body.endswith(b"\r\n\r\n" + content), name
        assert trace.startswith(b"Return-Path: <sender@example.org>\r\nDelivered-To: alice@example.test\r\n"), name
    box.logout()


def test_mbsync_takes_the_same_bytes_away_and_brings_them_back(
    server: Running, delivered: dict[str, bytes], tmp_path: Path
) -> None:
    need("mbsync", "isync")
    (tmp_path / "away").mkdir()
    config = tmp_path / "mbsyncrc"
    account = f"Host 127.0.0.1\nPort {server.ports['starttls']}\nPass {PASSWORD}\nSSLType None\nAuthMechs *\n"
    config.write_text(
        f"IMAPAccount a\n{account}User {ALICE}\n\nIMAPStore a\nAccount a\n\n"
        f"IMAPAccount b\n{account}User {BOB}\n\nIMAPStore b\nAccount b\n\n"
        f"MaildirStore near\nPath {tmp_path}/away/\nInbox {tmp_path}/away/INBOX\n\n"
        "Channel out\nFar :a:\nNear :near:\nPatterns INBOX\nCreate Both\nSyncState *\n\n"
        f"Channel back\nFar :b:\nNear :near:\nPatterns INBOX\nCreate Both\nSyncState {tmp_path}/state-\n"
    )
    for channel in ("out", "back"):
        done = subprocess.run(["mbsync", "-c", str(config), channel], capture_output=True, check=False, timeout=150)
        assert done.returncode == 0, done.stderr.decode()[-500:]

    def contents(user: str) -> list[bytes]:
        box = imaplib.IMAP4("127.0.0.1", server.ports["starttls"])
        box.login(user, PASSWORD)
        box.select("INBOX", readonly=True)
        _, found = box.fetch("1:*", "(BODY.PEEK[])")
        box.logout()
        # mbsync marks what it uploads with a field of its own
        return sorted(mark(re.sub(rb"X-TUID: [^\r]*\r\n", b"", part[1])) for part in found if isinstance(part, tuple))

    assert contents(BOB) == contents(ALICE)


def test_append_takes_every_message_a_bare_lf_made_crlf_and_nul_served_as_0x80(
    server: Running, corpus: list[tuple[str, bytes]]
) -> None:
    box = imaplib.IMAP4("127.0.0.1", server.ports["starttls"])
    box.login(BOB, PASSWORD)
    box.create("Appended")
    for name, content in corpus[::3]:
        status, answer = _append(box, content.replace(b"\r\n", b"\n") if len(name) % 2 else content)
        assert status == "OK", (name, answer)
    box.select("Appended", readonly=True)
    for number, (name, content) in enumerate(corpus[::3], 1):
        _, ((_, body), *_) = box.fetch(str(number), "(BODY.PEEK[])")  # type: ignore[misc]
        assert body == content.replace(b"\x00", b"\x80"), name
    box.logout()


def _append(box: imaplib.IMAP4, content: bytes) -> tuple[str, list[bytes]]:
    """APPEND without imaplib's own mending of line ends."""
    box.literal = content
    return box._simple_command("APPEND", "Appended", "()", '"01-Jan-2026 00:00:00 +0000"')  # type: ignore[attr-defined,no-any-return]
