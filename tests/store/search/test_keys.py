"""What is sorted by, and what words find: the same with the index and without it."""

import random
from pathlib import Path

from gk.message.parsed import parse
from gk.message.sorting import sort_keys
from gk.store.search.questions import KEYS
from tests.store.rooms import append, box, opened
from tests.store.search import scanning
from tests.store.search.rooms import indexing

NAMES = {"from": "sender"}


async def test_keys_are_those_of_the_header_indexed_or_not(tmp_path: Path) -> None:
    chance = random.Random(4)
    raws = {}
    async with opened(tmp_path) as store:
        for number in range(30):
            ids = f"Message-ID: <{number}@x>\r\nReferences: <{number - 1}@x> <r@x>\r\n".encode()
            raw = (ids if number % 3 else b"") + scanning.message(chance)
            raws[await append(store, box(store), raw)] = raw
        expected = [
            (uid, *(getattr(sort_keys(parse(raw).header), NAMES.get(column, column)) for column in KEYS))
            for uid, raw in raws.items()
        ]
        assert await store.search.keys(box(store), list(raws), KEYS) == expected
    async with indexing(tmp_path) as (store, indexer):
        await indexer.rest()
        late = scanning.message(chance)
        uid = await append(store, box(store), late)
        found = await store.search.keys(box(store), [*raws, uid, uid + 7], KEYS)
        assert found[:-1] == expected and found[-1][0] == uid
        assert await store.search.keys(box(store), [2, 5, 9], ("sent", "references")) == [
            (row[0], row[1 + KEYS.index("sent")], row[1 + KEYS.index("references")])
            for row in expected
            if row[0] in (2, 5, 9)
        ]
        assert await store.search.keys(box(store), [], KEYS) == []
        await store.mailboxes.move(box(store), [3], box(store, "Trash"))
        assert [row[0] for row in await store.search.keys(box(store), [2, 3, 4], ("subject",))] == [2, 4]


async def test_words_find_messages_by_relevance(tmp_path: Path) -> None:
    async with indexing(tmp_path) as (store, indexer):
        inbox = box(store)
        subject = await append(store, inbox, b"Subject: The budget meeting\r\n\r\nsee you\r\n")
        text = await append(store, inbox, b"Subject: hello\r\n\r\nthe BUDGET of the meeting\r\n")
        begun = await append(store, inbox, b"Subject: hello\r\n\r\nbudgetary meetings\r\n")
        one = await append(store, inbox, b"Subject: hello\r\n\r\nno meeting at all\r\n")
        await append(store, inbox, b"Subject: hello\r\n\r\nnothing of it\r\n")
        accents = await append(store, inbox, "Subject: x\r\n\r\nRéunion\r\n".encode())
        await indexer.rest()
        found, unsure = await store.search.words(inbox, "budget, Meeting!")
        relevancy = dict(found)
        assert list(unsure) == []
        assert relevancy[subject] > relevancy[text] > relevancy.get(begun, 0)
        assert relevancy[text] > relevancy[one] and all(1 <= r <= 100 for r in relevancy.values())
        assert [uid for uid, _ in (await store.search.words(inbox, "reunion"))[0]] == [accents]
        for odd in ("", "!?", '"', "AND", "a_b*", "\0", "\u0301", "x" * 1000, "٣ b", "NEAR(a)", "x OR y"):
            assert isinstance(await store.search.words(inbox, odd), tuple)
        (late,) = [await append(store, inbox, b"\r\n\r\n")]
        hits, rest = await store.search.words(inbox, "zzz")
        assert hits == [] and list(rest) in ([], [late])
        assert store.search.vouched is not None, "no odd word is taken for damage"
