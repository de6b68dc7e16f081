"""From a source into an account: every message once, in batches of one commit each.

While the server takes one batch, the next is read. Whatever stops it, running it again goes on from there: what a
mailbox has is asked once, 8 bytes a message.
"""

import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from gk.errors import Refused
from gk.transfer.lines import identity, key
from gk.transfer.plan import Plan
from gk.transfer.seen import Keys
from gk.transfer.values import ALL, Done, Folder, Leaving, Message, Missed, Skipped, Source, Summary

MESSAGES = 200  # of one batch
BYTES = 500_000  # of one batch; a larger message goes alone
WAITING = 8 << 20  # bytes in unfinished batches of several mailboxes
LATEST = 0xFFFFFFFF  # of an internal date
Progress = Callable[[int, int, str], None]


class Act(Protocol):
    """Does an action: by the running server, or on the store itself."""

    def __call__(
        self,
        action: str,
        arguments: dict[str, Any],
        *,
        attached: Iterable[bytes] = (),
        take: Callable[[bytes], object] = lambda content: None,
    ) -> Any: ...


@dataclass(slots=True)
class _Box:
    """A mailbox that is filled."""

    name: str
    there: Keys = field(default_factory=Keys)
    near: Keys = field(default_factory=Keys)  # by identity and size alone
    batch: list[Message] = field(default_factory=list)
    size: int = 0
    made: bool = False
    dropped: bool = False


class MovingIn:
    """One import."""

    def __init__(
        self, act: Act, address: str, source: Source, *, into: str = "", dry_run: bool = False, progress: Progress
    ) -> None:
        self._act, self._address, self._source, self._dry_run = act, address, source, dry_run
        self._into, self._progress = into, progress
        self._boxes: dict[str, _Box] = {}
        self._pending: Future[None] | None = None
        self._done = self._total = self._messages = self._bytes = 0
        self.summary = Summary(notes=source.notes)

    def run(self) -> Summary:
        """All of it. Raises Refused and Unavailable; what was committed until then stays."""
        found = self._act("mailbox_list", {"address": self._address})["mailboxes"]
        mailboxes = [Leaving(**mailbox) for mailbox in found]
        names = {mailbox.name for mailbox in mailboxes}
        folders = sorted(self._source.folders(), key=lambda folder: folder.use == ALL)
        self._by_size = any(folder.size for folder in folders)
        self._total = sum(folder.size if self._by_size else folder.messages for folder in folders)
        plan = Plan(folders, mailboxes, self._into, self.summary.notes)
        with ThreadPoolExecutor(1, "sending") as self._sender:
            for folder in folders:
                self._folder(folder, plan, names)
            self._settle()
        self._progress(self._total, self._total, self._label())
        return self.summary

    def _folder(self, folder: Folder, plan: Plan, names: set[str]) -> None:
        target = plan.target(folder)
        done = Done(folder.name, target)
        self.summary.folders.append(done)
        everywhere = folder.use == ALL

        def known(name: str, size: int) -> bool:
            near = key(name, size, 0)
            own = self._box(target, folder, plan, names)
            return any(near in box.near for box in (self._boxes.values() if everywhere else [own]))

        by_target: dict[str, Done] = {target: done}
        for item in self._source.messages(folder, known):
            match item:
                case Missed():
                    if item.fault:
                        done.left_out += 1
                        self.summary.miss(item)
                    else:
                        self.summary.note(f"{item.where}: {item.why}")
                    self._advance(0)
                case Skipped():
                    done.duplicates += 1
                    self._advance(0)
                case Message():
                    name = target if item.folder is None else plan.target(item.folder)
                    if name not in by_target:
                        by_target[name] = Done(folder.name, name)
                        self.summary.folders.append(by_target[name])
                    box = self._box(name, item.folder or folder, plan, names)
                    self._take(item, box, by_target[name], everywhere)
                    self._advance(item.weight)
        if len(by_target) == 1 or done.messages or done.duplicates or done.left_out:
            self._box(target, folder, plan, names)  # an empty folder is one, too
        else:
            self.summary.folders.remove(done)
        for box in self._boxes.values():
            self._flush(box)

    def _take(self, message: Message, box: _Box, done: Done, everywhere: bool) -> None:
        name, size = identity(message.content), len(message.content)
        whole = key(name, size, zlib.crc32(message.content))
        if whole in box.there or (everywhere and any(whole in other.there for other in self._boxes.values())):
            done.duplicates += 1
            return
        box.there.add(whole)
        box.near.add(key(name, size, 0))
        done.messages += 1
        done.bytes += size
        self._messages += 1
        self._bytes += size
        if self._dry_run:
            return
        if box.batch and (box.size + size > BYTES or len(box.batch) >= MESSAGES):
            self._flush(box)
        box.batch.append(message)
        box.size += size
        if sum(other.size for other in self._boxes.values()) > WAITING:
            for other in self._boxes.values():
                self._flush(other)

    def _box(self, name: str, folder: Folder, plan: Plan, names: set[str]) -> _Box:
        """The mailbox, made and its messages known."""
        box = self._boxes.get(name)
        if box is None:
            box = self._boxes[name] = _Box(name)
            if name in names:
                self._learn(box)
        if not box.made and not self._dry_run:
            if name not in names or folder.subscribed:
                self._act(
                    "mailbox_add",
                    {
                        "address": self._address, "mailbox": name, "special_use": plan.make.get(name),
                        "subscribe": folder.subscribed is not False,
                    },
                )  # fmt: skip
            box.made = True
        return box

    def _learn(self, box: _Box) -> None:
        last = 0
        while True:
            arguments = {"address": self._address, "mailbox": box.name, "after": last}
            rows = self._act("mail_index", arguments)["rows"]
            if not rows:
                return
            for uid, _, size, crc, _, _, _, name in rows:
                last = uid
                box.there.add(key(name, size, crc))
                box.near.add(key(name, size, 0))

    def _flush(self, box: _Box) -> None:
        """Hand the batch to the sender, once it has the last one done."""
        if box.batch:
            self._settle()
            batch, box.batch, box.size = box.batch, [], 0
            self._pending = self._sender.submit(self._send, box, batch)

    def _settle(self) -> None:
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.result()

    def _send(self, box: _Box, batch: list[Message]) -> None:
        try:
            self._import(box, batch)
        except Refused:
            if len(batch) > 1:
                for message in batch:
                    self._send(box, [message])
                return
            (message,) = batch
            plain = frozenset(word for word in message.flags if word.startswith("\\"))
            if plain == message.flags:
                raise  # nothing about this message: the account is full
            self._import(box, [replace(message, flags=plain)])
            if not box.dropped:
                box.dropped = True
                self.summary.note(f"{box.name}: some keywords were left out, it has as many as a mailbox can have")

    def _import(self, box: _Box, batch: list[Message]) -> None:
        messages = [
            {
                "size": len(message.content),
                "flags": " ".join(sorted(message.flags)),
                "date": None if message.date is None else max(0, min(message.date, LATEST)),
                "zone": message.zone,
            }
            for message in batch
        ]
        arguments = {"address": self._address, "mailbox": box.name, "messages": messages}
        self._act("mail_import", arguments, attached=[message.content for message in batch])

    def _advance(self, weight: int) -> None:
        self._done += weight if self._by_size else 1
        self._progress(min(self._done, self._total), self._total, self._label())

    def _label(self) -> str:
        return f"{self._messages:,} messages, {self._bytes / 1e6:,.1f} MB"
