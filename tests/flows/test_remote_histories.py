"""Whatever happens on both sides, with sessions that break and servers that stop: nothing is lost, nothing doubled.

A history is a list of steps, here, there, or a round that may end in the middle. At the end two rounds bring both sides
in step, and a third has nothing to do.
"""

import asyncio
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gk.errors import GkError
from gk.store.values import ANSWERED, DELETED, FLAGGED, SEEN
from tests.inbound.remote.elsewhere import Side, both
from tests.inbound.remote.honest import Keeper
from tests.store.rooms import account, message

FLAGS = {"\\Seen": SEEN, "\\Answered": ANSWERED, "\\Flagged": FLAGGED}
BOXES = ("Work", "Archive", "Trash", "Mine")
histories = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), st.integers(1, 4), st.just(0)),
        st.tuples(st.sampled_from(("flag there", "unflag there")), st.integers(0, 9), st.integers(0, 2)),
        st.tuples(st.sampled_from(("flag", "unflag")), st.integers(0, 9), st.integers(0, 2)),
        st.tuples(st.just("move there"), st.integers(0, 9), st.integers(0, 2)),
        st.tuples(st.just("move"), st.integers(0, 9), st.integers(0, 3)),
        st.tuples(st.sampled_from(("expunge there", "expunge")), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("renumber"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("round"), st.integers(0, 14), st.integers(0, 1)),
        st.tuples(st.just("restart"), st.just(0), st.just(0)),
    ),
    max_size=25,
)
examples = settings(
    max_examples=1_000 if os.environ.get("GK_FUZZ") else 60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


class History:
    """Both sides, and what was thrown away on each."""

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper
        self.made = 0
        self.thrown: set[int] = set()  # here, for good
        self.thrown_there: set[int] = set()
        self.touched: set[int] = set()  # here: what vanishes there then stays
        self.renumbered = False  # then what is not known again stays where it is

    async def step(self, side: Side, what: str, which: int, how: int) -> None:
        boxes = self.keeper.boxes
        if what == "arrive":
            for _ in range(which):
                self.made += 1
                boxes["INBOX"].add(set(), message(self.made))
        elif what.endswith("there"):
            self.there(what, which, how)
        elif what == "renumber":
            self.keeper.renumber([*boxes][which])
            self.renumbered = True
        elif what == "round":
            self.keeper.breaks, self.keeper.done = which, bool(how)
            try:
                await side.sync()
            except GkError:
                pass  # it broke, as it was to
            self.keeper.breaks = -1
        elif what != "restart":
            await self.here(side, what, which, how)

    def there(self, what: str, which: int, how: int) -> None:
        every = [(name, uid) for name, box in self.keeper.boxes.items() for uid in box.messages]
        if not every:
            return
        name, uid = every[which % len(every)]
        flags, content = self.keeper.boxes[name].messages[uid]
        if what.startswith(("flag", "unflag")):
            (flags.add if what.startswith("flag") else flags.discard)([*FLAGS][how])
            return
        target = [*self.keeper.boxes][how]
        if what.startswith("move") and target == name:
            return
        del self.keeper.boxes[name].messages[uid]
        if what.startswith("move"):
            self.keeper.boxes[target].add(flags, content)
        else:
            self.thrown_there.add(number(content))

    async def here(self, side: Side, what: str, which: int, how: int) -> None:
        every = [(name, int(uid)) for name in BOXES for uid in await side.here(name)]
        if not every:
            return
        name, uid = every[which % len(every)]
        self.touched |= {found for found, (at, _) in await numbers(side, name) if at == str(uid)}
        if what in ("flag", "unflag"):
            bit = [*FLAGS.values()][how]
            await side.flag(uid, bit, "add" if what == "flag" else "remove", name)
        elif what == "move" and BOXES[how] != name:
            await side.move(uid, BOXES[how], name)
        elif what == "expunge":
            box = side.store.mailboxes.get(account(side.store).id, name)
            self.thrown |= {found for found, (at, _) in await numbers(side, name) if at == str(uid)}
            await side.flag(uid, DELETED, mailbox=name)
            await side.store.mailboxes.expunge(box, [uid])


def number(content: bytes) -> int:
    found = re.search(rb"Subject: message (\d+)", content)
    assert found
    return int(found[1])


async def numbers(side: Side, name: str) -> list[tuple[int, tuple[str, str]]]:
    """(number, (uid, flags)) of each message in a mailbox here."""
    box = side.store.mailboxes.get(account(side.store).id, name)
    here = await side.here(name)
    headers = dict(side.store.mailboxes.rows(box, [int(uid) for uid in here], ("header",)))
    return [(number(headers[int(uid)]), (uid, flags)) for uid, (_, flags) in here.items()]


async def lived(directory: Path, steps: list[tuple[str, int, int]], capabilities: str = "UIDPLUS MOVE") -> None:
    async with Keeper(capabilities=f"IMAP4rev1 {capabilities}").serve() as keeper:
        history = History(keeper)
        for number_, run in enumerate(between_restarts(steps)):
            async with both(directory, keeper.port) as side:
                if not number_:
                    await side.store.mailboxes.create(account(side.store).id, "Mine")
                for step in run:
                    await history.step(side, *step)
        async with both(directory, keeper.port) as side:
            await side.sync()
            await side.sync()
            before = len(keeper.heard)
            third = await side.sync()
            told = [line for line in keeper.heard[before:] if re.search("STORE|MOVE|EXPUNGE|BODY", line)]
            assert (third.new, third.again, third.told, third.changed, third.gone, told) == (0, 0, 0, 0, 0, [])
            await judged(side, history)


def between_restarts(steps: list[tuple[str, int, int]]) -> list[list[tuple[str, int, int]]]:
    runs: list[list[tuple[str, int, int]]] = [[]]
    for step in steps:
        if step[0] == "restart":
            runs.append([])
        runs[-1].append(step)
    return runs


async def judged(side: Side, history: History) -> None:
    here: dict[int, Any] = {}
    for name in BOXES:
        for found, (_, flags) in await numbers(side, name):
            assert found not in here, f"message {found} is here twice"
            here[found] = (name, flags)
    there: dict[int, Any] = {}
    for name, box in history.keeper.boxes.items():
        for flags, content in box.messages.values():
            found = number(content)
            assert found not in there, f"message {found} is there twice"
            there[found] = (name, " ".join(sorted(flags)))
    for found in range(1, history.made + 1):
        if found not in history.thrown | history.thrown_there:
            assert found in there, f"message {found} is lost there"
        if found not in history.thrown and (found in history.thrown_there or there[found][0] == "INBOX"):
            assert found in here or found in history.thrown_there, f"message {found} is not here"
    for found, (name, flags) in there.items():
        if name == "INBOX" and found in here and here[found][0] == "Work":
            assert here[found][1] == flags, f"message {found} has other flags"
    followed = {} if history.renumbered else {n: name for n, (name, _) in here.items() if n not in history.touched}
    for found in (found for found, name in followed.items() if name == "Work"):
        assert found not in there or there[found][0] == "INBOX", f"message {found} is in INBOX no more"


@pytest.mark.timeout(1800)
@examples
@given(histories, st.sampled_from(("UIDPLUS MOVE", "MOVE")))
def test_both_sides_come_in_step_after_any_history(steps: list[tuple[str, int, int]], capabilities: str) -> None:
    with tempfile.TemporaryDirectory(prefix="gk-history-") as place:
        asyncio.run(lived(Path(place), steps, capabilities))
