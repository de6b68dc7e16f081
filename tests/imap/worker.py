"""A client at work: it chooses commands by dice, sends them, and checks what only the sender of a command can check."""

import time
from collections.abc import Callable, Coroutine
from typing import Any

from gk.store.values import Recipient
from tests.imap.client import message
from tests.imap.conftest import ALICE, House
from tests.imap.mirror import Gone, Mirror
from tests.imap.responses import numbers

MANY = 150  # messages; from here on more are deleted than come

BOXES = ["Box/a", "Box/b", "Box/c", "Tray"]
WORDS = ["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "$Work", "$Play", "\\Deleted"]
ITEMS = ["FLAGS", "UID", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "EMAILID", "THREADID", "BODYSTRUCTURE", "SAVEDATE"]
KEYS = {"SEEN": b"\\Seen", "FLAGGED": b"\\Flagged", "DELETED": b"\\Deleted", "KEYWORD $Work": b"$Work"}


class Worker:
    """What one client does next."""

    def __init__(self, house: House, mirror: Mirror) -> None:
        self.house, self.mirror, self.dice = house, mirror, mirror.dice
        self.letters = 0

    async def work(self, until: float) -> None:
        """Do this and that."""
        while time.monotonic() < until:
            try:
                await self.step()
            except Gone:
                await self.mirror.drop()

    async def step(self) -> None:
        mirror = self.mirror
        if mirror.client is None:
            await mirror.connect()
        if mirror.box is None or self.dice.random() < 0.03:
            await self.open()
            return
        crowded = len(mirror.box.uids) > MANY
        chosen = self.dice.choices([act for act, *_ in ACTS], [rare if crowded else often for _, often, rare in ACTS])[
            0
        ]
        await chosen(self)

    async def open(self) -> None:
        mirror = self.mirror
        name = self.dice.choice(["INBOX"] * 6 + ["Archive"] + BOXES)
        if mirror.kept and self.dice.random() < 0.7:
            await mirror.resume(name if self.dice.random() < 0.2 else "INBOX")
        else:
            await mirror.select(name, read_only=self.dice.random() < 0.15)

    # -- choosing

    def chosen(self) -> tuple[str, str, list[int]]:
        """ "UID " or "", a set, and the message numbers it names; of UIDs only if all are known."""
        box = self.mirror.chosen()
        if self.mirror.moving or self.dice.random() < 0.5:
            known = box.known()
            if not known:
                return "UID ", "1:4294967295", []
            uids = sorted(self.dice.sample(known, min(len(known), self.dice.choice([1, 1, 2, 5, 20]))))
            if self.dice.random() < 0.3:
                return "UID ", f"{uids[0]}:{uids[-1]}", []
            return "UID ", ",".join(map(str, uids)), []
        size = len(box.uids)
        first = self.dice.randint(1, size)
        last = min(size, first + self.dice.choice([0, 0, 1, 3, 10, 50]))
        if self.dice.random() < 0.3:
            some = sorted(self.dice.sample(range(1, size + 1), min(size, 4)))
            return "", ",".join(map(str, some)), some
        if "NOTIFY" not in self.mirror.traits and self.dice.random() < 0.1:  # else * is not known
            return "", f"{first}:*", list(range(first, size + 1))
        return "", f"{last}:{first}", list(range(first, last + 1))

    def within(self, some: str) -> list[int]:
        """The known uids a set names."""
        ranges = [part.partition(":") for part in some.split(",")]
        return [u for u in self.mirror.chosen().known() if any(int(a) <= u <= int(b or a) for a, _, b in ranges)]

    @property
    def empty(self) -> bool:
        return not self.mirror.chosen().uids

    # -- the commands

    async def fetch(self) -> None:
        if self.empty:
            return
        uid, some, places = self.chosen()
        items = self.dice.sample(ITEMS, self.dice.randint(1, 4))
        if self.mirror.modseqs and self.dice.random() < 0.3:
            items.append("MODSEQ")
        if self.dice.random() < 0.1:
            items.append(self.dice.choice(["BODY[]", "BODY.PEEK[TEXT]<0.9>", "BINARY.SIZE[1]", "PREVIEW"]))
        status, what, _ = await self.mirror.say(f"{uid}FETCH {some} ({' '.join(items)})", expunges=bool(uid))
        answered = {number for number, given in self.mirror.fetched if {i.encode() for i in items[:1]} <= given.keys()}
        if status == b"OK":
            assert answered.issuperset(places), f"not answered: {set(places) - answered}"
        else:
            assert what == b"EXPUNGEISSUED", what

    async def store(self, words: list[str] | None = None) -> None:
        mirror, box = self.mirror, self.mirror.chosen()
        if self.empty or box.read_only:
            return
        uid, some, places = self.chosen()
        mode = "+" if words else self.dice.choice(["+", "+", "-", ""])
        words = words or self.dice.sample(WORDS[:-1], self.dice.randint(1, 2))
        silent = self.dice.random() < 0.4
        condition = ""
        if mirror.modseqs and self.dice.random() < 0.3:
            condition = f"(UNCHANGEDSINCE {max(0, box.highest - self.dice.randint(0, 5))}) "
        if silent:  # the answer says what became of it, or the news
            named = box.flags.keys() & ({*self.within(some)} if uid else {box.uids[place - 1] for place in places})
            for number in [] if condition else named:
                before, given = box.flags[number], frozenset(word.encode() for word in words)
                box.flags[number] = before | given if mode == "+" else before - given if mode == "-" else given
                box.modseqs.pop(number, None)
            for number in named if condition else ():
                del box.flags[number]
        text = f"{uid}STORE {some} {condition}{mode}FLAGS{'.SILENT' if silent else ''} ({' '.join(words)})"
        status, what, value = await mirror.say(text, expunges=bool(uid))
        assert status == b"OK" or what in (b"EXPUNGEISSUED", b"MODIFIED"), what
        if silent and "NOTIFY" in mirror.traits:  # what was told may have been told before or after
            for number in box.flags.keys() & ({*self.within(some)} if uid else named):
                del box.flags[number]
        if what == b"MODIFIED":
            assert condition
            refused = numbers(value)
            assert uid or set(refused) <= set(places)
        elif status == b"OK" and not silent:
            assert {number for number, _ in mirror.fetched}.issuperset(places)

    async def delete(self) -> None:
        await self.store(["\\Deleted"])

    async def copy(self) -> None:
        await self.transfer("COPY")

    async def move(self) -> None:
        if not self.mirror.chosen().read_only:
            await self.transfer("MOVE")

    async def transfer(self, verb: str) -> None:
        mirror, box = self.mirror, self.mirror.chosen()
        if self.empty:
            return
        uid, some, places = self.chosen()
        asked = self.within(some) if uid else [box.uids[place - 1] for place in places]
        target = self.dice.choice(["Archive", *BOXES] if len(box.uids) > MANY else ["INBOX", "Archive", *BOXES])
        mirror.copyuid = None
        status, what, _ = await mirror.say(f"{uid}{verb} {some} {target}")
        if status != b"OK":
            assert what in (b"EXPUNGEISSUED", b"TRYCREATE", b"NONEXISTENT"), what
            return
        if mirror.copyuid is None:
            return
        uidvalidity, old, new = mirror.copyuid
        assert len(old) == len(new) and new == sorted(set(new)) and old == sorted(set(old))
        if None not in asked and (not uid or ":" not in some):
            assert set(old) <= set(asked)
        for one, other in zip(old, new, strict=True):
            mirror.world.copied((box.uidvalidity, one), (uidvalidity, other))
        if verb == "MOVE" and not (box.uidvalidity == uidvalidity or set(old).isdisjoint(box.known())):
            await mirror.ok("NOOP")  # the mailbox was deleted, and that was all there was to say
            raise AssertionError("moved, and still there")

    async def append(self) -> None:
        mirror = self.mirror
        self.letters += 1
        subject = f"{id(self)}-{self.letters}"
        body = message(subject, self.dice.choice([0, 0, 0, 2000]))
        flags = self.dice.choice(["", "(\\Seen) ", "($Work \\Flagged) "])
        target = self.dice.choice(["INBOX", mirror.chosen().name, "Archive"])
        text = f"APPEND {target} {flags}{{{len(body)}+}}\r\n".encode()
        status, what, value = await mirror.say(text + body)
        if status == b"OK":
            uidvalidity, uid = map(int, value.split())
            mirror.world.learn((uidvalidity, uid), {b"RFC822.SIZE": b"%d" % len(body), b"SUBJECT": subject.encode()})
        else:
            assert what == b"TRYCREATE", what

    async def deliver(self) -> None:
        """Mail comes in by the other door."""
        store = self.house.store
        self.letters += 1
        account = store.accounts.get(ALICE)
        inbox = store.mailboxes.get(account.id, "INBOX")
        arrival = await store.prepare(message(f"in-{id(self)}-{self.letters}"))
        await store.deliver(arrival, [Recipient(account.id, inbox.id, ALICE)])

    async def expunge(self) -> None:
        mirror, box = self.mirror, self.mirror.chosen()
        if box.read_only:
            return
        if self.dice.random() < 0.5 or self.empty:
            await mirror.ok("EXPUNGE")
            return
        first, last = sorted(self.dice.choices(box.known() or [1], k=2))
        await mirror.ok(f"UID EXPUNGE {first}:{last}")

    async def search(self) -> None:
        """What is found has the flag and the rest has not, unless the flags were told to be others since."""
        mirror, box = self.mirror, self.mirror.chosen()
        key, flag = self.dice.choice(list(KEYS.items()))
        negated = self.dice.random() < 0.3
        uid = mirror.moving or self.dice.random() < 0.5
        returning = self.dice.choice(["", "RETURN (ALL) ", "RETURN (MIN MAX COUNT ALL) "])
        before = dict(box.flags)
        box.told = set()
        tag = mirror.send(f"{'UID ' if uid else ''}SEARCH {returning}{'NOT ' if negated else ''}{key}")
        assert (await mirror.hear_until(tag, expunges=bool(uid)))[0] == b"OK"
        found = self.found(tag, uid=bool(uid))
        if not uid:
            assert all(1 <= number <= len(box.uids) for number in found)
            hits = {box.uids[number - 1] for number in found}
        else:
            hits = set(found)
        await mirror.ok("NOOP")
        if mirror.box is not box:
            return
        there = set(box.known())
        for number in there & before.keys() - box.told:
            assert (number in hits) == ((flag in before[number]) != negated), f"{number} has {before[number]}"

    def found(self, tag: bytes, *, uid: bool) -> list[int]:
        mirror = self.mirror
        (words,) = [w for w in mirror.data if w[0] in (b"SEARCH", b"ESEARCH", b"SORT")]
        if words[0] != b"ESEARCH":
            return [int(word) for word in words[1:]]
        assert words[1] == [b"TAG", tag] and (b"UID" in words) == uid
        rest = words[3:] if uid else words[2:]
        items = dict(zip(rest[::2], rest[1::2], strict=True))
        found = numbers(items[b"ALL"]) if b"ALL" in items else []
        assert int(items.get(b"COUNT", len(found))) == len(found)
        if found:
            assert int(items.get(b"MIN", min(found))) == min(found)
            assert int(items.get(b"MAX", max(found))) == max(found)
        return found

    async def sort(self) -> None:
        mirror, box = self.mirror, self.mirror.chosen()
        uid = mirror.moving or self.dice.random() < 0.5
        tag = mirror.send(f"{'UID ' if uid else ''}SORT ({self.dice.choice(['SIZE', 'REVERSE SIZE'])}) UTF-8 ALL")
        assert (await mirror.hear_until(tag, expunges=bool(uid)))[0] == b"OK"
        found = self.found(tag, uid=bool(uid))
        assert len(found) == len(set(found))
        if not uid:
            assert all(1 <= number <= len(box.uids) for number in found)

    async def thread(self) -> None:
        uid = self.mirror.moving
        await self.mirror.ok(f"{'UID ' if uid else ''}THREAD REFERENCES UTF-8 ALL", expunges=uid)
        (words,) = [w for w in self.mirror.data if w[0] == b"THREAD"]
        todo: list[Any] = [words[1:]]
        found: list[int] = []
        while todo:
            for word in todo.pop():
                if isinstance(word, list):
                    todo.append(word)
                else:
                    found.append(int(word))
        assert len(found) == len(set(found))
        assert uid or all(1 <= number <= len(self.mirror.chosen().uids) for number in found)

    async def noop(self) -> None:
        await self.mirror.ok(self.dice.choice(["NOOP", "CHECK"]))

    async def idle(self) -> None:
        mirror = self.mirror
        assert mirror.client is not None
        tag = mirror.send("IDLE")
        await mirror.rest()
        mirror.client.send(b"DONE\r\n")
        assert (await mirror.hear_until(tag))[0] == b"OK"

    async def status(self) -> None:
        items = "MESSAGES UIDNEXT UIDVALIDITY UNSEEN SIZE" + (" HIGHESTMODSEQ" if self.mirror.modseqs else "")
        status, what, _ = await self.mirror.say(f"STATUS {self.dice.choice(['INBOX', 'Archive', *BOXES])} ({items})")
        assert status == b"OK" or what == b"NONEXISTENT"

    async def pipeline(self) -> None:
        """Commands by number, sent without waiting: no number may change its meaning before the last was answered."""
        mirror, box = self.mirror, self.mirror.chosen()
        if self.empty or mirror.moving:
            return
        size = len(box.uids)
        tags = []
        for _ in range(self.dice.randint(2, 4)):
            number = self.dice.randint(1, size)
            kinds = [f"FETCH {number} (UID FLAGS)", f"FETCH {number} (RFC822.SIZE UID)", "SEARCH FLAGGED"]
            if not box.read_only:
                kinds.append(f"STORE {number} +FLAGS (\\Answered)")
            tags.append(mirror.send(self.dice.choice(kinds)))
        for tag in tags:
            await mirror.hear_until(tag, expunges=False)

    async def close(self) -> None:
        kept = self.mirror.vanishing and self.mirror.chosen().name == "INBOX" and self.dice.random() < 0.5
        if kept:
            await self.mirror.keep()
        await self.mirror.ok(self.dice.choice(["CLOSE", "UNSELECT", "UNSELECT"]), expunges=False)
        self.mirror.box = None

    async def mailboxes(self) -> None:
        mirror = self.mirror
        one, other = self.dice.sample(BOXES, 2)
        command = self.dice.choice([f"CREATE {one}", f"CREATE {one}", f"DELETE {one}", f"RENAME {one} {other}"])
        status, what, _ = await mirror.say(command)
        assert status == b"OK" or what in (b"NONEXISTENT", b"ALREADYEXISTS", b"CANNOT"), what
        await mirror.ok('LIST "" *')
        if "NOTIFY" not in mirror.traits:
            names = [words[3] for words in mirror.data if words[0] == b"LIST"]
            assert b"INBOX" in names and len(names) == len(set(names))

    async def leave(self) -> None:
        mirror = self.mirror
        if mirror.vanishing and mirror.chosen().name == "INBOX":
            await mirror.keep()
        assert mirror.client is not None
        if self.dice.random() < 0.5:
            mirror.send("LOGOUT")
        elif self.dice.random() < 0.5:
            mirror.send("FETCH 1:* (FLAGS")  # in the middle of something
        await mirror.drop()


Act = Callable[[Worker], Coroutine[Any, Any, None]]
ACTS: list[tuple[Act, int, int]] = [  # how often, and how often in a crowded mailbox
    (Worker.fetch, 20, 10),
    (Worker.store, 14, 6),
    (Worker.delete, 5, 20),
    (Worker.expunge, 4, 15),
    (Worker.copy, 3, 1),
    (Worker.move, 2, 8),
    (Worker.append, 4, 1),
    (Worker.deliver, 4, 1),
    (Worker.search, 8, 6),
    (Worker.sort, 2, 1),
    (Worker.thread, 1, 1),
    (Worker.noop, 6, 6),
    (Worker.idle, 5, 5),
    (Worker.status, 3, 2),
    (Worker.pipeline, 5, 4),
    (Worker.close, 2, 1),
    (Worker.mailboxes, 1, 1),
    (Worker.leave, 2, 1),
]
