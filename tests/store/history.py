"""A random history on a store, told line by line: what will be done, and the state before and after it.

python -m tests.store.history DATA SEED STEPS; meant to be killed (GK_CRASH_AT). After each `{"try": …}` line the state
on disk is `before` or `after` of that line, nothing else.
"""

import asyncio
import copy
import json
import random
import sys
import zlib
from pathlib import Path
from typing import Any

from gk.store.db import Store
from gk.store.values import ANSWERED, DELETED, FLAGGED, SEEN, Flags
from tests.store.rooms import LARGE, State, account, append, box, deliver, message, opened, state

_NAMES = {SEEN: "\\Seen", ANSWERED: "\\Answered", FLAGGED: "\\Flagged", DELETED: "\\Deleted"}
_WORDS = ("$one", "two", "Three")


class History:
    """One account's life; `model` is what its state must be."""

    def __init__(self, store: Store, chance: random.Random) -> None:
        self.store, self.chance, self.number = store, chance, 0
        self.model: State = {}

    async def step(self) -> None:
        """Announce one operation, do it, and see that the state is as foretold."""
        names = sorted(self.model)
        name = self.chance.choice(names)
        kinds = ["append"] * 4 + [
            "deliver",
            "large",
            "flag",
            "flag",
            "copy",
            "move",
            "expunge",
            "create",
            "rename",
            "delete",
        ]
        kind = self.chance.choice([*kinds, "file"])
        after = copy.deepcopy(self.model)
        run = await getattr(self, f"_{kind}")(after, name, self.chance.choice(names))
        if run is None:
            return
        tell({"try": kind, "before": self.model, "after": after})
        await run()
        found = await state(self.store)
        for mailbox, told in after.items():
            told["validity"] = told["validity"] or found.get(mailbox, {}).get("validity")
        if found != after:
            tell({"wrong": kind, "found": found, "foretold": after})
            sys.exit(3)
        self.model = after

    def _take(self, after: State, name: str, content: bytes, flags: str) -> None:
        told = after[name]
        told["uids"][str(told["next"])] = [zlib.crc32(content), flags]
        told["next"] += 1

    def _content(self, size: int = 0) -> bytes:
        self.number += 1
        return message(self.number, size)

    async def _append(self, after: State, name: str, other: str) -> Any:
        content = self._content()
        self._take(after, name, content, "\\Seen")
        return lambda: append(self.store, box(self.store, name), content, Flags(SEEN))

    async def _large(self, after: State, name: str, other: str) -> Any:
        content = self._content(LARGE)
        self._take(after, name, content, "")
        return lambda: append(self.store, box(self.store, name), content)

    async def _deliver(self, after: State, name: str, other: str) -> Any:
        content = self._content()
        self._take(after, "INBOX", content, "")
        return lambda: deliver(self.store, content, ["alice@example.test", "bob@example.test"])

    def _some(self, name: str) -> list[int]:
        uids = [int(u) for u in self.model[name]["uids"]]
        return sorted(self.chance.sample(uids, min(len(uids), self.chance.randint(1, 4))))

    async def _flag(self, after: State, name: str, other: str) -> Any:
        uids = self._some(name)
        if not uids:
            return None
        bit, word = self.chance.choice(list(_NAMES)), self.chance.choice(_WORDS)
        adding = self.chance.random() < 0.7
        for uid in uids:
            entry = after[name]["uids"][str(uid)]
            words = set(entry[1].split())
            words = words | {_NAMES[bit], word} if adding else words - {_NAMES[bit], word}
            entry[1] = " ".join(sorted(words))
        mode: Any = "add" if adding else "remove"
        flags = Flags(bit, frozenset([word]))
        return lambda: self.store.mailboxes.store_flags(box(self.store, name), uids, mode, flags)

    async def _copy(self, after: State, name: str, other: str) -> Any:
        return self._transfer(after, name, other, moving=False)

    async def _move(self, after: State, name: str, other: str) -> Any:
        return self._transfer(after, name, other, moving=True)

    def _transfer(self, after: State, name: str, other: str, *, moving: bool) -> Any:
        uids = self._some(name)
        if not uids:
            return None
        for uid in uids:
            after[other]["uids"][str(after[other]["next"])] = list(self.model[name]["uids"][str(uid)])
            after[other]["next"] += 1
            if moving:
                del after[name]["uids"][str(uid)]
        work = self.store.mailboxes.move if moving else self.store.mailboxes.copy
        return lambda: work(box(self.store, name), uids, box(self.store, other))

    async def _expunge(self, after: State, name: str, other: str) -> Any:
        gone = [u for u, entry in self.model[name]["uids"].items() if "\\Deleted" in entry[1]]
        for uid in gone:
            del after[name]["uids"][uid]
        return (lambda: self.store.mailboxes.expunge(box(self.store, name), None)) if gone else None

    async def _create(self, after: State, name: str, other: str) -> Any:
        fresh = f"Box {self.chance.randint(1, 6)}"
        if fresh in self.model:
            return None
        after[fresh] = {"validity": None, "next": 1, "uids": {}}
        return lambda: self.store.mailboxes.create(account(self.store).id, fresh)

    async def _rename(self, after: State, name: str, other: str) -> Any:
        target = f"Box {self.chance.randint(1, 6)}"
        if name == "INBOX" or target in self.model:
            return None
        after[target] = after.pop(name)
        return lambda: self.store.mailboxes.rename(account(self.store).id, name, target)

    async def _delete(self, after: State, name: str, other: str) -> Any:
        if name == "INBOX":
            return None
        del after[name]
        return lambda: self.store.mailboxes.delete(account(self.store).id, name)

    async def _file(self, after: State, name: str, other: str) -> Any:
        return self.store.filer.rest


def tell(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def live(data: Path, seed: int, steps: int) -> None:
    async with opened(data) as store:
        history = History(store, random.Random(seed))
        history.model = await state(store)
        tell({"try": "begin", "before": history.model, "after": history.model})
        for _ in range(steps):
            await history.step()
        await store.filer.rest()
    tell({"end": True})


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
