"""An IMAP account elsewhere as a source: what is known by Message-ID and size is not downloaded again.

Nothing is changed there: mailboxes are opened read-only and messages peeked at.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from gk.errors import Refused
from gk.message.date import parse_internal
from gk.transfer import words
from gk.transfer.lines import crlf, has_identity, identity
from gk.transfer.remote import Connection, Remote
from gk.transfer.values import ALL, Folder, Item, Known, Message, Missed, Skipped

LOOKED_AT = 500  # messages whose size, flags and Message-ID are asked for at once
MESSAGES, BYTES = 50, 8 << 20  # downloaded at once
_LOOK = "RFC822.SIZE FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"


class ImapSource:
    """The folders of an account, or the one its URL names."""

    def __init__(self, remote: Remote, password: str, insecure: bool, limit: int) -> None:
        """Logs in. `limit`: bytes of a message that still is taken."""
        self._limit = limit
        self.notes: list[str] = []
        self._there = Connection(remote, password, insecure)
        self._only = remote.folder

    def folders(self) -> Sequence[Folder]:
        listed = self._there.folders()
        if self._only:
            listed = [f for f in listed if self._only in ("/".join(f.levels), f.raw.decode("latin-1"))]
            if not listed:
                raise Refused(f"{self._there.remote.host} has no folder {self._only}")
        found = []
        for folder in listed:
            if folder.virtual and not self._only:
                self.notes.append(f"{'/'.join(folder.levels)!r} is passed: its messages stand in other folders, too")
                continue
            use = None if folder.use == ALL and self._only else folder.use
            count = self._there.count(folder.raw)
            found.append(Folder(folder.levels, use, folder.subscribed, count, 0, folder.raw.decode("latin-1")))
        return found

    def messages(self, folder: Folder, known: Known) -> Iterator[Item]:
        try:
            self._there.select(folder.place.encode("latin-1"), readonly=True)
        except Refused as error:
            yield Missed(folder.name, str(error))
            return
        uids = self._there.uids()
        for start in range(0, len(uids), LOOKED_AT):
            yield from self._some(folder, uids[start : start + LOOKED_AT], known)

    def _some(self, folder: Folder, uids: Sequence[int], known: Known) -> Iterator[Item]:
        batch: list[dict[bytes, Any]] = []
        waiting = 0
        for row in sorted(self._looked_at(uids), key=lambda row: int(row[b"UID"])):
            size = _number(row.get(b"RFC822.SIZE"))
            header = _section(row, b"BODY[HEADER")
            if size > self._limit:
                yield Missed(_where(folder, row), f"larger than {self._limit} bytes")
                continue
            if header and has_identity(header) and known(identity(header), size):
                yield Skipped()
                continue
            if batch and (len(batch) == MESSAGES or waiting + size > BYTES):
                yield from self._download(folder, batch)
                batch, waiting = [], 0
            batch.append(row)
            waiting += size
        if batch:
            yield from self._download(folder, batch)

    def _looked_at(self, uids: Sequence[int]) -> list[dict[bytes, Any]]:
        """One row for each uid the server still has; an answer about another message is passed."""
        wanted = set(uids)
        found: dict[int, dict[bytes, Any]] = {}
        for row in self._there.fetch(uids, _LOOK):
            if (uid := int(row[b"UID"])) in wanted:
                found[uid] = found.get(uid, {}) | row
        return [row for row in found.values() if b"RFC822.SIZE" in row]

    def _download(self, folder: Folder, batch: Sequence[dict[bytes, Any]]) -> Iterator[Item]:
        try:
            answers = self._there.fetch([int(row[b"UID"]) for row in batch], "BODY.PEEK[]")
        except Refused as error:
            if len(batch) == 1:
                yield Missed(_where(folder, batch[0]), str(error))
                return
            for row in batch:
                yield from self._download(folder, [row])
            return
        contents = {int(answer[b"UID"]): _section(answer, b"BODY[]") for answer in answers if b"BODY[]" in answer}
        for row in batch:
            content = crlf(contents.get(int(row[b"UID"])) or b"")
            if not content:
                yield Missed(_where(folder, row), "the server did not send it")
            elif len(content) > self._limit:
                yield Missed(_where(folder, row), f"larger than {self._limit} bytes")
            else:
                flags = words.accepted(
                    word.decode("latin-1") for word in row.get(b"FLAGS") or [] if isinstance(word, bytes)
                )
                date = row.get(b"INTERNALDATE")
                moment = parse_internal(date) if isinstance(date, bytes) else None
                known = None if moment is None else max(0, moment)
                zone = _zone(date) if isinstance(date, bytes) and known else 0
                yield Message(content, flags, known, _where(folder, row), zone=zone)

    def close(self) -> None:
        self._there.close()


def _section(row: dict[bytes, Any], name: bytes) -> bytes | None:
    """What a fetched section holds; servers write its name in their own way."""
    return next((v for k, v in row.items() if k.startswith(name) and isinstance(v, bytes)), None)


def _number(value: Any) -> int:
    return int(value) if isinstance(value, bytes) and value.isdigit() else 0


def _zone(date: bytes) -> int:
    """The minutes east of an INTERNALDATE, `" 1-Feb-2026 12:00:00 +0100"`."""
    sign, digits = date.strip(b'"')[-5:-4], date.strip(b'"')[-4:]
    minutes = int(digits[:2]) * 60 + int(digits[2:]) if digits.isdigit() else 0
    return -minutes if sign == b"-" else minutes


def _where(folder: Folder, row: dict[bytes, Any]) -> str:
    return f"{folder.name} uid {int(row[b'UID'])}"
