"""A store with alice's account, one account elsewhere on a loopback port, and what is asked of both sides."""

import asyncio
import dataclasses
import imaplib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gk.bus import Bus
from gk.config import Config, Remote, Replies
from gk.inbound.notices import Notices
from gk.inbound.remote.watching import Watching
from gk.net.dns import SystemResolver
from gk.service import supervise
from gk.store.db import Store
from gk.store.values import ANSWERED, DELETED, FLAGGED, SEEN, Flags
from tests.dovecot import USER
from tests.server import PASSWORD
from tests.store.rooms import ALICE, account, configured

PATIENCE = 30.0
ADDRESS = "ann@far.test"
WORDS = ((SEEN, "\\Seen"), (ANSWERED, "\\Answered"), (FLAGGED, "\\Flagged"), (DELETED, "\\Deleted"))
USES = {"Trash": "\\Trash", "Archive": "\\Archive", "Junk": "\\Junk"}


def remote(directory: Path, port: int, **keys: Any) -> Remote:
    """The table [[remote]] for a server on loopback."""
    secret = directory / "password"
    if not secret.exists():
        secret.touch(mode=0o600)
        secret.write_text(f"{PASSWORD}\n")
    given = {"name": "work", "address": ADDRESS, "owner": ALICE, "host": "127.0.0.1", "port": port, "tls": False}
    return Remote(**(given | {"user": USER, "password_file": str(secret), "mailbox": "Work"} | keys))


def configuration(directory: Path, *remotes: Remote, **limits: int) -> Config:
    return dataclasses.replace(configured(directory / "data", **limits), remote=remotes)


class Side:
    """Both sides of one account: the store here, and an IMAP client there."""

    def __init__(self, store: Store, watching: Watching, port: int) -> None:
        self.store, self.watching, self.port = store, watching, port

    async def sync(self, name: str = "work") -> Any:
        return await asyncio.wait_for(self.watching.sync(name), PATIENCE)

    async def here(self, mailbox: str = "Work") -> dict[str, Any]:
        """{uid: [crc, flags]} of a mailbox here."""
        box = self.store.mailboxes.find(account(self.store).id, mailbox)
        if box is None:
            return {}
        uids = range(1, self.store.mailboxes.status(box).uidnext)
        rows = self.store.mailboxes.rows(box, uids, ("crc", "flags"))
        return {str(uid): [crc, _words(flags)] for uid, crc, flags in rows}

    async def flags_here(self, mailbox: str = "Work") -> list[str]:
        return [flags for _, flags in (await self.here(mailbox)).values()]

    async def flag(self, uid: int, system: int, mode: str = "add", mailbox: str = "Work") -> None:
        box = self.store.mailboxes.get(account(self.store).id, mailbox)
        await self.store.mailboxes.store_flags(box, [uid], mode, Flags(system))  # type: ignore[arg-type]

    async def move(self, uid: int, target: str, source: str = "Work") -> list[int]:
        owner = account(self.store).id
        boxes = [self.store.mailboxes.get(owner, name) for name in (source, target)]
        return (await self.store.mailboxes.move(boxes[0], [uid], boxes[1]))[1]

    async def there(self, work: Callable[[imaplib.IMAP4], Any]) -> Any:
        """Something a client of the server elsewhere does, in a thread."""
        return await asyncio.to_thread(with_client, self.port, work)

    async def subjects(self, mailbox: str = "INBOX") -> list[str]:
        """What stands in a mailbox there."""
        return [subject for subject, _ in await self.shown(mailbox)]

    async def shown(self, mailbox: str = "INBOX") -> list[tuple[str, str]]:
        """(subject, flags) of each message there."""

        def work(client: imaplib.IMAP4) -> list[tuple[str, str]]:
            client.select(mailbox, readonly=True)
            found = []
            for number in client.search(None, "ALL")[1][0].split():
                answer = client.fetch(number, "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
                pieces = [part for part in answer if isinstance(part, tuple)]
                flags = imaplib.ParseFlags(b" ".join(part if isinstance(part, bytes) else part[0] for part in answer))
                words = sorted(flag.decode() for flag in flags if flag != rb"\Recent")
                found.append((pieces[0][1].decode().partition(":")[2].strip(), " ".join(words)))
            return found

        return await self.there(work)

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait until something is so, here or there."""
        async with asyncio.timeout(PATIENCE):
            while not await holds():
                await asyncio.sleep(0.02)


def _words(flags: int) -> str:
    return " ".join(sorted(word for bit, word in WORDS if flags & bit))


def with_client(port: int, work: Callable[[imaplib.IMAP4], Any]) -> Any:
    with imaplib.IMAP4("127.0.0.1", port, PATIENCE) as client:
        client.login(USER, PASSWORD)
        return work(client)


def put(*messages: bytes, mailbox: str = "INBOX", flags: str = "") -> Callable[[imaplib.IMAP4], None]:
    """Messages for a mailbox there."""

    def work(client: imaplib.IMAP4) -> None:
        for content in messages:
            assert client.append(mailbox, f"({flags})", None, content)[0] == "OK"

    return work


@asynccontextmanager
async def both(
    directory: Path,
    port: int,
    *,
    running: bool = False,
    limits: dict[str, int] | None = None,
    others: Sequence[dict[str, Any]] = (),
    replies: Replies | None = None,
    **keys: Any,
) -> AsyncIterator[Side]:
    """The store and the account, with `others`; `running`: it is watched, else each `sync` is a session of its own."""
    more = [remote(directory, **({"mailbox": ""} | other)) for other in others]
    config = configuration(directory, remote(directory, port, **keys), *more, **(limits or {}))
    config = dataclasses.replace(config, replies=replies or Replies())
    bus = Bus()
    async with Store.open(config, bus) as store:
        if store.accounts.by_address(ALICE) is None:
            await store.accounts.add(ALICE, None)
        watching = Watching(
            config, store, bus, lambda: SystemResolver(["127.0.0.1:9"]), Notices(store, "mail.example.test")
        )
        async with supervise(*((watching,) if running else ())):
            yield Side(store, watching, port)
