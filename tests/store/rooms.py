"""A store for tests, messages to put in it, and its whole state as plain values."""

import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gk.bus import Bus
from gk.config import Config, parse
from gk.store.db import Store
from gk.store.values import INBOX, Account, Flags, Mailbox, Recipient

ALICE, BOB = "alice@example.test", "bob@example.test"
LARGE = 300 << 10  # more than the journal takes

State = dict[str, Any]


def configured(data: Path, **limits: int) -> Config:
    """A configuration with its data there."""
    return parse({"hostname": "mail.example.test", "domains": ["example.test"], "data": str(data), "limits": limits})


@asynccontextmanager
async def opened(data: Path, bus: Bus | None = None, **limits: int) -> AsyncIterator[Store]:
    """A store with the accounts of alice and bob."""
    async with Store.open(configured(data, **limits), bus or Bus()) as store:
        for address in (ALICE, BOB):
            if store.accounts.by_address(address) is None:
                await store.accounts.add(address, None)
        yield store


def account(store: Store, address: str = ALICE) -> Account:
    return store.accounts.get(address)


def box(store: Store, name: str = INBOX, address: str = ALICE) -> Mailbox:
    return store.mailboxes.get(account(store, address).id, name)


def message(number: int, size: int = 0, **fields: str) -> bytes:
    """A small message with CRLF line ends; `size` makes it at least so large."""
    head = {"From": "sender@example.org", "Subject": f"message {number}", "Message-ID": f"<{number}@example.org>"}
    head |= {name.replace("_", "-"): value for name, value in fields.items()}
    text = "".join(f"{name}: {value}\r\n" for name, value in head.items()) + "\r\n" + f"body of {number}\r\n"
    return text.encode() + b"0123456789abcdef\r\n" * (-(-max(0, size - len(text)) // 18))


async def append(store: Store, mailbox: Mailbox, content: bytes, flags: Flags | None = None) -> int:
    """Put one message into a mailbox; its uid."""
    arrival = await store.prepare(content)
    return (await store.mailboxes.append(mailbox, [(arrival, flags or Flags(), 1_700_000_000)]))[0]


async def deliver(store: Store, content: bytes, addresses: Sequence[str] = (ALICE,)) -> list[tuple[int, int]]:
    """Deliver one message to the INBOX of each address."""
    recipients = [Recipient(account(store, a).id, box(store, INBOX, a).id, a) for a in addresses]
    return await store.deliver(await store.prepare(content), recipients)


async def read(store: Store, mailbox: Mailbox, uid: int) -> bytes:
    """The bytes of a message."""
    (content,) = await store.mailboxes.contents(mailbox, [uid])
    assert content is not None
    try:
        return content.read()
    finally:
        content.close()


async def state(store: Store, address: str = ALICE) -> State:
    """Every mailbox of an account: name → {"validity", "next", "uids": {uid: [crc, flags]}}."""
    out: State = {}
    for mailbox in store.mailboxes.list(account(store, address).id):
        snapshot = await store.mailboxes.open(mailbox)
        status = store.mailboxes.status(mailbox)
        uids: dict[str, list[Any]] = {}
        for start in range(0, len(snapshot), 100):
            chunk = snapshot.uids[start : start + 100]
            contents = await store.mailboxes.contents(mailbox, chunk)
            for uid, content in zip(chunk, contents, strict=True):
                assert content is not None
                place = snapshot.index(uid)
                assert place is not None
                words = snapshot.render(snapshot.flags[place]).decode()
                uids[str(uid)] = [zlib.crc32(content.read()), " ".join(sorted(words.split()))]
                content.close()
        assert status.messages == len(uids)
        out[mailbox.name] = {"validity": mailbox.uidvalidity, "next": status.uidnext, "uids": uids}
        snapshot.close()
    return out
