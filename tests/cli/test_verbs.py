"""Every verb, with a server and without one."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gk.actions import queue_tls
from gk.bus import Bus
from gk.cli.main import VERBS
from gk.config import Config, Limits, parse
from gk.errors import Refused
from gk.store.db import Store
from gk.store.queued import QueuedRecipient
from gk.store.tls import DAY, TlsResult
from tests.site import ALICE, PASSWORD, TOP, Site

HEAVY = ("gk.app", "gk.config", "aiosmtpd", "aiosmtplib", "aiosqlite", "argon2", "dns", "prometheus_client", "asyncio")


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom gk.cli.main import main\nsys.argv[1:] = ['--help']\n"
        f"try:\n    main()\nexcept SystemExit as end:\n    print(end.code, [m for m in {HEAVY} if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=TOP)
    assert done.stdout.splitlines()[-1] == "0 []"
    assert all(f"  {verb}" in done.stdout for verb in VERBS)


@pytest.fixture(params=["alone", "served"])
def place(site: Site, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A site without a server, and the same with one."""
    if request.param == "alone":
        yield site
    else:
        with site.served():
            yield site


def test_accounts_are_made_listed_changed_and_removed(place: Site) -> None:
    assert place.click("user", "exists", ALICE).exit_code == 1
    made = place.json("user", "add", ALICE, "--name", "Alice", "--password-stdin", input=PASSWORD + "\n")
    assert made == {"id": 1, "address": ALICE}
    assert place.click("user", "exists", ALICE).exit_code == 0
    assert place.json("user", "exists", ALICE) == {"exists": True}
    (listed,) = place.json("user", "list")
    assert (listed["address"], listed["name"], listed["mailboxes"], listed["messages"]) == (ALICE, "Alice", 6, 0)
    shown = place.click("user", "list").stdout
    assert shown.splitlines()[0].split() == ["id", "address", "name", "mailboxes", "messages", "size"]
    assert place.json("user", "passwd", ALICE, "--password-stdin", input="another-password") == {"address": ALICE}
    assert place.click("user", "remove", ALICE, input="n\n").exit_code == 1
    assert place.json("user", "remove", ALICE, "--yes") == {"removed": ALICE}
    assert place.json("user", "list") == []


def test_a_quota_is_set_and_taken_back(place: Site) -> None:
    place.add_alice()
    assert place.json("user", "quota", ALICE, "2M") == {"address": ALICE, "used": 0, "limit": 2 << 20}
    assert place.json("user", "quota", ALICE, "none")["limit"] == 0
    assert place.json("user", "quota", ALICE, "default")["limit"] == 0
    assert place.click("user", "quota", ALICE, "much").exit_code == 2


def test_capabilities_are_hidden_and_offered_again(place: Site) -> None:
    place.add_alice()
    assert place.json("user", "hide", ALICE, "NOTIFY", "QRESYNC")["hidden"] == ["NOTIFY", "QRESYNC"]
    with pytest.raises(Refused, match="one word"):
        place.click("user", "hide", ALICE, "two words")
    assert place.json("user", "hide", ALICE)["hidden"] == []


def test_app_passwords_are_made_listed_and_revoked(place: Site) -> None:
    place.add_alice()
    made = place.json("user", "app", "add", ALICE, "phone")
    assert made["name"] == "phone" and len(made["password"]) == 23
    assert place.json("user", "app", "list", ALICE) == [{"id": made["id"], "name": "phone"}]
    assert "phone" in place.click("user", "app", "list", ALICE).stdout
    assert place.json("user", "app", "remove", ALICE, str(made["id"])) == {"removed": made["id"]}
    assert place.json("user", "app", "list", ALICE) == []


def test_the_password_is_asked_for_twice(place: Site) -> None:
    done = place.click("user", "add", ALICE, input=f"{PASSWORD}\n{PASSWORD}\n")
    assert done.exit_code == 0 and done.stdout == f"added {ALICE}\n"
    assert PASSWORD not in done.output


def test_an_empty_queue_says_so(place: Site) -> None:
    assert place.click("queue", "list").stdout == "the queue is empty\n"
    assert place.json("queue", "list") == []


def test_a_sound_store_is_verified(place: Site) -> None:
    place.add_alice()
    done = place.click("verify")
    assert (done.exit_code, done.stdout) == (0, "all is well\n")
    assert place.json("verify", "--content") == []


def test_reindex_takes_in_what_other_programs_left(site: Site) -> None:
    site.add_alice()
    root = site.data / "mail" / "1"
    for folder in ("cur", "new", "tmp"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "cur" / "1700000000.stranger:2,S").write_text("From: x@y.test\nSubject: hi\n\nhello\n")
    done = json.loads(site.run("reindex", "--json").stdout)
    assert done["adopted"] == 1
    assert site.json("user", "list")[0]["messages"] == 1
    assert "1 messages" in site.run("reindex").stdout
    assert site.click("verify").exit_code == 0


def test_a_missing_file_is_found_and_the_exit_code_says_so(site: Site) -> None:
    site.add_alice()
    root = site.data / "mail" / "1"
    for folder in ("cur", "new", "tmp"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "cur" / "1700000000.stranger:2,S").write_text("From: x@y.test\nSubject: hi\n\nhello\n")
    site.run("reindex", "--json")
    assert site.click("verify").exit_code == 0
    for file in (root / "cur").iterdir():
        file.unlink()
    done = site.run("verify")
    assert done.returncode == 1 and "«gk reindex» rebuilds the index" in done.stdout
    (problem,) = json.loads(site.run("verify", "--json").stdout)
    assert problem["kind"] in done.stdout


def test_the_configuration_is_shown_checked_and_set(site: Site) -> None:
    tree = site.json("config", "show")
    assert tree["hostname"] == "mail.example.test" and tree["limits"]["recipients"] == 1000
    assert 'hostname = "mail.example.test"' in site.click("config", "show").stdout
    assert site.json("config", "check") == {"path": str(site.path), "ok": True}
    assert site.click("config", "check").stdout == f"{site.path} is well\n"
    assert site.json("config", "set", "limits.recipients", "77")["overlay"] == str(site.data / "gk.local.toml")
    assert site.json("config", "show")["limits"]["recipients"] == 77
    assert "is set in" in site.click("config", "set", "log.level", "debug").stdout


def test_a_running_server_is_well(site: Site) -> None:
    with site.served() as server:
        found = site.json("status")
        assert found["process"] == server.pid and found["read_only"] is None
        assert site.click("status").stdout == f"gk {found['version']}, process {server.pid}: well\n"
        assert "gk_loop_lag_seconds_bucket" in site.click("status", "--metrics").stdout
        assert (site.data / "gk.sock").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shells_get_their_completion(site: Site, shell: str) -> None:
    done = site.run("completion", shell)
    assert done.returncode == 0 and "_GK_COMPLETE" in done.stdout
    offered = subprocess.run(
        [sys.executable, "-m", "gk"], capture_output=True, text=True, cwd=TOP,
        env=site.environment(_GK_COMPLETE="bash_complete", COMP_WORDS="gk qu", COMP_CWORD="1"),
    )  # fmt: skip
    assert offered.stdout == "plain,queue\n"


def test_init_writes_a_configuration_and_the_first_account(tmp_path: Path, site: Site) -> None:
    place = tmp_path / "new"
    done = site.run("init", "You@Example.ORG", "--dir", str(place), "--password-stdin", input=PASSWORD)
    assert done.returncode == 0, done.stderr
    assert f"Wrote {place / 'gk.toml'} and made the account you@example.org." in done.stdout
    assert 'domains  = ["example.org"]' in (place / "gk.toml").read_text()
    assert (place / "data").stat().st_mode & 0o777 == 0o700
    assert (place / "gk.toml").stat().st_mode & 0o777 == 0o644
    listed = subprocess.run(
        [sys.executable, "-m", "gk", "-c", str(place / "gk.toml"), "user", "list", "--json"],
        capture_output=True, env=site.environment(), check=True,
    )  # fmt: skip
    assert json.loads(listed.stdout)[0]["address"] == "you@example.org"


def test_init_asks_for_the_password_and_refuses_a_file_that_is_there(tmp_path: Path, site: Site) -> None:
    place = tmp_path / "new"
    assert site.click("init", "you@example.org", "--dir", str(place), input=f"{PASSWORD}\n{PASSWORD}\n").exit_code == 0
    line = site.fails(1, "init", "me@example.org", "--dir", str(place), "--password-stdin", input=PASSWORD)
    assert "gk.toml is there already; add accounts with «gk --config" in line


@pytest.mark.parametrize(
    ("address", "password", "expected"),
    [("you", PASSWORD, "'you' is not an address"), ("you@example.org", "short", "10 to 1,024 bytes")],
)
def test_init_leaves_nothing_behind_when_it_fails(
    tmp_path: Path, site: Site, address: str, password: str, expected: str
) -> None:
    place = tmp_path / "new"
    line = site.fails(1, "init", address, "--dir", str(place), "--password-stdin", input=password)
    assert expected in line
    assert not (place / "gk.toml").exists()


async def _queue(data: Path) -> None:
    config = Config(data=data, domains=("example.test",), limits=Limits(free_space_bytes=0))
    async with Store.open(config, Bus()) as store:
        for name, domain in (("zoe", "far.test"), ("yan", "far.test"), ("xi", "other.test")):
            arrival = await store.prepare(f"Subject: to {name}\r\n\r\nhi\r\n".encode())
            to = [QueuedRecipient(f"{name}@{domain}", domain)]
            await store.outgoing.add(arrival, ALICE, to, account=1, origin="user")
        await store.outgoing.hold(1, True)


def test_the_queue_is_listed_and_changed_by_what_is_chosen(site: Site) -> None:
    site.add_alice()
    asyncio.run(_queue(site.data))
    assert [m["id"] for m in site.json("queue", "list")] == [1, 2, 3]
    assert [m["id"] for m in site.json("queue", "list", "--domain", "FAR.test")] == [1, 2]
    assert [m["id"] for m in site.json("queue", "list", "--status", "held")] == [1]
    assert [m["id"] for m in site.json("queue", "list", "--to", "yan@far.test", "--from", ALICE)] == [2]
    assert site.click("queue", "list", "--origin", "ai").stdout == "no such message in the queue\n"
    with pytest.raises(Refused, match="a status is one of"):
        site.click("queue", "list", "--status", "lost")
    assert site.json("queue", "hold", "--domain", "far.test") == [1, 2]
    assert site.json("queue", "release", "2") == {"id": 2}
    assert [m["held"] for m in site.json("queue", "list")] == [True, False, False]
    assert site.click("queue", "remove").exit_code == 2, "nothing is chosen by saying nothing"
    assert site.json("queue", "remove", "--status", "held") == [1]
    assert "Subject: to yan" in site.click("queue", "show", "2").stdout
    with pytest.raises(Refused, match="nothing was tried"):
        site.click("queue", "trace", "2")


def test_addresses_nothing_is_sent_to_are_added_listed_and_removed(place: Site) -> None:
    place.add_alice()
    assert place.click("suppression", "list").stdout == "the list is empty\n"
    made = place.json("suppression", "add", "Trap@far.test", "--reason", "spam trap")
    assert made == {"address": "trap@far.test", "added": True}
    assert place.click("suppression", "add", "trap@far.test").stdout == "trap@far.test is there already\n"
    place.json("suppression", "add", "zoe@far.test", "--account", ALICE)
    (entry,) = place.json("suppression", "list")
    assert (entry["address"], entry["reason"]) == ("trap@far.test", "spam trap")
    assert "zoe@far.test  added by hand" in place.click("suppression", "list", "--account", ALICE).stdout
    assert place.json("suppression", "remove", "trap@far.test") == {"removed": "trap@far.test"}
    with pytest.raises(Refused, match="not on that list"):
        place.click("suppression", "remove", "trap@far.test")


async def _sessions(data: Path, results: dict[TlsResult, int]) -> None:
    async with Store.open(parse({"domains": ["example.test"], "data": str(data)}), Bus()) as store:
        await store.tls.count(results, [], int(time.time()))


def test_what_tls_came_to_is_shown_failures_first(site: Site) -> None:
    assert site.click("queue", "tls").stdout == "no sessions in that time\n"
    today = int(time.time()) // DAY
    asyncio.run(
        _sessions(
            site.data,
            {
                TlsResult(today, "far.test", "sts", "", ""): 40,
                TlsResult(today - 2, "far.test", "sts", "", ""): 2,
                TlsResult(today, "far.test", "sts", "certificate-expired", "mx1.far.test"): 3,
                TlsResult(today - 20, "near.test", "tlsa", "", ""): 1,
            },
        )
    )
    heading, failed, good = site.click("queue", "tls").stdout.splitlines()
    assert heading.split() == ["domain", "policy", "mx", "result", "sessions", "first", "last"]
    assert failed.split()[:5] == ["far.test", "sts", "mx1.far.test", "certificate-expired", "3"]
    assert good.split()[:4] == ["far.test", "sts", "success", "42"] and good.split()[4] < good.split()[5]
    assert [row["domain"] for row in site.json("queue", "tls", "--days", "90")["results"]] == ["far.test"] * 2 + [
        "near.test"
    ]
    assert site.json("queue", "tls", "--days", "90", "--domain", "Near.test")["results"][0]["sessions"] == 1
    assert site.json("queue", "tls", "--domain", "elsewhere.test") == {"results": [], "more": False}
    with pytest.raises(Refused, match="kept for 90 days"):
        site.click("queue", "tls", "--days", "91")


def test_more_results_than_fit_are_cut_and_said_to_be(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    today = int(time.time()) // DAY
    asyncio.run(_sessions(site.data, {TlsResult(today, f"d{n}.test", "sts", "", ""): 1 for n in range(4)}))
    monkeypatch.setattr(queue_tls, "LONGEST", 3)
    shown = site.click("queue", "tls").stdout.splitlines()
    assert len(shown) == 5 and shown[-1] == "(there are more: choose one with --domain)"
