"""Mailbox names: what they may be, what becomes of their folders, and that none reaches the disk unescaped."""

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.errors import BadName, LimitReached, MailboxExists, NoSuchMailbox, Refused
from gk.store import maildir
from gk.store.names import canonical
from gk.store.reindex import decode
from tests.store.rooms import account, append, box, message, opened, read

SAFE = set(string.ascii_letters + string.digits + " &+,_=.-")
NASTY = (
    "../../etc/passwd", "..", ".", "a/../b", "a/./b", "", "/", "a//b", "a/", "/a", "a\x00b", "a\nb", "\x7f", "a\u2028b",
    "x" * 256, "é" * 128, "/".join("abcdefghijklmnopqrstu"), "\ud800", "a\x85b",
)  # fmt: skip
ODD = (
    "con",
    "NUL",
    "a.b",
    "~",
    "$HOME",
    "`id`",
    "a\\b",
    "*",
    "%",
    "&",
    "Entwürfe",
    "日本語",
    "🙂",
    "-rf",
    "x" * 255,
    "= =",
)


@pytest.mark.parametrize("name", NASTY)
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(BadName):
        canonical(name)


@given(st.text(max_size=300))
def test_a_directory_name_holds_only_safe_characters_and_fits(name: str) -> None:
    try:
        name = canonical(name)
    except BadName:
        return
    path = maildir.directory(name, 7)
    assert set(path) <= SAFE and len(path) <= 255 and ".." not in path
    assert path == "" if name == "INBOX" else path.startswith(".") and path != "."


@given(st.lists(st.text(max_size=20), min_size=2, max_size=2, unique=True))
def test_two_names_never_share_a_directory(names: list[str]) -> None:
    try:
        first, second = (canonical(name) for name in names)
    except BadName:
        return
    if first != second:
        assert maildir.directory(first, 1) != maildir.directory(second, 2)


@given(st.text(max_size=60))
def test_a_directory_name_leads_back_to_the_name(name: str) -> None:
    try:
        name = canonical(name)
    except BadName:
        return
    path = maildir.directory(name, 7)
    if name != "INBOX" and not path.startswith(".=m"):
        assert decode(path) == name


@pytest.mark.parametrize("name", ODD)
async def test_an_odd_name_holds_mail(name: str, tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        mailbox = await store.mailboxes.create(account(store).id, f"{name}/{name}" if len(name) < 200 else name)
        await append(store, mailbox, message(1))
        await store.filer.rest()
        assert await read(store, mailbox, 1) == message(1)
        assert {p.name for p in tmp_path.iterdir()} <= {
            "backup", "ballast", "gk.db", "gk.db-shm", "gk.db-wal", "keys", "lock", "mail", "spool",
        }  # fmt: skip


async def test_inbox_is_one_mailbox_in_any_case(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        who = account(store).id
        assert store.mailboxes.find(who, "inBox") == store.mailboxes.get(who, "INBOX")
        with pytest.raises(MailboxExists):
            await store.mailboxes.create(who, "Inbox")
        assert (await store.mailboxes.create(who, "inbox/Sub")).name == "INBOX/Sub"
        with pytest.raises(Refused):
            await store.mailboxes.delete(who, "inbox")


async def test_superiors_are_made_and_renamed_with_their_inferiors(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        who = account(store).id
        await append(store, await store.mailboxes.create(who, "a/b/c"), message(1))
        await store.filer.rest()
        await store.mailboxes.rename(who, "a", "x/y")
        await store.filer.rest()
        names = [m.name for m in store.mailboxes.list(who)]
        assert [n for n in names if n[0] in "ax"] == ["x", "x/y", "x/y/b", "x/y/b/c"]
        assert (tmp_path / "mail/1/.x.y.b.c/cur").is_dir() and not (tmp_path / "mail/1/.a.b.c").exists()
        assert await read(store, store.mailboxes.get(who, "x/y/b/c"), 1) == message(1)
        for old, new, error in (("x", "x/z", Refused), ("nothing", "n", NoSuchMailbox), ("x", "Sent", MailboxExists)):
            with pytest.raises(error):
                await store.mailboxes.rename(who, old, new)


async def test_renaming_inbox_moves_its_messages_and_leaves_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        who = account(store).id
        await append(store, box(store), message(1))
        await store.mailboxes.rename(who, "INBOX", "Old")
        assert store.mailboxes.status(box(store)).messages == 0
        assert await read(store, store.mailboxes.get(who, "Old"), 1) == message(1)
        assert await append(store, box(store), message(2)) == 2


async def test_names_swapped_before_anything_is_filed_keep_their_own_mail(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        who = account(store).id
        for number, name in enumerate(("a", "b")):
            await append(store, await store.mailboxes.create(who, name), message(number))
        await store.filer.rest()
        for old, new in (("a", "t"), ("b", "a"), ("t", "b")):
            await store.mailboxes.rename(who, old, new)
        await append(store, store.mailboxes.get(who, "a"), message(2))
        await store.filer.rest()
        assert await read(store, store.mailboxes.get(who, "b"), 1) == message(0)
        assert await read(store, store.mailboxes.get(who, "a"), 1) == message(1)
        assert sorted(p.name for p in (tmp_path / "mail/1").glob(".[ab]")) == [".a", ".b"]


async def test_a_mailbox_made_again_has_a_new_validity_and_none_of_the_old_mail(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        who = account(store).id
        first = await store.mailboxes.create(who, "a")
        await append(store, first, message(1))
        await store.filer.rest()
        await store.mailboxes.delete(who, "a")
        second = await store.mailboxes.create(who, "a")
        assert second.uidvalidity > first.uidvalidity and second.id != first.id
        await append(store, second, message(2))
        await store.filer.rest()
        assert await read(store, second, 1) == message(2)
        assert len(list((tmp_path / "mail/1").rglob("cur/*"))) == 1


async def test_one_user_never_sees_anothers_mailbox(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        alice, bob = account(store), account(store, "bob@example.test")
        await store.mailboxes.create(alice.id, "Private")
        assert store.mailboxes.find(bob.id, "Private") is None
        assert "Private" not in [m.name for m in store.mailboxes.list(bob.id)]
        for act in (store.mailboxes.delete(bob.id, "Private"), store.mailboxes.rename(bob.id, "Private", "Mine")):
            with pytest.raises(NoSuchMailbox):
                await act


async def test_an_account_has_no_more_mailboxes_than_allowed(tmp_path: Path) -> None:
    async with opened(tmp_path, mailboxes=8) as store:
        await store.mailboxes.create(account(store).id, "one/two")
        with pytest.raises(LimitReached):
            await store.mailboxes.create(account(store).id, "three")


async def test_a_removed_account_leaves_nothing_behind(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await append(store, box(store, "Archive"), message(1))
        await append(store, box(store), message(2))
        await store.filer.rest()
        await store.accounts.remove("alice@example.test")
        await store.filer.rest()
        assert not (tmp_path / "mail/1").exists()
        assert store.reader.execute("SELECT count(*) FROM message").fetchone() == (0,)
        again = await store.accounts.add("alice@example.test", None)
        assert again.id == 3, "an account's number is never given again"
