"""A client that believes only what it is told, and complains of whatever cannot be.

It keeps the uid of each message number, flags and modseqs, and compares each response with what was said before: by
the server to this client, and, where that is the same for all, to any client.
"""

import asyncio
import collections
import os
import random
from dataclasses import dataclass, field
from typing import Any

from tests.imap.client import Client
from tests.imap.responses import code, numbers, pairs, parsed

IMMUTABLE = (b"RFC822.SIZE", b"INTERNALDATE", b"ENVELOPE", b"EMAILID", b"THREADID", b"SAVEDATE", b"BODYSTRUCTURE")
COPIED = (b"RFC822.SIZE", b"INTERNALDATE", b"ENVELOPE", b"EMAILID", b"THREADID", b"SUBJECT")

LASTING = ("INBOX", "Archive")  # nobody deletes these

Flags = frozenset[bytes]


class Gone(Exception):
    """The server ended the connection because the selected mailbox was deleted."""


class World:
    """What is the same for all clients: messages do not change, and are \\Recent once."""

    def __init__(self) -> None:
        self.facts: dict[tuple[int, int], dict[bytes, Any]] = {}  # by uidvalidity and uid
        self.recent: dict[tuple[int, int], object] = {}  # the selection a message was \Recent in

    def learn(self, key: tuple[int, int], items: dict[bytes, Any]) -> None:
        known = self.facts.setdefault(key, {})
        for name, value in items.items():
            assert known.setdefault(name, value) == value, f"{name!r} of {key} was {known[name]!r}, is {value!r}"

    def copied(self, source: tuple[int, int], target: tuple[int, int]) -> None:
        """The one is a copy of the other."""
        known = self.facts.get(source, {})
        self.learn(target, {name: known[name] for name in COPIED if name in known})


@dataclass
class Box:
    """One selection of a mailbox."""

    name: str
    read_only: bool
    uidvalidity: int = 0
    uids: list[int | None] = field(default_factory=list)  # None: not told
    flags: dict[int, Flags] = field(default_factory=dict)
    modseqs: dict[int, int] = field(default_factory=dict)
    keywords: set[bytes] = field(default_factory=set)
    highest: int = 0  # modseq
    opened: int = 0  # the same when it was selected
    uidnext: int = 0
    told: set[int] = field(default_factory=set)  # uids whose flags were told since a search began
    earlier: list[int] = field(default_factory=list)  # VANISHED (EARLIER)

    def known(self) -> list[int]:
        return [uid for uid in self.uids if uid is not None]


class Mirror:
    """One client over however many connections; `traits` are what it enables."""

    def __init__(self, port: int, world: World, chance: str, traits: tuple[str, ...]) -> None:
        self.port, self.world, self.traits = port, world, traits
        self.dice = random.Random(chance)
        self.client: Client | None = None
        self.box: Box | None = None
        self.next: Box | None = None  # being selected
        self.marks: dict[tuple[int, bytes], int] = {}  # what never falls, by uidvalidity
        self.kept: dict[int, tuple[int, dict[int, Flags], dict[int, int]]] = {}  # what a QRESYNC client has on its disk
        self.log: collections.deque[bytes] = collections.deque(maxlen=int(os.environ.get("GK_STRESS_LOG", "60")))
        self.count = 0
        self.data: list[list[Any]] = []  # responses of the command under way that are not about the mailbox
        self.fetched: list[tuple[int, dict[bytes, Any]]] = []
        self.sent: dict[bytes, bytes] = {}  # the commands under way
        self.asking = False  # one is being answered that chooses what is told of a message
        self.copyuid: tuple[int, list[int], list[int]] | None = None

    # -- the connection

    async def connect(self) -> None:
        self.client = await Client.connect(self.port)
        self.box = self.next = None
        await self.ok("LOGIN alice@example.test demo-password")
        for word in self.traits:
            if word != "NOTIFY":
                await self.ok(f"ENABLE {word}")
        if "NOTIFY" in self.traits:
            self.kind = "SELECTED-DELAYED" if self.vanishing else "SELECTED"
            events = "MessageNew MessageExpunge FlagChange"
            await self.ok(f"NOTIFY SET ({self.kind} ({events})) (PERSONAL ({events} MailboxName))")

    kind = ""

    @property
    def moving(self) -> bool:
        """EXPUNGE may come at any time, so message numbers are of no use (RFC 5465 §5.2)."""
        return self.kind == "SELECTED"

    @property
    def vanishing(self) -> bool:
        return "QRESYNC" in self.traits

    @property
    def modseqs(self) -> bool:
        return self.vanishing or "CONDSTORE" in self.traits

    async def drop(self) -> None:
        """End without a word."""
        assert self.client is not None
        client, self.client, self.box, self.next = self.client, None, None, None
        client.writer.transport.abort()
        await client.close()

    # -- speaking

    def send(self, text: str | bytes) -> bytes:
        """Send a command; its tag."""
        assert self.client is not None
        self.count += 1
        tag = b"a%d" % self.count
        data = text.encode() if isinstance(text, str) else text
        self.log.append(b"C: " + tag + b" " + data[:200])
        self.sent[tag] = data[:12]
        self.client.send(tag + b" " + data + b"\r\n")
        return tag

    async def hear_until(self, tag: bytes, *, expunges: bool = True) -> tuple[bytes, bytes, bytes]:
        assert self.client is not None
        self.data, self.fetched, self.asking = [], [], b"FETCH" in self.sent.pop(tag)
        while True:
            try:
                response = await self.client.response()
            except ConnectionResetError:  # its last words crossed ours
                response = b""
            if not response and self.box is not None and self.box.name not in LASTING:
                raise Gone
            self.log.append(b"S: " + response[:300])
            if response.startswith(tag + b" "):
                found = code(response)
                assert found is not None and found[0] != b"BAD", response
                self.coded(found)
                return found
            self.hear(response, expunges=expunges or self.moving)

    async def say(self, text: str | bytes, *, expunges: bool = True) -> tuple[bytes, bytes, bytes]:
        return await self.hear_until(self.send(text), expunges=expunges)

    async def ok(self, text: str | bytes, *, expunges: bool = True) -> tuple[bytes, bytes, bytes]:
        found = await self.say(text, expunges=expunges)
        assert found[0] == b"OK", f"{text!r}: {found}"
        return found

    async def select(self, name: str, *, read_only: bool = False, parameters: str = "") -> bool:
        self.next = Box(name, read_only)
        if self.box is None:
            self.box, self.next = self.next, None
        status, what, _ = await self.say(f"{'EXAMINE' if read_only else 'SELECT'} {name}{parameters}")
        if status != b"OK":
            assert what == b"NONEXISTENT", what
            self.box = self.next = None
            return False
        assert self.next is None, "the mailbox before was not left"
        assert self.box is not None
        self.box.read_only |= what == b"READ-ONLY"
        return True

    # -- hearing

    def hear(self, response: bytes, *, expunges: bool) -> None:
        if response.startswith(b"+"):
            return
        assert response.startswith(b"* "), f"the connection ended or spoke of another command: {response!r}"
        if (found := code(response)) is not None:
            self.coded(found)
            if found[0] == b"BYE" and b"was deleted" in response:
                raise Gone
            return
        words = parsed(response)[1:]
        kind = words[1].upper() if words[0].isdigit() else words[0].upper()
        match kind:
            case b"EXISTS":
                box = self.chosen()
                size = int(words[0])
                assert size >= len(box.uids), "EXISTS took messages away"
                box.uids += [None] * (size - len(box.uids))
            case b"RECENT":
                assert "IMAP4rev2" not in self.traits
                assert int(words[0]) <= len(self.chosen().uids)
            case b"EXPUNGE":
                assert expunges, "EXPUNGE where message numbers are in use"
                assert not self.vanishing, "EXPUNGE in place of VANISHED"
                assert 1 <= int(words[0]) <= len(self.chosen().uids), "EXPUNGE of a number that is not there"
                self.left(int(words[0]) - 1)
            case b"VANISHED":
                assert self.vanishing, "VANISHED for a client that does not know it"
                self.vanished(words[1:], expunges)
            case b"FETCH":
                self.told(int(words[0]), pairs(words[2]))
            case b"FLAGS":
                self.chosen().keywords = set(words[1])
            case b"STATUS":
                self.status(pairs(words[2]))
                self.data.append(words)
            case _:
                self.data.append(words)

    def chosen(self) -> Box:
        assert self.box is not None, "no mailbox is selected"
        return self.box

    def coded(self, found: tuple[bytes, bytes, bytes]) -> None:
        _, what, value = found
        match what:
            case b"CLOSED":
                self.box, self.next = self.next, None
            case b"COPYUID":
                uidvalidity, old, new = value.split()
                self.copyuid = int(uidvalidity), numbers(old), numbers(new)
            case b"UIDVALIDITY":
                self.chosen().uidvalidity = int(value)
            case b"UIDNEXT":
                self.chosen().uidnext = int(value)
                self.never_falls(self.chosen().uidvalidity, b"UIDNEXT", int(value))
            case b"HIGHESTMODSEQ":
                box = self.chosen()
                box.highest = max(box.highest, int(value))
                box.opened = box.opened or int(value)
                self.never_falls(box.uidvalidity, b"HIGHESTMODSEQ", int(value))

    def never_falls(self, uidvalidity: int, what: bytes, value: int) -> None:
        before = self.marks.get((uidvalidity, what), 0)
        assert value >= before, f"{what!r} fell from {before} to {value}"
        self.marks[uidvalidity, what] = value

    def status(self, items: dict[bytes, Any]) -> None:
        if b"UIDVALIDITY" in items:
            for name in (b"UIDNEXT", b"HIGHESTMODSEQ"):
                if name in items:
                    self.never_falls(int(items[b"UIDVALIDITY"]), name, int(items[name]))

    def left(self, place: int) -> None:
        box = self.chosen()
        uid = box.uids.pop(place)
        if uid is not None:
            box.flags.pop(uid, None)
            box.modseqs.pop(uid, None)

    def vanished(self, words: list[Any], expunges: bool) -> None:
        box = self.chosen()
        if words[0] == [b"EARLIER"]:
            box.earlier += numbers(words[1])
            return
        assert expunges, "VANISHED where message numbers are in use"
        for uid in numbers(words[0]):
            places = [n for n, u in enumerate(box.uids) if u == uid or (u is None and self.fits(n, uid))]
            assert places, f"VANISHED of {uid}, which was not there"
            self.left(places[0])
            box.earlier.append(uid)
            box.flags.pop(uid, None)
            box.modseqs.pop(uid, None)

    def fits(self, place: int, uid: int) -> bool:
        """Whether a message of this place may have the uid, by what is known of its neighbours."""
        uids = self.chosen().uids
        before, after = place - 1, place + 1
        while before >= 0 and uids[before] is None:
            before -= 1
        while after < len(uids) and uids[after] is None:
            after += 1
        lower = uids[before] if before >= 0 else 0
        upper = uids[after] if after < len(uids) else None
        assert lower is not None
        return uid - lower >= place - before and (upper is None or upper - uid >= after - place)

    def told(self, number: int, items: dict[bytes, Any]) -> None:
        """A FETCH response."""
        box = self.chosen()
        assert 1 <= number <= len(box.uids), f"FETCH of {number} of {len(box.uids)}"
        self.fetched.append((number, items))
        uid = box.uids[number - 1]
        if b"UID" in items:
            said = int(items[b"UID"])
            assert uid in (None, said), f"number {number} is {uid}, not {said}"
            assert self.fits(number - 1, said), f"uid {said} cannot be number {number}"
            uid = box.uids[number - 1] = said
        assert not self.vanishing or b"UID" in items or self.asking, "a change of flags without a uid"
        if uid is None:
            return
        key = (box.uidvalidity, uid)
        self.world.learn(key, {name: items[name] for name in IMMUTABLE if name in items})
        if b"ENVELOPE" in items:
            self.world.learn(key, {b"SUBJECT": items[b"ENVELOPE"][1]})
        modseq = int(items[b"MODSEQ"][0]) if b"MODSEQ" in items else 0
        if modseq:
            assert self.modseqs, "MODSEQ for a client that does not know it"
            assert modseq >= box.modseqs.get(uid, 0), f"MODSEQ of {uid} fell from {box.modseqs[uid]} to {modseq}"
        if b"FLAGS" in items:
            self.flagged(box, key, frozenset(items[b"FLAGS"]), modseq)
        if modseq:
            if modseq > box.modseqs.get(uid, 0) and b"FLAGS" not in items:
                box.flags.pop(uid, None)  # something was changed: to be asked for
            box.modseqs[uid] = modseq
            box.highest = max(box.highest, modseq)

    def flagged(self, box: Box, key: tuple[int, int], flags: Flags, modseq: int) -> None:
        uid = key[1]
        if b"\\Recent" in flags:
            assert "IMAP4rev2" not in self.traits
            if not box.read_only:
                first = self.world.recent.setdefault(key, box)
                assert first is box, f"{uid} was \\Recent in another session"
            flags -= {b"\\Recent"}
        new = {flag for flag in flags if not flag.startswith(b"\\")} - box.keywords
        assert not new, f"keywords that FLAGS did not tell: {new}"
        if not modseq:  # a FETCH gives what it was asked for
            assert not self.modseqs or self.asking, "a change of flags without MODSEQ"
            box.modseqs.pop(uid, None)
        if modseq and modseq == box.modseqs.get(uid) and uid in box.flags:
            assert flags == box.flags[uid], f"flags of {uid} changed from {box.flags[uid]} without a new MODSEQ"
        box.flags[uid] = flags
        box.told.add(uid)

    # -- QRESYNC

    async def learn_all(self) -> None:
        """Ask until the uid and the flags of every message are known; all news were told then."""
        for _ in range(50):
            box = self.chosen()
            if None not in box.uids and len(box.flags) == len(box.modseqs) == len(box.uids):
                return
            await self.say("UID FETCH 1:* (FLAGS MODSEQ)")  # NO where one of them went meanwhile
        raise AssertionError("there is always something new")

    async def keep(self) -> None:
        """Remember the mailbox as a client does that writes to its disk."""
        await self.ok("NOOP")
        await self.learn_all()
        box = self.chosen()
        self.kept[box.uidvalidity] = (box.highest, dict(box.flags), dict(box.modseqs))

    async def resume(self, name: str) -> None:
        """Come back with what was kept, and end with what a client has that asks for everything."""
        uidvalidity = self.dice.choice(list(self.kept))
        modseq, flags, modseqs = self.kept[uidvalidity]
        last = max(flags, default=0)
        only = last > 0 and self.dice.random() < 0.3
        if not await self.select(name, parameters=f" (QRESYNC ({uidvalidity} {modseq}{f' 1:{last}' if only else ''}))"):
            return
        box = self.chosen()
        if box.uidvalidity != uidvalidity:
            assert not box.earlier and not box.flags
            return
        selected, gone = box.opened, set(box.earlier)
        assert gone.isdisjoint(box.flags), "vanished and there"
        box.flags = {uid: value for uid, value in flags.items() if uid not in gone} | box.flags
        box.modseqs = {uid: value for uid, value in modseqs.items() if uid not in gone} | box.modseqs
        if only:
            await self.say(f"UID FETCH {last + 1}:* (FLAGS MODSEQ)")
        if size := len(box.uids):
            before = dict(box.modseqs)
            await self.say(f"FETCH 1:{size} (UID)", expunges=False)
            there = [uid for uid in box.known() if uid < box.uidnext]
            assert there == sorted(u for u in box.flags if u < box.uidnext), "that is not what is there"
            await self.say(f"FETCH 1:{size} (UID FLAGS MODSEQ)", expunges=False)
            for _, items in self.fetched:
                uid, now = int(items[b"UID"]), int(items[b"MODSEQ"][0])
                assert now == before.get(uid) or now > selected, f"a change of {uid} was not told"

    async def rest(self) -> None:
        """Let others work."""
        for _ in range(self.dice.randrange(1, 30)):
            await asyncio.sleep(0)
