"""What mail_search and ask look for: messages of one account by words, author, time and flags, the best first."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gk.ai.view import View, view
from gk.message.header import fields, unfold
from gk.message.mailboxes import Mailbox as Address
from gk.message.mailboxes import parse_list
from gk.message.text import decode_words
from gk.store.content import Content
from gk.store.db import Store
from gk.store.values import FLAGGED, SEEN, Account, Mailbox

LOOKED_AT = 5000  # messages of a mailbox, the newest, that are looked at without words
SLICE = 200  # of one query
HEADERS = 1 << 20  # octets of headers read at once in the event loop
UNINDEXED = 500  # messages not indexed yet that are read, the newest
READ = 256 << 10  # octets of such a message
ASIDE = frozenset({"\\Junk", "\\Trash", "\\Drafts"})  # looked into only where they are named


@dataclass(frozen=True, slots=True)
class Query:
    """What is wanted. `since` and `before` in seconds since 1970, 0 for any; `mailbox` "" for all but ASIDE."""

    text: str = ""
    author: str = ""
    since: int = 0
    before: int = 0
    unread: bool = False
    flagged: bool = False
    mailbox: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that was found; `score` from 1 to 100 where words were asked for, else 0."""

    message: int
    mailbox: Mailbox
    uid: int
    date: int
    name: str
    address: str
    subject: str
    flags: int
    score: int
    thread: int

    def plain(self, preview: str) -> dict[str, object]:
        """As an answer shows it."""
        return {
            "id": f"G{self.message}", "mailbox": self.mailbox.name, "uid": self.uid,
            "date": datetime.fromtimestamp(self.date, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "from": f"{self.name} <{self.address}>" if self.name else self.address, "subject": self.subject,
            "unread": not self.flags & SEEN, "score": self.score, "preview": preview,
        }  # fmt: skip


async def search(store: Store, account: Account, query: Query, limit: int) -> list[Hit]:
    """The best `limit` messages: by words, else the newest. Raises NoSuchMailbox."""
    if query.mailbox:
        boxes = [store.mailboxes.get(account.id, query.mailbox)]
    else:
        boxes = [box for box in store.mailboxes.list(account.id) if box.special_use not in ASIDE]
    found: dict[int, Hit] = {}
    for box in boxes:
        for hit in await _of(store, box, query, limit):
            if hit.message not in found or hit.score > found[hit.message].score:
                found[hit.message] = hit
    return sorted(found.values(), key=lambda hit: (hit.score, hit.date, hit.message), reverse=True)[:limit]


async def _of(store: Store, box: Mailbox, query: Query, limit: int) -> list[Hit]:
    """The best of one mailbox."""
    if not query.text:
        snapshot = await store.mailboxes.open(box)
        try:
            uids = list(snapshot.uids[-LOOKED_AT:])
        finally:
            snapshot.close()
        return await _filtered(store, box, uids, {}, query, limit)
    scored, unsure = await store.search.words(box, query.text)
    scores = dict(scored) | await _unindexed(store, box, list(unsure[-UNINDEXED:]), query.text)
    best = sorted(scores, key=lambda uid: (scores[uid], uid), reverse=True)[:LOOKED_AT]
    return await _filtered(store, box, sorted(best), scores, query, limit)


async def _filtered(
    store: Store, box: Mailbox, uids: Sequence[int], scores: dict[int, int], query: Query, limit: int
) -> list[Hit]:
    """Those of the ascending uids that fit, the newest first, and no more than `limit`."""
    fitting: list[tuple[int, int, int, int, int]] = []
    for start in range(0, len(uids), SLICE):
        rows = store.mailboxes.rows(box, uids[start : start + SLICE], ("message", "internaldate", "flags", "thread"))
        fitting += [row for row in rows if _fits(row[2], row[3], query)]
        await asyncio.sleep(0)
    fitting.sort(key=lambda row: (scores.get(row[0], 0), row[2], row[0]), reverse=True)
    found: list[Hit] = []
    for start in range(0, len(fitting), SLICE):
        part = fitting[start : start + SLICE]
        headers = dict(_headers(store, box, sorted(row[0] for row in part)))
        for uid, message, date, flags, thread in part:
            name, address, subject = described(headers.get(uid, b""))
            if query.author.lower() in f"{name} <{address}>".lower():
                found.append(Hit(message, box, uid, date, name, address, subject, flags, scores.get(uid, 0), thread))
                if len(found) == limit:
                    return found
        await asyncio.sleep(0)
    return found


def _fits(date: int, flags: int, query: Query) -> bool:
    if (query.unread and flags & SEEN) or (query.flagged and not flags & FLAGGED):
        return False
    return date >= query.since and (not query.before or date < query.before)


def _headers(store: Store, box: Mailbox, uids: list[int]) -> Iterator[tuple[int, bytes]]:
    while uids and (rows := store.mailboxes.rows(box, uids, ("header",), HEADERS)):
        yield from rows
        uids = [uid for uid in uids if uid > rows[-1][0]]


async def _unindexed(store: Store, box: Mailbox, uids: list[int], text: str) -> dict[int, int]:
    """The scores of messages that are in no index yet: all words must be there."""
    wanted, scores = text.lower().split(), {}
    for start in range(0, len(uids), 10):
        part = uids[start : start + 10]
        for uid, content in zip(part, await store.mailboxes.contents(box, part), strict=True):
            if content is None:
                continue
            try:
                seen = await asyncio.to_thread(_seen, content)
            finally:
                content.close()
            said = f"{seen.subject} {seen.name} {seen.local}@{seen.domain} {seen.text}".lower()
            if all(word in said for word in wanted):
                scores[uid] = 50
    return scores


def _seen(content: Content) -> View:
    return view(content.read(0, READ))


def described(header: bytes) -> tuple[str, str, str]:
    """(name, address, subject) of a header section, decoded."""
    name = address = subject = ""
    for known, start, end in fields(header, 0, len(header)):
        kind = known.lower()
        if kind == b"subject" and not subject:
            subject = decode_words(unfold(header[start : min(end, start + 2000)])).strip()
        elif kind == b"from" and not address:
            listed = parse_list(header[start : min(end, start + 2000)])
            first = next((one for one in listed if isinstance(one, Address)), None)
            if first is not None:
                name = decode_words(first.name or b"").strip()
                address = b"@".join(filter(None, (first.local, first.domain))).decode("utf-8", "replace")
    return name, address, subject


async def plain(store: Store, hits: Sequence[Hit]) -> list[dict[str, object]]:
    """The hits as answers show them, with the beginnings of their texts as far as they are indexed."""
    shown: dict[tuple[int, int], str] = {}
    for box in {hit.mailbox.id: hit.mailbox for hit in hits}.values():
        uids = sorted(hit.uid for hit in hits if hit.mailbox.id == box.id)
        shown |= {(box.id, uid): text for uid, text in (await store.search.previews(box, uids)).items()}
    return [hit.plain(shown.get((hit.mailbox.id, hit.uid), "")) for hit in hits]
