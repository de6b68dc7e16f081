"""The tables [[remote]], the variables that stand for one, and what users see of their accounts elsewhere."""

import dataclasses
import re
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from gk import app
from gk.actions import registry
from gk.config import Config, Remote, Replies, ReplyRule, as_tree, given, load
from gk.config.remote import VARIABLES
from gk.errors import ConfigError, Refused, Unavailable
from gk.inbound.remote.parsing import Listed
from gk.inbound.remote.places import used, watched
from gk.store.erasure import Person
from gk.tls.certs import make
from tests.inbound.remote.elsewhere import ADDRESS, both, configuration, remote
from tests.inbound.remote.hostile import Peer
from tests.store.rooms import ALICE, BOB, message

TABLE = {"name": "work", "address": ADDRESS, "host": "imap.far.test", "password_file": "secret"}


def written(directory: Path, **keys: Any) -> Path:
    lines = [
        f"{name} = {str(value).lower() if isinstance(value, bool | int) else repr(value)}"
        for name, value in keys.items()
    ]
    path = directory / "gk.toml"
    path.write_text("\n".join(['domains = ["example.test"]', "[[remote]]", *lines]))
    return path


def test_four_keys_are_enough(tmp_path: Path) -> None:
    (one,) = load(written(tmp_path, **TABLE), {}).remote
    assert (one.port, one.tls, one.login, one.here, one.folders) == (993, True, ADDRESS, "work", ("INBOX",))


def test_the_documents_name_every_key() -> None:
    text = (Path(__file__).parents[3] / "docs/remote.md").read_text()
    named = set(re.findall(r"`([a-z_]+)`", text.partition("| key |")[2].partition("One account can")[0]))
    assert {field.name for field in dataclasses.fields(Remote)} <= named
    assert set(VARIABLES) <= set(re.findall(r"`([A-Z_]+)`", text))


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"name": "a b"}, "name must be"), ({"name": ""}, "name must be"), ({"address": "ann"}, "address must be like"),
        ({"address": "a@example.test"}, "is an address here"), ({"host": ""}, "host must be"),
        ({"host": "a b"}, "host must be"), ({"port": 70000}, "port must be"), ({"tls": False}, "in clear"),
        ({"owner": "alice"}, "owner must be"), ({"password_file": ""}, "password_file is missing"),
        ({"smtp_tls": "maybe"}, "smtp_tls must be"), ({"smtp_host": "x.test", "smtp_tls": "none"}, "in clear"),
        ({"folders": []}, "folders must be"), ({"check_seconds": 1}, "check_seconds"),
        ({"passwort": "x"}, "did you mean"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_at_the_start(tmp_path: Path, keys: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        load(written(tmp_path, **(TABLE | keys)), {})


def test_two_accounts_have_two_names(tmp_path: Path) -> None:
    path = written(tmp_path, **TABLE)
    path.write_text(path.read_text() + "\n" + path.read_text().partition("\n")[2])
    with pytest.raises(ConfigError, match="there twice"):
        load(path, {})


ENVIRONMENT = {"EMAIL_ADDRESS": ADDRESS, "EMAIL_PASSWORD": "a secret", "IMAP_HOST": "imap.far.test"}


def test_variables_stand_for_an_account_and_their_passwords_stay_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "gk.toml"
    path.write_text('domains = ["example.test"]')
    more = {"IMAP_FOLDER": "INBOX, Work", "SMTP_HOST": "smtp.far.test", "SMTP_PORT": "587", "EMAIL_CHECK_INTERVAL": "2"}
    config = load(path, ENVIRONMENT | more)
    (one,) = config.remote
    assert (one.name, one.address, one.folders, one.check_seconds) == ("external", ADDRESS, ("INBOX", "Work"), 5)
    assert (one.smtp_host, one.smtp_port, one.smtp_tls) == ("smtp.far.test", 587, "starttls")
    assert given(config, one.password_file, "x", ENVIRONMENT) == "a secret"
    assert "a secret" not in repr(as_tree(config)) + repr(config)
    assert load(path, {"EMAIL_ADDRESS": ADDRESS}).remote == ()


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"IMAP_PORT": "x"}, r"\$IMAP_PORT must be a whole number"), ({"IMAP_SSL": "maybe"}, r"\$IMAP_SSL must be"),
        ({"IMAP_SSL": "no"}, r"\$IMAP_HOST: remote .* in clear"), ({"EMAIL_ADDRESS": "x"}, r"\$IMAP_HOST: remote"),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_named(tmp_path: Path, variables: dict[str, str], why: str) -> None:
    path = tmp_path / "gk.toml"
    path.write_text('domains = ["example.test"]')
    with pytest.raises(ConfigError, match=why):
        load(path, ENVIRONMENT | variables)


def test_a_variable_without_a_password_is_an_error_that_does_not_hold_it() -> None:
    for value in ("", "two\nlines"):
        with pytest.raises(ConfigError) as caught:
            given(Config(), "$PASSWORD", "x", {"PASSWORD": value})
        assert "lines" not in str(caught.value)


def boxes(*names: str, delimiter: str = "/", **attributes: str) -> list[Listed]:
    return [
        Listed(name.encode(), name, delimiter, frozenset(attributes.get(name.rpartition(delimiter)[2], "").split()))
        for name in names
    ]


def test_folders_come_below_the_mailbox_here(tmp_path: Path) -> None:
    there = boxes("INBOX", "INBOX.Work.A", "INBOX.b/c", delimiter=".")
    one = remote(tmp_path, 1, folders=("inbox", "INBOX.Work.A", "INBOX.b/c", "gone"), mailbox="Far/Ann")
    assert [place.here for place in watched(one, there)] == ["Far/Ann", "Far/Ann/Work/A", "Far/Ann/b_c"]
    with pytest.raises(Refused):
        watched(remote(tmp_path, 1, folders=("gone", "INBOX")), there)


def test_trash_archive_and_junk_are_told_or_have_their_usual_names() -> None:
    told = used(boxes("INBOX", "Bin", "Trash", "Spam", "All Mail", Bin="\\TRASH", **{"All Mail": "\\ALL"}))
    assert {use: one.name for use, one in told.items()} == {
        "\\Trash": "Bin", "\\Archive": "All Mail", "\\Junk": "Spam",
    }  # fmt: skip
    below = used(boxes("INBOX", "INBOX.Trash", "INBOX.Lists.Archive", delimiter="."))
    assert {use: one.name for use, one in below.items()} == {"\\Trash": "INBOX.Trash"}


async def test_tls_is_believed_where_the_authority_is(tmp_path: Path) -> None:
    make(tmp_path / "chain.pem", tmp_path / "key.pem", ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "chain.pem", tmp_path / "key.pem")
    async with Peer({1: message(1)}).serve(context) as peer:
        async with both(tmp_path, peer.port, tls=True) as side:
            with pytest.raises(Unavailable, match="certificate cannot be trusted"):
                await side.sync()
            assert not peer.heard
        async with both(tmp_path, peer.port, tls=True, ca=str(tmp_path / "chain.pem")) as side:
            assert (await side.sync()).new == 1


async def test_a_user_sees_and_syncs_the_own_accounts_only(tmp_path: Path) -> None:
    async with Peer({1: message(1)}).serve() as peer:
        config = configuration(tmp_path, remote(tmp_path, peer.port))
        async with app.rooms(config) as rooms:
            scopes = frozenset({"read", "settings"})
            alice, bob = [
                rooms.context(scopes, account=await rooms.store.accounts.add(address, None)) for address in (ALICE, BOB)
            ]
            (listed,) = (await registry.run("remote_list", {}, alice))["accounts"]
            assert (listed["name"], listed["state"], listed["synced"]) == ("work", "waiting", 0)
            assert (await registry.run("remote_sync", {"name": "work"}, alice))["new"] == 1
            assert (await registry.run("remote_list", {}, alice))["accounts"][0]["synced"] > 0
            assert (await registry.run("remote_list", {}, bob))["accounts"] == []
            with pytest.raises(Refused, match="no account elsewhere called"):
                await registry.run("remote_sync", {"name": "work"}, bob)


async def test_twenty_mails_are_one_commit_and_a_fixed_number_of_questions(tmp_path: Path) -> None:
    async with Peer({uid: message(uid) for uid in range(1, 101)}).serve() as peer, both(tmp_path, peer.port) as side:
        await side.sync()
        peer.messages |= {uid: message(uid) for uid in range(101, 201)}
        commits: list[int] = [0]
        questions: list[str] = []

        def trace(statement: str) -> None:
            if statement.startswith("INSERT INTO message "):
                commits[-1] += 1
            elif statement == "COMMIT" and commits[-1]:
                commits.append(0)

        await side.store.commits.do(lambda db, facts: db.set_trace_callback(trace))
        side.store.reader.set_trace_callback(questions.append)
        assert (await side.sync()).new == 100
        side.store.reader.set_trace_callback(None)
        assert commits == [20, 20, 20, 20, 20, 0]
        assert len(questions) < 40


async def test_mail_that_comes_now_may_be_answered_and_what_was_there_before_is_not(tmp_path: Path) -> None:
    rules = Replies(rules=(ReplyRule(name="all"),))
    now = time.strftime("%d-%b-%Y %H:%M:%S +0000", time.gmtime()).encode()

    def dated(peer: Peer, name: str, rest: str) -> bytes:
        return peer.honest(name, rest).replace(b"01-Feb-2026 12:00:00 +0000", now)

    async with (
        Peer({1: message(1)}, say={"UID FETCH": dated}).serve() as peer,
        both(tmp_path, peer.port, replies=rules) as side,
    ):
        await side.sync()
        assert side.store.replies.waiting() == 0
        peer.messages |= {2: message(2), 3: message(3)}
        peer.flags = {3: "\\Seen"}
        assert (await side.sync()).new == 2
        assert side.store.replies.waiting() == 1
        peer.say.clear()
        peer.messages[4] = message(4)  # of long ago
        assert (await side.sync()).new == 1
        assert side.store.replies.waiting() == 1


async def test_mail_that_is_erased_here_stays_there_and_does_not_come_again(tmp_path: Path) -> None:
    async with Peer({1: message(1), 2: message(2, From="eve@far.test")}).serve() as peer:
        async with both(tmp_path, peer.port) as side:
            await side.sync()
            person = Person("eve@far.test")
            found = await side.store.erasure.find(person, lambda done, total: None)
            await side.store.erasure.erase(found, person)
            peer.messages[3] = message(3)
            done = await side.sync()
            assert (done.new, done.told) == (1, 0)
            assert [*peer.messages] == [1, 2, 3] and [*await side.here()] == ["1", "3"]
            again = await side.store.erasure.find(person, lambda done, total: None)
            assert (again.messages, again.rows, again.theirs) == ([], {}, [])
        assert not any(word in line for line in peer.heard for word in ("STORE", "MOVE", "EXPUNGE"))
