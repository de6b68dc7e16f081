"""An IMAP account elsewhere as a target: what it has by identity and size is not sent again."""

import re
from collections.abc import Sequence

from gk.errors import Refused
from gk.message.date import format_internal
from gk.transfer.imap_source import LOOKED_AT
from gk.transfer.lines import has_identity, identity, key
from gk.transfer.naming import guessed
from gk.transfer.remote import Connection, Remote
from gk.transfer.seen import Keys
from gk.transfer.values import Folder, Leaving, Row

CRS = 1000  # bare CRs of a message that may be gone
HEADERS = 50  # of messages without a Message-ID, asked for at once
_ODD = re.compile(r"[^\w -]|^\W|\W$")  # what some servers want in no name
_LOOK = "RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"


class ImapTarget:
    """An account; what is there already stays as it is."""

    def __init__(self, remote: Remote, password: str, insecure: bool) -> None:
        """Logs in."""
        if remote.folder:
            raise Refused("an export goes to a whole account; leave the folder out")
        self.notes: list[str] = []
        self._there = Connection(remote, password, insecure)
        self._names: dict[tuple[str, ...], bytes] = {}
        self._uses: dict[str, bytes] = {}
        self._raw = b""
        self._keys = Keys()
        self._permanent: set[str] = set()

    def begin(self, address: str, mailboxes: Sequence[Leaving]) -> None:
        listed = self._there.folders()
        self._names = {folder.levels: folder.raw for folder in listed}
        self._uses = {folder.use: folder.raw for folder in listed if folder.use}
        by_name = guessed([Folder(folder.levels, folder.use) for folder in listed])
        self._uses |= {use: self._names[f.levels] for f, use in by_name.items() if use not in self._uses}

    def open(self, mailbox: Leaving) -> bool:
        raw = self._uses.get(mailbox.special_use or "") or self._found(mailbox)
        if mailbox.subscribed:
            self._there.subscribe(raw)
        self._raw, self._keys = raw, Keys()
        count = self._there.select(raw, readonly=False)
        self._permanent = self._there.permanent_flags()
        if count:
            uids = self._there.uids()
            for start in range(0, len(uids), LOOKED_AT):
                self._learn(uids[start : start + LOOKED_AT])
        return True

    def _found(self, mailbox: Leaving) -> bytes:
        """The mailbox of that name, made where it is missing; of a plainer one where the server wants none such."""
        levels = tuple(mailbox.name.split("/"))
        if levels in self._names:
            return self._names[levels]
        plain = tuple(_ODD.sub("_", level) for level in levels)
        try:
            self._names[levels] = self._made(levels, mailbox.special_use)
        except Refused:
            if plain == levels:
                raise
            self.notes.append(f"{mailbox.name!r} is called {'/'.join(plain)!r} there")
            self._names[levels] = self._made(plain, mailbox.special_use)
        return self._names[levels]

    def _made(self, levels: tuple[str, ...], use: str | None) -> bytes:
        raw = self._there.encoded(levels)
        if raw not in self._names.values():
            self._there.create(raw, use)
        return raw

    def _learn(self, uids: Sequence[int]) -> None:
        nameless: dict[int, int] = {}
        for row in self._there.fetch(uids, _LOOK):
            header = next((v for k, v in row.items() if k.startswith(b"BODY[HEADER") and isinstance(v, bytes)), None)
            size = row.get(b"RFC822.SIZE")
            if header is None or not isinstance(size, bytes) or not size.isdigit():
                continue
            if has_identity(header):
                self._keys.add(key(identity(header), int(size), 0))
            else:
                nameless[int(row[b"UID"])] = int(size)
        asked = sorted(nameless)
        for start in range(0, len(asked), HEADERS):
            for row in self._there.fetch(asked[start : start + HEADERS], "BODY.PEEK[HEADER]"):
                header = row.get(b"BODY[HEADER]")
                if isinstance(header, bytes) and int(row[b"UID"]) in nameless:
                    self._keys.add(key(identity(header), nameless[int(row[b"UID"])], 0))

    def has(self, row: Row) -> bool:
        return key(row.identity, row.size, 0) in self._keys

    def _has_mended(self, row: Row, content: bytes) -> bool:
        """Whether it is there with some of its bare CRs gone, which servers that store LF cannot keep."""
        bare = content.count(b"\r") - content.count(b"\r\n")
        return any(key(row.identity, row.size - gone, 0) in self._keys for gone in range(1, min(bare, CRS) + 1))

    def put(self, messages: Sequence[tuple[Row, bytes]]) -> dict[int, str]:
        refused = {}
        for row, content in messages:
            if self._has_mended(row, content):
                refused[row.uid] = ""
                continue
            flags = row.flags
            if self._permanent and "\\*" not in self._permanent:
                kept = frozenset(word for word in flags if word.lower() in self._permanent)
                note = "the other server keeps no keywords of its users; they were left out"
                if kept != flags and note not in self.notes:
                    self.notes.append(note)
                flags = kept
            try:
                self._there.append(self._raw, " ".join(sorted(flags)), _date(row), content)
            except Refused as error:
                if "OVERQUOTA" in str(error).upper():
                    raise
                refused[row.uid] = str(error)
        return refused

    def finish(self) -> None:
        """Every message is answered for by itself."""

    def close(self) -> None:
        self._there.close()


def _date(row: Row) -> bytes:
    """The internal date in its own zone."""
    local = format_internal(row.date + row.zone * 60)
    sign, minutes = "-" if row.zone < 0 else "+", abs(row.zone)
    return local.replace(b"+0000", f"{sign}{minutes // 60:02d}{minutes % 60:02d}".encode())
