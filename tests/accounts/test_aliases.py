"""Where addresses lead."""

import pytest

from gk.accounts import aliases as module
from gk.accounts.aliases import Directory
from gk.message.address import Address, parse_address, parse_path
from gk.store.db import Store
from tests.accounts.conftest import ALICE, BOB

DOMAINS = ("example.test", "other.test")


def directory(store: Store, aliases: dict[str, tuple[str, ...]] | None = None) -> Directory:
    return Directory(store.accounts, store.mailboxes, DOMAINS, aliases or {})


def leads(where: Directory, address: str) -> list[str] | None:
    """The accounts an address leads to, by first letter."""
    found = where.resolve(parse_address(address))
    return None if found is None else sorted({1: "alice", 2: "bob", 3: "carol"}[r.account] for r in found)


async def test_an_address_leads_to_the_inbox_of_its_account(store: Store) -> None:
    found = directory(store).resolve(parse_address("Alice@Example.TEST"))
    assert found is not None
    (recipient,) = found
    inbox = store.mailboxes.get(1, "INBOX")
    assert (recipient.account, recipient.mailbox, recipient.address) == (1, inbox.id, "Alice@example.test")


async def test_unknown_users_are_not_unknown_domains(store: Store) -> None:
    where = directory(store)
    assert leads(where, "nobody@example.test") == []
    assert leads(where, "alice@other.test") == []
    assert leads(where, "alice@elsewhere.test") is None
    assert leads(where, "alice@sub.example.test") is None


async def test_a_tag_leads_to_the_account_and_stays_in_the_address(store: Store) -> None:
    found = directory(store).resolve(parse_address("alice+lists@example.test"))
    assert found is not None
    assert [(r.account, r.address) for r in found] == [(1, "alice+lists@example.test")]
    assert leads(directory(store), "+alice@example.test") == []


async def test_an_account_with_a_plus_in_its_name_is_itself(store: Store) -> None:
    await store.accounts.add("alice+x@example.test", None)
    assert leads(directory(store), "alice+x@example.test") == ["carol"]


async def test_aliases_lead_to_one_or_more_accounts_once_each(store: Store) -> None:
    where = directory(
        store,
        {
            "Sales@example.test": (ALICE, BOB, "alice+sales@example.test"),
            "info@other.test": ("sales@example.test",),
            "gone@example.test": ("nobody@example.test", "x@elsewhere.test"),
        },
    )
    assert leads(where, "sales@EXAMPLE.test") == ["alice", "bob"]
    assert leads(where, "sales+spring@example.test") == ["alice", "bob"]
    assert leads(where, "info@other.test") == ["alice", "bob"]
    assert leads(where, "gone@example.test") == []


async def test_an_alias_may_keep_a_copy_for_the_account_it_is_named_after(store: Store) -> None:
    where = directory(store, {ALICE: (ALICE, BOB)})
    assert leads(where, ALICE) == ["alice", "bob"]


async def test_a_catch_all_takes_the_rest_of_its_domain(store: Store) -> None:
    where = directory(store, {"@example.test": (BOB,), "@other.test": (ALICE,)})
    assert leads(where, "whoever@example.test") == ["bob"]
    assert leads(where, ALICE) == ["alice"]
    assert leads(where, "alice+tag@example.test") == ["alice"]
    assert leads(where, "bob@other.test") == ["alice"]
    assert leads(where, "postmaster@example.test") == ["bob"]


async def test_somebody_is_always_postmaster(store: Store) -> None:
    where = directory(store)
    for local in ("postmaster", "Postmaster", "abuse", "abuse+x"):
        for domain in DOMAINS:
            assert leads(where, f"{local}@{domain}") == (["alice"] if "+" not in local else []), local
    bare = where.resolve(Address("Postmaster", ""))
    assert bare is not None
    assert bare[0].address == "Postmaster@example.test"
    assert leads(directory(store, {"postmaster@example.test": (BOB,)}), "postmaster@example.test") == ["bob"]


async def test_aliases_in_a_circle_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    where = directory(store, {"a@example.test": ("b@example.test",), "b@example.test": ("a@example.test", BOB)})
    assert leads(where, "a@example.test") == ["bob"]
    monkeypatch.setattr(module, "TARGETS", 50)
    chain = {f"x{i}@example.test": (f"x{i + 1}@example.test",) for i in range(5000)}
    assert leads(directory(store, chain), "x0@example.test") == []


async def test_a_new_account_is_found_at_once(store: Store) -> None:
    where = directory(store)
    assert leads(where, "carol@example.test") == []
    await store.accounts.add("carol@example.test", None)
    assert leads(where, "carol@example.test") == ["carol"]
    await store.accounts.remove("carol@example.test")
    assert leads(where, "carol@example.test") == []


async def test_a_new_configuration_is_taken_over(store: Store) -> None:
    where = directory(store)
    assert leads(where, "sales@example.test") == []
    where.configure(("example.test",), {"sales@example.test": (BOB,)})
    assert leads(where, "sales@example.test") == ["bob"]
    assert leads(where, "alice@other.test") is None


async def test_international_domains_are_one_in_both_spellings(store: Store) -> None:
    where = Directory(store.accounts, store.mailboxes, ("exämple.test",), {"a@xn--exmple-cua.test": (ALICE,)})
    assert leads(where, "a@exämple.test") == ["alice"]
    assert leads(where, "a@xn--exmple-cua.test") == ["alice"]


async def test_a_user_owns_what_leads_to_that_user_alone(store: Store) -> None:
    where = directory(store, {"ann@other.test": (ALICE,), "sales@example.test": (ALICE, BOB)})
    alice, bob = store.accounts.all()
    owned = {"alice@example.test", "Alice+x@example.test", "ann@other.test", "abuse@example.test"}
    for address in owned:
        assert where.owns(alice, parse_address(address)), address
        assert not where.owns(bob, parse_address(address)), address
    for address in ("sales@example.test", "nobody@example.test", "alice@elsewhere.test"):
        assert not where.owns(alice, parse_address(address)), address


@pytest.mark.parametrize(
    "path",
    [
        b"<alice%example.test@elsewhere.test>",
        b"<elsewhere.test!alice@example.test>",
        b'<"alice@elsewhere.test"@example.test>',
        b'<"bob@example.test"@example.test>',
        b"<bob%example.test@example.test>",
        b'<"alice,bob"@example.test>',
        b'<" alice"@example.test>',
    ],
)
async def test_tricks_in_a_local_part_are_names_nobody_has(store: Store, path: bytes) -> None:
    address = parse_path(path)
    assert address is not None
    assert not directory(store).resolve(address)
