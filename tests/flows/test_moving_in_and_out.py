"""Somebody moves in with all mail there is, and out again with nothing lost: real servers and files on both sides."""

import fcntl
import imaplib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gk.message import utf7
from tests.corpus import corpus_path
from tests.dovecot import dovecot
from tests.peers import need
from tests.server import PASSWORD, Running, running

pytestmark = pytest.mark.timeout(150)
ALICE = "alice@example.test"
NAMES = [
    "Projets/Été 2026",
    "a.b",
    "100% & more",
    "INBOX/below",
    "日本",
    "x" * 200,
    "dots.../end",
    "~tilde",
    "Sent/2024",
]
KEYWORDS = [f"word{n}" for n in range(30)]
View = dict[str, list[tuple[bytes, frozenset[str], str]]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("server")) as up:
        fill(up)
        yield up
        assert up.gk("verify", "--content").stdout == "all is well\n"
        assert "Traceback" not in up.log.read_text()
        assert "@example.test" not in up.log.read_text()


def login(server: Running, user: str) -> imaplib.IMAP4:
    box = imaplib.IMAP4("127.0.0.1", server.ports["starttls"])
    box.login(user, PASSWORD)
    return box


def quoted(name: str) -> str:
    return '"' + utf7.encode(name).decode() + '"'


def append(
    box: imaplib.IMAP4, name: str, content: bytes, flags: str = "", date: str = "01-Feb-2020 10:00:00 +0000"
) -> None:
    box.literal = content  # type: ignore[assignment]
    status, told = box.xatom("APPEND", quoted(name), f"({flags})", f'"{date}"')
    assert status == "OK", told


def messages() -> list[bytes]:
    """Real mail, and what is hard to write to a file and read back."""
    plain = b"Message-ID: <plain@x>\r\nSubject: plain\r\n\r\nHello\r\n"
    hard = [
        plain,
        plain.replace(b"plain", b"no line end")[:-2],
        b"Subject: from\r\n\r\nFrom me\r\n>From you\r\n>>From them\r\n\r\nFrom a@b Thu Jan  1 00:00:00 1970\r\n",
        b"From the first line\r\n\r\nbody\r\n",
        b"Status: RO\r\nX-Keywords: not mine\r\nContent-Length: 3\r\nSubject: status\r\n\r\nbody\r\n\r\n\r\n",
        b"Subject: bare\r\n\r\na\rb\r\r\nc\r",
        b"Subject: eight\r\n\r\n\xe9\xff\x80\r\n",
        b"\r\nno header\r\n",
        b"Subject: large\r\n\r\n" + (b"0123456789abcdef" * 4 + b"\r\nFrom x\r\n") * 20_000,
    ]
    real = [path.read_bytes() for path in sorted(corpus_path("mime").rglob("*.eml"))[:40]]
    return hard + [re.sub(rb"\r?\n", b"\r\n", raw.replace(b"\0", b"")) for raw in real if raw]


def fill(server: Running) -> None:
    """Alice's account, as people's are."""
    box = login(server, ALICE)
    for number, content in enumerate(messages()):
        flags = [
            "",
            "\\Seen",
            "\\Seen \\Answered $Forwarded",
            "\\Flagged \\Draft",
            f"\\Deleted {KEYWORDS[number % 30]}",
        ]
        append(
            box, "INBOX", content, flags[number % 5], f"{number % 28 + 1:02d}-Mar-2019 10:{number % 60:02d}:00 +0530"
        )
    for number, name in enumerate(NAMES):
        status, told = box.create(quoted(name))
        assert status == "OK", told
        if number % 2:
            box.subscribe(quoted(name))
        for word in KEYWORDS if number == 0 else KEYWORDS[:number]:
            append(box, name, f"Message-ID: <{word}@x>\r\nSubject: {word}\r\n\r\n{name}\r\n".encode(), f"\\Seen {word}")
    append(box, "Sent", b"Subject: sent\r\n\r\nsent\r\n", "\\Seen")
    box.logout()


def view(server: Running, user: str) -> View:
    """Everything of an account as IMAP shows it: name and use of each mailbox, bytes, flags and dates."""
    box = login(server, user)
    seen: View = {}
    for line in box.list()[1]:
        found = re.fullmatch(rb'\(([^)]*)\) "/" (?:"((?:[^"\\]|\\.)*)"|(\S+))', line)  # type: ignore[arg-type]
        assert found, line
        raw = found[2] if found[2] is not None else found[3]
        use = " ".join(sorted(re.findall(r"\\(?:Sent|Drafts|Junk|Trash|Archive)", found[1].decode())))
        status, (count, *_) = box.select(b'"' + raw + b'"', readonly=True)  # type: ignore[arg-type]
        assert status == "OK"
        answers = box.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1] if count != b"0" else []
        rows = []
        for part in answers:
            if isinstance(part, tuple):
                flags = re.search(rb"FLAGS \(([^)]*)\)", part[0])
                date = re.search(rb'INTERNALDATE "([^"]*)"', part[0])
                assert flags and date
                rows.append((part[1], frozenset(flags[1].decode().split()) - {"\\Recent"}, date[1].decode()))
        seen[f"{utf7.decode(raw)} {use}".strip()] = rows
    subscribed = sorted(line.decode() for line in box.lsub()[1] if line)  # type: ignore[union-attr]
    seen["subscribed"] = [(b"", frozenset(re.sub(r"\(.*?\) ", "", line) for line in subscribed), "")]
    box.logout()
    return seen


def account(server: Running, name: str) -> str:
    address = f"{name}@example.test"
    server.gk("user", "add", address, "--password-stdin", stdin=PASSWORD)
    return address


def told(server: Running, *arguments: str, stdin: str = "", code: int = 0) -> Any:
    done = server.gk(*arguments, "--json", stdin=stdin, check=False)
    assert done.returncode == code, done.stderr + done.stdout
    return json.loads(done.stdout)


@pytest.mark.parametrize("format_", ["maildir", "mbox"])
def test_what_export_wrote_import_takes_back_identical(server: Running, tmp_path: Path, format_: str) -> None:
    before = view(server, ALICE)
    count = sum(len(rows) for name, rows in before.items() if name != "subscribed")
    out = tmp_path / "out"
    first = told(server, "export", ALICE, str(out), "--format", format_)
    assert first["messages"] == count and first["left_out"] == []
    assert all(path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600) for path in [out, *out.rglob("*")])
    again = told(server, "export", ALICE, str(out), "--format", format_)
    assert (again["messages"], again["duplicates"]) == (0, count)
    other = account(server, format_)
    assert told(server, "import", other, str(out))["messages"] == count
    assert view(server, other) == before
    assert told(server, "import", other, str(out))["duplicates"] == count
    assert view(server, other) == before


@pytest.mark.parametrize("scheme", ["imap", "imaps"])
def test_an_account_of_another_gk_moves_in_over_imap(server: Running, tmp_path: Path, scheme: str) -> None:
    before = view(server, ALICE)
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    url = f"{scheme}://{ALICE}@127.0.0.1:{server.ports['tls' if scheme == 'imaps' else 'starttls']}"
    other = account(server, scheme)
    done = told(server, "import", other, url, "--password-file", str(password))
    assert done["left_out"] == [] and done["duplicates"] == 0
    assert view(server, other) == before
    again = told(server, "import", other, url, "--password-stdin", stdin=PASSWORD)
    assert (again["messages"], again["duplicates"]) == (0, done["messages"])


def test_mail_leaves_for_another_account_over_imap(server: Running) -> None:
    other = account(server, "leaving")
    url = f"imap://{other}@127.0.0.1:{server.ports['starttls']}"
    before = view(server, ALICE)
    done = told(server, "export", ALICE, url, "--password-stdin", stdin=PASSWORD)
    assert done["left_out"] == []
    assert view(server, other) == before
    again = told(server, "export", ALICE, url, "--password-stdin", stdin=PASSWORD)
    assert (again["messages"], again["duplicates"]) == (0, done["messages"])


@pytest.mark.peer
@pytest.mark.parametrize(("separator", "prefix"), [("/", ""), (".", "INBOX.")])
def test_mail_goes_to_dovecot_and_comes_back(server: Running, tmp_path: Path, separator: str, prefix: str) -> None:
    before = view(server, ALICE)
    with dovecot(tmp_path, separator=separator, prefix=prefix) as there:
        done = told(server, "export", ALICE, there.url, "--password-stdin", stdin=PASSWORD)
        assert done["left_out"] == []
        again = told(server, "export", ALICE, there.url, "--password-stdin", stdin=PASSWORD)
        assert (again["messages"], again["duplicates"]) == (0, done["messages"])
        assert (there.mail / ".Gesendet" / "cur").is_dir() and not (
            there.mail / ".Sent"
        ).exists()  # by use, not by name
        other = account(server, f"dovecot{ord(separator)}")
        assert told(server, "import", other, there.url, "--password-stdin", stdin=PASSWORD)["left_out"] == []
    after = view(server, other)
    for name, rows in before.items():
        if name == "subscribed":
            continue
        if name not in after:  # Dovecot takes neither dots nor tildes, and "INBOX." is where all folders are there
            name = name.replace(".", "_").replace("~", "_").removeprefix("INBOX/")
        if name not in after:
            name = re.sub(r"[^\w /-]", "_", name)
        assert sorted(map(without_cr, after[name])) == sorted(map(without_cr, rows)), name


@pytest.mark.peer
def test_dovecot_reads_what_export_wrote(server: Running, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told(server, "export", ALICE, str(out))
    (tmp_path / "dovecot").mkdir()
    with dovecot(tmp_path / "dovecot", mail=out) as there:
        box = imaplib.IMAP4("127.0.0.1", there.port)
        box.login("ann", PASSWORD)
        _, found = box.select("INBOX", readonly=True)
        before = view(server, ALICE)["INBOX"]
        assert int(found[0] or 0) == len(before)
        _, answers = box.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")
        read = [part for part in answers if isinstance(part, tuple)]
        assert sorted(part[1] for part in read) == sorted(content for content, _, _ in before)
        flags = [re.search(rb"FLAGS \(([^)]*)\)", part[0]) for part in read]
        assert sorted(sorted(set(f[1].decode().split()) - {"\\Recent"}) for f in flags if f) == sorted(
            sorted(f) for _, f, _ in before
        )
        assert any(b"-2019" in part[0] for part in read)
        box.logout()


@pytest.mark.peer
def test_a_maildir_made_by_mbsync_moves_in(server: Running, tmp_path: Path) -> None:
    need("mbsync", "isync")
    near = tmp_path / "near"
    near.mkdir()
    config = tmp_path / "mbsyncrc"
    config.write_text(
        f"IMAPAccount a\nHost 127.0.0.1\nPort {server.ports['starttls']}\nUser {ALICE}\nPass {PASSWORD}\nSSLType None\n"
        f"AuthMechs *\n\nIMAPStore far\nAccount a\n\nMaildirStore near\nPath {near}/\nInbox {near}/INBOX\n"
        "SubFolders Verbatim\n\nChannel c\nFar :far:\nNear :near:\nPatterns INBOX Sent Projets* \"100*\"\nCreate Near\n"
        "CopyArrivalDate yes\nSyncState *\n"
    )  # fmt: skip
    done = subprocess.run(["mbsync", "-c", str(config), "-a"], capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    other = account(server, "mbsync")
    assert told(server, "import", other, str(near))["left_out"] == []
    before, after = view(server, ALICE), view(server, other)
    for name in ("INBOX", "Projets/Été 2026", "100% & more", "Sent \\Sent"):
        assert sorted(map(unmarked, after[name])) == sorted(map(unmarked, before[name]))
        system = {"\\Seen", "\\Answered", "\\Flagged", "\\Draft", "$Forwarded"}  # mbsync takes no others along
        assert {(unmarked(m), m[1] & system) for m in after[name]} == {
            (unmarked(m), m[1] & system) for m in before[name]
        }


def without_cr(row: tuple[bytes, frozenset[str], str]) -> tuple[bytes, list[str], float]:
    """Dovecot stores lines with LF, and so keeps no CR that stands alone; nor the zone of a date."""
    moment = datetime.strptime(row[2].strip(), "%d-%b-%Y %H:%M:%S %z").timestamp()
    return row[0].replace(b"\r", b""), sorted(row[1]), moment


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def unmarked(row: tuple[bytes, frozenset[str], str]) -> bytes:
    """mbsync marks what it copies with a field of its own, and ends every header."""
    return re.sub(rb"X-TUID: [^\r]*\r\n", b"", row[0]).replace(b"\r", b"").strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("where", ["served", "alone"])
def test_an_import_that_is_stopped_is_gone_on_with(tmp_path: Path, number: signal.Signals, where: str) -> None:
    source = tmp_path / "maildir"
    for sub in ("cur", "new", "tmp"):
        (source / sub).mkdir(parents=True)
    for count in range(4000):
        content = f"Message-ID: <{count}@x>\n\n{'x' * 2000}\n"
        (source / "new" / f"{1_500_000_000 + count}.{count}").write_text(content)
    os.mkfifo(source / "new" / "1600000000.pipe")
    home = tmp_path / "home"
    home.mkdir()
    with running(home) as up:
        if where == "alone":
            up.stop()
        command = [sys.executable, "-m", "gk", "--config", str(up.config), "import", ALICE, str(source), "--json"]
        stopped = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        journal = up.data / "gk.db-wal"
        while stopped.poll() is None and size_of(journal) < 2 << 20:
            os.sched_yield()
        assert stopped.poll() is None, "it was done before it could be stopped"
        stopped.send_signal(number)
        stopped.communicate()
        assert stopped.returncode in (1, -9)
        if where == "alone":
            with (up.data / "lock").open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # whoever stood in for the server has committed, and is gone
            up.start()
        done = told(up, "import", ALICE, str(source), code=1)  # the pipe is left out
        assert 0 < done["duplicates"] < 4000 and done["messages"] + done["duplicates"] == 4000
        assert [missed["why"] for missed in done["left_out"]] == ["not a regular file"]
        box = login(up, ALICE)
        assert box.select("INBOX")[1] == [b"4000"]
        box.logout()
        assert up.gk("verify", "--content").stdout == "all is well\n"
