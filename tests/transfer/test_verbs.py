"""`gk import` and `gk export` on files as other programs leave them; without a server and with one."""

import json
import mailbox
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gk.store.maildir import read_keywords
from tests.site import ALICE, PASSWORD, Site

NOBODY = 65534
CAROL = "carol@example.test"


@pytest.fixture(params=["alone", "served"])
def place(site: Site, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A site without a server, and the same with one."""
    if request.param == "alone":
        yield site
    else:
        with site.served():
            yield site


def mail(number: int | str, more: str = "", body: str = "body") -> bytes:
    return f"Message-ID: <{number}@x>\nSubject: {number}\n{more}\n{body}\n".encode()


def folder(path: Path, *names: str) -> Path:
    """A Maildir with a message for each file name."""
    for sub in ("cur", "new", "tmp"):
        (path / sub).mkdir(parents=True, exist_ok=True)
    for name in names:
        (path / name).write_bytes(mail(f"{path.name} {name}"))
    return path


def boxes(site: Site, address: str = ALICE) -> dict[str, int]:
    """How many messages each mailbox has."""
    db = sqlite3.connect(site.data / "gk.db")
    rows = db.execute(
        "SELECT m.name, m.messages FROM mailbox m JOIN account a ON a.id = m.account WHERE a.address = ?", (address,)
    ).fetchall()
    db.close()
    return dict(rows)


def entries(site: Site, name: str) -> list[tuple[int, int, str]]:
    """(date, system flags, keywords) of each message of a mailbox."""
    db = sqlite3.connect(site.data / "gk.db")
    rows = db.execute(
        "SELECT e.date, e.flags & 255, coalesce(k.words, '') FROM entry e JOIN mailbox m ON m.id = e.mailbox"
        " LEFT JOIN keyword_set k ON k.id = e.flags >> 8 WHERE m.name = ? ORDER BY e.uid",
        (name,),
    ).fetchall()
    db.close()
    return rows


def took(site: Site, *arguments: str, code: int = 0) -> Any:
    done = site.click(*arguments, "--json")
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_a_maildir_moves_in_with_flags_keywords_and_dates(place: Site, tmp_path: Path) -> None:
    source = folder(tmp_path / "m", "cur/1500000000.a.host,S=9:2,FSa", "new/1500000001.b.host", "cur/1500000002.c:2,RT")
    (source / "dovecot-keywords").write_text("0 $Label1\n")
    os.utime(source / "cur" / "1500000002.c:2,RT", (1_400_000_000, 1_400_000_000))
    folder(source / ".Envoy&AOk-s", "cur/1500000003.d:2,S")
    folder(source / ".Projects.2026")
    (source / "subscriptions").write_text("V\t2\n\nEnvoy&AOk-s\n")
    done = took(place, "import", ALICE, str(source))
    assert (done["messages"], done["missed"], done["duplicates"]) == (4, 0, 0)
    assert boxes(place) == {
        "INBOX": 3, "Sent": 1, "Projects/2026": 0, "Projects": 0, "Drafts": 0, "Junk": 0, "Trash": 0, "Archive": 0,
    }  # fmt: skip
    assert entries(place, "INBOX") == [(1500000000, 5, "$Label1"), (1500000001, 0, ""), (1400000000, 10, "")]
    db = sqlite3.connect(place.data / "gk.db")
    assert ("Projects/2026",) not in db.execute("SELECT name FROM subscription").fetchall()
    db.close()
    assert place.json("verify", "--content") == []


def test_a_second_run_takes_nothing_and_a_third_what_is_new(place: Site, tmp_path: Path) -> None:
    source = folder(tmp_path / "m", "cur/1.a:2,S", "cur/2.b:2,")
    assert took(place, "import", ALICE, str(source))["messages"] == 2
    assert took(place, "import", ALICE, str(source))["duplicates"] == 2
    folder(source, "cur/3.c:2,")
    again = took(place, "import", ALICE, str(source))
    assert (again["messages"], again["duplicates"]) == (1, 2)


def test_a_dry_run_changes_nothing(place: Site, tmp_path: Path) -> None:
    source = folder(tmp_path / "m", "cur/1.a:2,S")
    folder(source / ".New", "cur/2.b:2,")
    before = boxes(place)
    done = place.click("import", ALICE, str(source), "--dry-run")
    assert done.exit_code == 0 and "2 messages would be taken in" in done.stdout
    assert boxes(place) == before


def test_what_cannot_be_had_is_listed_and_the_exit_code_says_so(place: Site, tmp_path: Path) -> None:
    place.append("message_bytes = 5000\n")
    source = folder(tmp_path / "m", "cur/1.a:2,S")
    (source / "cur" / "2.large").write_bytes(mail(2, body="x" * 6000))
    (source / "cur" / "3.empty").write_bytes(b"")
    (source / "cur" / "4.link").symlink_to("/etc/passwd")
    (source / ".Linked").symlink_to("/etc")
    os.mkfifo(source / "cur" / "5.pipe")
    (source / "cur" / "6.directory").mkdir()
    done = took(place, "import", ALICE, str(source), code=1)
    assert done["messages"] == 1 and boxes(place)["INBOX"] == 1
    assert {(Path(m["where"]).name, m["why"]) for m in done["left_out"]} == {
        ("2.large", "larger than 5000 bytes"), ("3.empty", "an empty file"), ("4.link", "a symbolic link"),
        ("5.pipe", "not a regular file"), ("6.directory", "not a regular file"),
    }  # fmt: skip
    shown = place.click("import", ALICE, str(source))
    assert "4.link: a symbolic link" in shown.stdout and "5 left out" in shown.stdout


def test_a_large_message_arrives_whole(place: Site, tmp_path: Path) -> None:
    source = folder(tmp_path / "m", "cur/1.a:2,S")
    large = mail("large", body="0123456789" * 300_000)
    (source / "cur" / "2.large").write_bytes(large)
    assert took(place, "import", ALICE, str(source))["messages"] == 2
    took(place, "export", ALICE, str(tmp_path / "out"))
    (written,) = (path for path in (tmp_path / "out" / "cur").iterdir() if path.stat().st_size > 1 << 20)
    assert written.read_bytes() == large.replace(b"\n", b"\r\n")
    assert place.json("verify", "--content") == []


def test_a_tree_of_plain_maildirs_moves_in(site: Site, tmp_path: Path) -> None:
    folder(tmp_path / "t" / "Inbox", "cur/1.a,U=7:2,S")
    folder(tmp_path / "t" / "Work.x" / "2026", "cur/2.b,U=1:2,")
    folder(tmp_path / "t" / "a" / ".b", "new/3.c,U=1:2,F")
    took(site, "import", ALICE, str(tmp_path / "t"))
    found = boxes(site)
    assert (found["INBOX"], found["Work.x/2026"], found["a/b"]) == (1, 1, 1)
    assert entries(site, "a/b")[0][1] == 4  # mbsync leaves what is unseen in `new`, with its flags


def test_python_reads_what_export_wrote(site: Site, tmp_path: Path) -> None:
    source = mailbox.Maildir(tmp_path / "m")
    for number in range(5):
        message = mailbox.MaildirMessage(mail(number))
        message.set_subdir("cur")
        message.set_flags("FS"[: number % 3])
        source.add(message)
    source.add_folder("Work").add(mail("work"))
    took(site, "import", ALICE, str(tmp_path / "m"))
    took(site, "export", ALICE, str(tmp_path / "maildir"))
    took(site, "export", ALICE, str(tmp_path / "mbox"), "--format", "mbox", "--folder", "Work")
    written = mailbox.Maildir(tmp_path / "maildir", create=False)
    assert sorted(m.get_flags() for m in written) == ["", "", "F", "F", "FS"]
    assert [m["Subject"] for m in written.get_folder("Work")] == ["work"]
    box = mailbox.mbox(tmp_path / "mbox" / "Work.mbox", create=False)
    assert [(m["Subject"], m.get_flags()) for m in box] == [("work", "O")]
    box.close()
    assert [path.name for path in (tmp_path / "mbox").iterdir() if path.suffix == ".mbox"] == ["Work.mbox"]


def test_a_thunderbird_profile_moves_in(site: Site, tmp_path: Path) -> None:
    root = tmp_path / "Local Folders"
    (root / "Archives.sbd").mkdir(parents=True)
    deleted = (
        b"From - Thu Feb 29 12:00:00 2024\nX-Mozilla-Status: 0009\nX-Mozilla-Status2: 00000000\n" + mail(2) + b"\n"
    )
    kept = b"From - Thu Feb 29 12:00:00 2024\nX-Mozilla-Status: 0005\nX-Mozilla-Keys: $label1   \n" + mail(1) + b"\n"
    (root / "Inbox").write_bytes(kept + deleted)
    (root / "Inbox.msf").write_text("// <!-- <mdb:mork:z")
    (root / "Archives").write_bytes(b"")
    (root / "Archives.msf").write_text("")
    (root / "Archives.sbd" / "2024").write_bytes(b"From \n" + mail(3) + b"\n")
    (root / "msgFilterRules.dat").write_text("version=9\n")
    done = took(site, "import", ALICE, str(root))
    assert done["messages"] == 2 and "deleted there" in done["notes"][0]
    found = boxes(site)
    assert (found["INBOX"], found["Archive"], found["Archive/2024"]) == (1, 0, 1)
    assert entries(site, "INBOX") == [(1709208000, 5, "$label1")]


def test_a_takeout_is_sorted_by_its_labels(site: Site, tmp_path: Path) -> None:
    labels = ["Inbox,Unread", "Sent", "Work/Client,Bills", "Spam", "Archived,Starred"]
    line = "From 17@xxx Thu Feb 29 12:00:00 +0000 2024\n"
    path = tmp_path / "All mail Including Spam and Trash.mbox"
    path.write_bytes(
        b"".join(
            f"{line}X-GM-THRID: 1\nX-Gmail-Labels: {label}\n".encode() + mail(n) + b"\n"
            for n, label in enumerate(labels)
        )
    )
    done = took(site, "import", ALICE, str(path))
    assert {f["target"]: f["messages"] for f in done["folders"]} == {
        "INBOX": 1, "Sent": 1, "Work/Client": 1, "Junk": 1, "Archive": 1,
    }  # fmt: skip
    assert entries(site, "Work/Client") == [(1709208000, 1, "Bills")]
    assert entries(site, "INBOX")[0][1] == 0 and entries(site, "Archive")[0][1] == 5


def test_an_mbox_is_the_inbox_or_the_folder_of_its_name(site: Site, tmp_path: Path) -> None:
    for name in ("mbox", "alice", "Letters.mbox"):
        (tmp_path / name).write_bytes(b"From a@b Thu Feb 29 12:00:00 2024\n" + mail(name) + b"\n")
        took(site, "import", ALICE, str(tmp_path / name))
    took(site, "import", ALICE, str(tmp_path / "mbox"), "--into", "Old/2024")
    (tmp_path / "apple" / "Friends.mbox").mkdir(parents=True)
    (tmp_path / "mbox").rename(tmp_path / "apple" / "Friends.mbox" / "mbox")
    took(site, "import", ALICE, str(tmp_path / "apple"))
    found = boxes(site)
    assert (found["INBOX"], found["Letters"], found["Old/2024"], found["Friends"]) == (2, 1, 1, 1)


def test_more_keywords_than_a_mailbox_takes_are_left_out_and_said(site: Site, tmp_path: Path) -> None:
    site.append("keywords = 5\n")
    text = b"".join(b"From a@b Thu Feb 29 12:00:00 2024\nX-Keywords: word%d\n" % n + mail(n) + b"\n" for n in range(9))
    (tmp_path / "mbox").write_bytes(text)
    done = took(site, "import", ALICE, str(tmp_path / "mbox"))
    assert done["messages"] == 9 and boxes(site)["INBOX"] == 9
    assert "some keywords were left out" in done["notes"][0]


def test_an_export_overwrites_nothing_of_others(site: Site, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    for format_ in ("maildir", "mbox"):
        line = site.fails(1, "export", ALICE, str(tmp_path / "full"), "--format", format_)
        assert "is not empty" in line
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.txt"]
    site.click("user", "add", CAROL, "--password-stdin", input=PASSWORD)
    for format_ in ("maildir", "mbox"):
        took(site, "export", ALICE, str(tmp_path / format_), "--format", format_)
        assert "of another account" in site.fails(1, "export", CAROL, str(tmp_path / format_), "--format", format_)
    assert "the other format" in site.fails(1, "export", ALICE, str(tmp_path / "maildir"), "--format", "mbox")
    assert "there is no mailbox Nope" in site.fails(1, "export", ALICE, str(tmp_path / "x"), "--folder", "Nope")


def test_an_export_keeps_keywords_that_have_no_letter(site: Site, tmp_path: Path) -> None:
    text = b"".join(
        b"From a@b Thu Feb 29 12:00:00 2024\nX-Keywords: word%02d both\n" % n + mail(n) + b"\n" for n in range(40)
    )
    (tmp_path / "mbox").write_bytes(text)
    took(site, "import", ALICE, str(tmp_path / "mbox"))
    took(site, "export", ALICE, str(tmp_path / "out"))
    assert len(read_keywords(tmp_path / "out")) == 26
    site.click("user", "add", CAROL, "--password-stdin", input=PASSWORD)
    site.click("import", ALICE, str(tmp_path / "out"), "--into", "Back")
    assert entries(site, "Back") == entries(site, "INBOX")


def test_mistakes_are_one_line(site: Site, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").mkdir()
    assert "No such file or directory" in site.fails(1, "import", ALICE, str(tmp_path / "absent"))
    assert "is no mbox" in site.fails(1, "import", ALICE, str(tmp_path / "text"))
    assert "neither a Maildir nor an mbox" in site.fails(1, "import", ALICE, str(tmp_path / "empty"))
    assert "there is no account" in site.fails(1, "import", CAROL, str(folder(tmp_path / "m")))
    assert "is no directory" in site.fails(1, "export", ALICE, str(tmp_path / "text"))
    assert site.run("import", ALICE).returncode == 2
    assert site.run("export", ALICE, "x", "--format", "zip").returncode == 2
    site.append("recipient = 5\n")
    assert "unknown key" in site.fails(78, "import", ALICE, str(tmp_path / "m"))


def test_an_account_elsewhere_that_cannot_be_reached_is_75(site: Site) -> None:
    url = f"imap://ann@127.0.0.1:{site.ports['imap']}"
    assert "Connection refused" in site.fails(75, "import", ALICE, url, "--password-stdin", input="secret")
    with site.served():
        line = site.fails(1, "import", ALICE, url, "--password-stdin", input="secret")
        assert "refused the login" in line and "secret" not in line


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_root_moves_a_users_mail_into_a_store_of_the_services(tmp_path: Path) -> None:
    home = tmp_path / "site"
    home.mkdir()
    site = Site(home)
    site.data.mkdir(mode=0o700)
    os.chown(site.data, NOBODY, NOBODY)
    site.open_to_all()
    assert site.run_as(0, "user", "add", ALICE, "--password-stdin", input=PASSWORD).returncode == 0
    source = folder(tmp_path / "private", "cur/1.a:2,S")
    source.chmod(0o700)
    done = site.run_as(0, "import", ALICE, str(source), "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["messages"] == 1, done.stderr
    done = site.run_as(0, "export", ALICE, str(tmp_path / "out"))
    assert done.returncode == 0 and (tmp_path / "out").stat().st_uid == 0, done.stderr
    assert {path.stat().st_uid for path in site.data.rglob("*")} == {NOBODY}
    assert not (site.data / "gk.sock").exists()


def test_the_log_names_nobody(site: Site, tmp_path: Path) -> None:
    with site.served():
        took(site, "import", ALICE, str(folder(tmp_path / "m", "cur/1.a:2,S")))
        took(site, "export", ALICE, str(tmp_path / "out"))
    assert not re.search(r"alice|example\.test/", (site.directory / "log").read_text())
