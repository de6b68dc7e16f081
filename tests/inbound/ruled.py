"""A store with users, their rules, and both doors of their mail: from other servers, and from each other."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gk.accounts.aliases import Directory
from gk.bus import Bus
from gk.config import Config, Limits
from gk.inbound.accept import Accept
from gk.inbound.answers import Answers
from gk.inbound.forwarding import Forwarding
from gk.inbound.incoming import Incoming, Message
from gk.inbound.local import Local
from gk.inbound.notices import Notices
from gk.inbound.rules import Rules
from gk.inbound.trace import Client
from gk.inbound.verdict import Verdict
from gk.message.address import Address, parse_address
from gk.outbound.submit import Submit
from gk.sieve.rules.value import to_plain
from gk.sieve.rules.wording import parse
from gk.store.db import Store

CLIENT = Client("client.example.org", "192.0.2.1", True, None, False)
ZOE = "zoe@far.test"
KNOWN = Verdict(results={"spf": ("pass",), "dmarc": ("pass",)}, score=2.5)
JUNK = Verdict("junk", score=9.0, results={"dmarc": ("fail",)})
ALIASES = {
    "team@example.test": ("alice@example.test", "bob@example.test"),
    "out@example.test": ("x@far.test",),
}


def letter(subject: str = "hello", to: str = "alice@example.test", body: str = "Hello.\r\n", **more: str) -> bytes:
    fields = {"From": f"Zoe <{ZOE}>", "To": to, "Subject": subject, "Message-ID": "<1@far.test>"} | more
    return ("".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in fields.items()) + f"\r\n{body}").encode()


class Fixed:
    """The same verdict on everything."""

    def __init__(self) -> None:
        self.verdict = KNOWN

    async def judge(self, incoming: Incoming, message: Message) -> Verdict:
        return self.verdict


@dataclasses.dataclass(frozen=True)
class _To:
    address: Address
    notify: str | None = None
    orcpt: str | None = None


@dataclasses.dataclass
class Ruled:
    """What a test works with."""

    store: Store
    judge: Fixed
    accept: Accept
    submit: Submit
    rules: Rules
    answers: Answers

    def account(self, name: str) -> int:
        return self.store.accounts.get(f"{name}@example.test").id

    async def rule(self, name: str, *lines: str) -> None:
        """Have the user have these rules."""
        await self.store.scripts.set_rules(self.account(name), [to_plain(parse(line)) for line in lines])

    async def script(self, name: str, text: str) -> None:
        """Have the user have this script active."""
        await self.store.scripts.put(self.account(name), "main", text)
        await self.store.scripts.activate(self.account(name), "main")

    async def bring(self, content: bytes, *names: str, sender: str = ZOE) -> None:
        """A message from another server for users or addresses here."""
        parsed = [parse_address(name if "@" in name else f"{name}@example.test") for name in names]
        found = [(address, self.accept.recipient(address) or []) for address in parsed]
        incoming = Incoming("id1", CLIENT, parse_address(sender) if sender else None, False, found)
        top = self.accept.top(incoming)
        await self.accept.deliver(incoming, Message(top + content, len(top)))

    async def send(self, content: bytes, sender: str, *to: str) -> None:
        """A message one user sends."""
        account = self.store.accounts.get(f"{sender}@example.test")
        recipients = [_To(parse_address(f"{name}@example.test")) for name in to]
        await self.submit.submit(account, parse_address(account.address), recipients, content)

    def places(self, name: str = "alice") -> list[tuple[str, str]]:
        """(mailbox, flags) of a user's messages, oldest first; the flags as they are written."""
        rows = self.store.reader.execute(
            "SELECT m.name, e.flags & 31, k.words FROM entry e JOIN mailbox m ON m.id = e.mailbox"
            " LEFT JOIN keyword_set k ON k.id = e.flags >> 8 WHERE m.account = ? ORDER BY e.message, m.name",
            (self.account(name),),
        )
        names = ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")
        return [
            (box, " ".join([*(flag for bit, flag in enumerate(names) if flags >> bit & 1), *(words or "").split()]))
            for box, flags, words in rows
        ]

    async def texts(self, name: str = "alice", mailbox: str = "INBOX") -> list[bytes]:
        """The messages in a mailbox."""
        box = self.store.mailboxes.get(self.account(name), mailbox)
        found = []
        for (message,) in self.store.reader.execute("SELECT message FROM entry WHERE mailbox = ?", (box.id,)):
            content = await self.store.mailboxes.content_of(message)
            assert content is not None
            found.append(content.whole())
            content.close()
        return found

    async def leaving(self) -> list[tuple[str, list[str], bytes]]:
        """(sender, recipients, content) of what is in the outgoing queue."""
        found = []
        for item in self.store.outgoing.list():
            content = await self.store.mailboxes.content_of(item["message"])
            assert content is not None
            found.append((item["sender"], [r["address"] for r in item["recipients"]], content.whole()))
            content.close()
        return found

    def findings(self) -> list[str]:
        """What of rules is kept with the newest message."""
        (message,) = self.store.reader.execute("SELECT max(message) FROM verdict").fetchone()
        kept = self.store.verdicts.of(message)
        assert kept is not None
        return [one["text"] for one in kept["findings"] if one["rule"] == "rules"]


@asynccontextmanager
async def ruled(directory: Path, *, tag_to_folder: bool = True, **limits: int) -> AsyncIterator[Ruled]:
    """Everything for the length of a block."""
    bounds = dataclasses.replace(Limits(), free_space_bytes=1, **limits)
    config = Config(data=directory / "data", domains=("example.test",), limits=bounds)
    async with Store.open(config, Bus()) as store:
        for name in ("alice", "bob", "carol"):
            await store.accounts.add(f"{name}@example.test", None, name.capitalize())
        folders = Directory(store.accounts, store.mailboxes, config.domains, ALIASES)
        host = "mail.example.test"
        answers, notices = Answers(store, folders, Submit(store, folders, host), host), Notices(store, host)
        rules = Rules(store, folders, answers, notices, host, tag_to_folder=tag_to_folder)
        judge = Fixed()
        accept = Accept(store, folders, host, bounds, judge, rules)
        submit = Submit(store, folders, host, placing=Local(store, rules, Forwarding(store, folders)))
        yield Ruled(store, judge, accept, submit, rules, answers)
