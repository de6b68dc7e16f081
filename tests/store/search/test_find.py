"""A hit of the index is exactly a hit of the scan (RFC 3501 §6.4.4)."""

import asyncio
import base64
import io
import os
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gk.store.db import Store
from gk.store.search.indexed import KEPT
from gk.store.search.indexer import Indexer
from gk.store.values import DELETED, Flags
from tests.message.fuzz import mail
from tests.store.rooms import append, box
from tests.store.search import scanning
from tests.store.search.rooms import indexing, rows
from tests.store.search.scanning import agrees, asked, needles

LONG = os.environ.get("GK_FUZZ") == "1"


@pytest.mark.parametrize("seed", range(3 if not LONG else 60))
async def test_the_index_finds_what_the_scan_finds(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    async with indexing(tmp_path) as (store, indexer):
        inbox = box(store)
        raws = {}
        for _ in range(60):
            raw = scanning.message(chance)
            raws[await append(store, inbox, raw)] = raw
        await indexer.rest()
        unsure = await asked(store, inbox, raws, needles(chance, list(raws.values()), 120))
        assert unsure == 0, "all of these are indexed whole"


async def test_a_text_longer_than_what_is_kept_is_unsure_past_the_border(tmp_path: Path) -> None:
    async with indexing(tmp_path) as (store, indexer):
        inbox = box(store)
        head = b"Subject: long\r\n\r\n"
        lines = b"".join(b"line %07d of it\r\n" % n for n in range(KEPT // 16))
        raw = head + lines
        long_header = b"Subject: " + b"x" * 200 + b"\r\nX-Long: " + b"y" * KEPT + b"\r\nTo: at-the-end\r\n\r\nshort\r\n"
        raws = {await append(store, inbox, r): r for r in (raw, long_header)}
        await indexer.rest()
        text = lines.replace(b"\r\n", b"\n").decode()
        assert len(text) > KEPT
        around = [text[KEPT - a : KEPT + b] for a, b in ((20, 20), (1, 2), (2, 1), (3, 0), (0, 3), (40, 0))]
        await asked(store, inbox, raws, [*around, "line 0000001", "at-the-end", "xxx", "yyy", "short", "nowhere"])
        certain = await store.search.find(inbox, "line 0000001 of", "body")
        assert list(certain.uids) == [1] and list(certain.unsure) == []
        beyond = await store.search.find(inbox, "no such text", "body")
        assert list(beyond.uids) == [] and list(beyond.unsure) == [1]


async def test_attached_documents_are_found(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as document:
        text = "<w:p><w:r><w:t>Réunion budgétaire</w:t></w:r></w:p>"
        document.writestr("word/document.xml", f'<w:document xmlns:w="w">{text}</w:document>')
    mime = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    raw = (
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee below\r\n--b\r\n"
        b"Content-Type: %b; name=a.docx\r\nContent-Transfer-Encoding: base64\r\n\r\n%b\r\n--b--\r\n"
    ) % (mime.encode(), base64.encodebytes(file.getvalue()).replace(b"\n", b"\r\n"))
    async with indexing(tmp_path) as (store, indexer):
        inbox = box(store)
        uid = await append(store, inbox, raw)
        await indexer.rest()
        for where in ("body", "text"):
            assert list((await store.search.find(inbox, "union budgé", where)).uids) == [uid]  # type: ignore[arg-type]
        await store.mailboxes.store_flags(inbox, [uid], "add", Flags(DELETED))
        await store.mailboxes.expunge(inbox, None)
        await indexer.rest()
        assert rows(tmp_path, "SELECT count(*) FROM document") == [(0,)]


async def test_a_header_search_gets_candidates_only(tmp_path: Path) -> None:
    async with indexing(tmp_path) as (store, indexer):
        inbox = box(store)
        for text in (b"X-A: needle one\r\n\r\n", b"X-B: =?utf-8?q?N=45EDLE?=\r\n\r\n", b"X-C: other\r\n\r\nneedle"):
            await append(store, inbox, text)
        odd = await append(store, inbox, b"X-\xff: caf\xc3\xa9\r\n\r\n")  # its line is no UTF-8, its value is
        await indexer.rest()
        found = await store.search.find(inbox, "needle", "header")
        assert list(found.uids) == [] and list(found.unsure) == [1, 2, odd]
        assert odd in (await store.search.find(inbox, "café", "header")).unsure


async def test_accounts_do_not_see_each_other(tmp_path: Path) -> None:
    async with indexing(tmp_path) as (store, indexer):
        mine, theirs = box(store), box(store, address="bob@example.test")
        await append(store, mine, b"Subject: common\r\n\r\nmine alone\r\n")
        await append(store, theirs, b"Subject: common\r\n\r\ntheirs alone\r\n")
        await indexer.rest()
        assert list((await store.search.find(mine, "common", "subject")).uids) == [1]
        assert list((await store.search.find(mine, "theirs", "text")).uids) == []
        assert list((await store.search.find(theirs, "theirs", "text")).uids) == [1]
        assert await store.search.words(mine, "theirs") == ([], (await store.search.find(mine, "x", "text")).unsure)


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, Store, Indexer]]:
    """One store and one child for all examples of a property."""
    with asyncio.Runner() as runner:
        context = indexing(tmp_path_factory.mktemp("living"))
        store, indexer = runner.run(context.__aenter__())
        try:
            yield runner, store, indexer
        finally:
            runner.run(context.__aexit__(None, None, None))


@settings(max_examples=10_000 if LONG else 60, deadline=None)
@given(
    raws=st.lists(mail, min_size=1, max_size=4),
    texts=st.lists(st.text(min_size=1, max_size=12), max_size=4),
    seed=st.integers(0, 1 << 30),
)
def test_any_bytes_and_any_needle_agree_with_the_scan(
    living: tuple[asyncio.Runner, Store, Indexer], raws: list[bytes], texts: list[str], seed: int
) -> None:
    runner, store, indexer = living

    async def example() -> None:
        inbox = box(store)
        known = {await append(store, inbox, raw): raw for raw in raws}
        await indexer.rest()
        for needle in [*texts, *needles(random.Random(seed), raws, 12)[-12:]]:
            for where in scanning.EVERYWHERE:
                found = await store.search.find(inbox, needle, where)
                mine = type(found)(*(type(u)("I", [x for x in u if x in known]) for u in (found.uids, found.unsure)))
                agrees(mine, known, needle, where)

    runner.run(example())
