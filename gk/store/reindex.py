"""`gk reindex`: make the index agree with the Maildir, the one moment at which foreign changes are taken in.

A file under our name keeps its id, uid, date and flags; a file of another program becomes a new message; a row whose
file is gone goes. With no usable database a new one is made from the folders alone; of the old one accounts, queue
and journal are saved as far as they can be read. Runs alone on the data directory, after the filer has finished.
"""

import os
import sqlite3
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from gk.errors import Refused
from gk.message import utf7
from gk.message.parsed import parse
from gk.store import entries, keywords, maildir, names, removal, salvage
from gk.store.directory import DATABASE, prepare
from gk.store.salvage import KEYWORD_LIMIT, Summary
from gk.store.search import schema as search
from gk.store.values import DELETED, INBOX, KEYWORDS, SEEN, SPECIAL, Account, Arrival, Fact, Flags, When

GAP = 20_000  # uids left out where the old index is lost: more than its journal can have handed out unseen


def reindex(data: Path, progress: Callable[[int], None] = lambda count: None) -> Summary:
    """Rebuild; the caller holds the lock and has let the filer finish where the database is sound."""
    summary = Summary()
    search.remove(data)  # what it says of an id may be no longer true
    damaged = salvage.set_aside(data, summary)
    prepare(data)
    db = sqlite3.connect(data / DATABASE, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous=FULL")
        if damaged is not None:
            salvage.save_accounts(db, damaged, summary)
        db.execute("BEGIN IMMEDIATE")
        try:
            _reserve(db, data)
            for root in sorted((data / "mail").iterdir()):
                if root.name.isdigit():
                    _account(db, root, rebuilt=damaged is not None, summary=summary, progress=progress)
            _counters(db)
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
        for path in summary.taken_in:
            path.unlink()
        if damaged is not None:
            salvage.save_journal(db, damaged, summary)
    finally:
        db.close()
    return summary


def _reserve(db: sqlite3.Connection, data: Path) -> None:
    """Keep the ids that folders and files carry from being given to something new before their turn comes."""
    mailboxes = [int(told["id"]) for told in map(_described, _folders(data)) if told.get("id", "").isdigit()]
    files = (maildir.FILE.fullmatch(name) for folder in _folders(data) for name in _names(folder / "cur"))
    for table, ids in (("mailbox", mailboxes), ("message", [int(match[2]) for match in files if match])):
        db.execute(
            "INSERT INTO sqlite_sequence (name, seq) SELECT ?, 0"
            " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?)",
            (table, table),
        )
        db.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (max(ids, default=0), table))


def _folders(data: Path) -> list[Path]:
    """Every mailbox folder of every account."""
    roots = sorted(p for p in (data / "mail").iterdir() if p.name.isdigit())
    return [folder for root in roots for folder in (root, *sorted(root.glob(".?*"))) if (folder / "cur").is_dir()]


def _names(directory: Path) -> list[str]:
    return sorted(os.listdir(directory)) if directory.is_dir() else []


def _account(
    db: sqlite3.Connection, root: Path, *, rebuilt: bool, summary: Summary, progress: Callable[[int], None]
) -> None:
    number = int(root.name)
    row = db.execute("SELECT id, address, name FROM account WHERE id = ?", (number,)).fetchone()
    if row is None:
        try:
            address = (root / maildir.ACCOUNT_FILE).read_text().strip()
        except OSError:
            address = ""
        if not address:
            return  # nobody's: left alone
        db.execute("INSERT INTO account (id, address, created) VALUES (?, ?, ?)", (number, address, int(time.time())))
        summary.lost.append(f"the password of {address} is lost; set one with «gk user passwd {address}»")
        row = (number, address, "")
    account = Account(*row)
    for folder in (root, *sorted(root.glob(".?*"))):
        if (folder / "cur").is_dir():
            mailbox = _mailbox(db, account, folder, "" if folder == root else folder.name, rebuilt)
            summary.mailboxes += 1
            _messages(db, account, mailbox, folder, summary, progress)
    for name, _ in ((INBOX, None), *SPECIAL):
        if not db.execute("SELECT 1 FROM mailbox WHERE account = ? AND name = ?", (number, name)).fetchone():
            names.create(db, [], number, name, None, 1 << 30)


def _mailbox(db: sqlite3.Connection, account: Account, folder: Path, directory: str, rebuilt: bool) -> int:
    """The row of the mailbox in a folder, made from gk-mailbox or from the folder's name where there is none."""
    row = db.execute("SELECT id FROM mailbox WHERE account = ? AND directory = ?", (account.id, directory)).fetchone()
    if row is not None:
        return int(row[0])
    told = _described(folder)
    name = told.get("name") or (INBOX if not directory else decode(directory))
    row = db.execute("SELECT id FROM mailbox WHERE account = ? AND name = ?", (account.id, name)).fetchone()
    if row is not None:
        db.execute("UPDATE mailbox SET directory = ? WHERE id = ?", (directory, row[0]))
        return int(row[0])
    facts: list[Fact] = []
    try:
        mailbox = names.create(db, facts, account.id, names.canonical(name), told.get("special-use"), 1 << 30)
    except Refused:  # the name cannot be one, or its use is another's
        mailbox = names.create(db, facts, account.id, f"Recovered {folder.name.strip('.')}", None, 1 << 30)
    number, clock = mailbox.id, int(time.time())
    identity, validity, uidnext = (told.get(k, "") for k in ("id", "uidvalidity", "uidnext"))
    free = (
        identity.isdigit()
        and not db.execute("SELECT 1 FROM mailbox WHERE id = ? AND id <> ?", (int(identity), mailbox.id)).fetchone()
    )
    if free and validity.isdigit() and uidnext.isdigit():
        number = int(identity)
        db.execute(
            "UPDATE mailbox SET id = ?, uidvalidity = ?, uidnext = ? WHERE id = ?",
            (number, int(validity), int(uidnext) + (GAP if rebuilt else 0), mailbox.id),
        )
        if rebuilt:  # modseqs never fall (RFC 7162 §3.1.1): the old ones are lost, and were smaller than the clock
            db.execute("UPDATE mailbox SET modseq = ?, forgotten = ? WHERE id = ?", (clock, clock, number))
    db.execute("UPDATE mailbox SET directory = ? WHERE id = ?", (directory, number))
    db.execute(
        "INSERT INTO subscription (account, name) VALUES (?, ?) ON CONFLICT DO NOTHING", (account.id, mailbox.name)
    )
    for position, word in maildir.read_keywords(folder).items():
        db.execute("INSERT OR IGNORE INTO keyword VALUES (?, ?, ?)", (number, position, word))
    return number


def _described(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / maildir.MAILBOX_FILE).read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return {key: value for key, _, value in (line.partition(" ") for line in lines)}


def _messages(
    db: sqlite3.Connection,
    account: Account,
    mailbox: int,
    folder: Path,
    summary: Summary,
    progress: Callable[[int], None],
) -> None:
    numbered = maildir.read_keywords(folder)
    known = {
        uid: (message, flags, placed)
        for uid, message, flags, placed in db.execute(
            "SELECT uid, message, flags, filed FROM entry WHERE mailbox = ?", (mailbox,)
        )
    }
    (modseq,) = db.execute(
        "UPDATE mailbox SET modseq = modseq + 1 WHERE id = ? RETURNING modseq", (mailbox,)
    ).fetchone()
    letters = maildir.Letters(db, mailbox)
    foreign: list[Path] = []
    seen: set[int] = set()
    for sub in ("cur", "new"):
        for name in _names(folder / sub):
            path = folder / sub / name
            match = maildir.FILE.fullmatch(name)
            ours = match and path.stat().st_size == int(match[4]) and int(match[3]) not in seen and sub == "cur"
            if not match or not ours:
                foreign.append(path)
                continue
            date, message, uid, size = (int(match[i]) for i in range(1, 5))
            seen.add(uid)
            system, words = maildir.parse_letters(match[5], numbered)
            value = keywords.flags_value(db, mailbox, Flags(system, words), KEYWORD_LIMIT)
            canonical = maildir.stem(date, message, uid, size) + letters.of(value)
            if canonical != name:  # letters in another order, or of keywords nobody knows
                path = path.rename(folder / "cur" / canonical)
            if uid in known and known[uid][0] == message:
                _reread(db, message, path)
                _refresh(db, mailbox, uid, known[uid], value, modseq)
            else:
                _restore(db, account, mailbox, path, (date, message, uid, size, value, modseq), summary)
                summary.adopted += 1
            summary.messages += 1
            progress(1)
    for uid, (_, _, placed) in known.items():
        if uid not in seen and placed is not None:
            removal.remove(db, [], mailbox, [uid], only_deleted=False)
            summary.dropped += 1
    for path in foreign:
        _adopt(db, account, mailbox, path, summary)
        summary.adopted += 1
        summary.messages += 1
        progress(1)


def _reread(db: sqlite3.Connection, message: int, path: Path) -> None:
    """The file is the truth here: where its bytes are not those of the index, the index follows."""
    content = path.read_bytes()
    crc = zlib.crc32(content)
    if db.execute("SELECT 1 FROM message WHERE id = ? AND crc = ?", (message, crc)).fetchone():
        return
    parsed = parse(content)
    db.execute(
        "UPDATE message SET crc = ?, size = ?, envelope = ?, bodystructure = ?, parts = ? WHERE id = ?",
        (crc, len(content), parsed.envelope, parsed.bodystructure, parsed.parts, message),
    )
    db.execute("UPDATE header SET content = ? WHERE message = ?", (parsed.header, message))


def _refresh(
    db: sqlite3.Connection, mailbox: int, uid: int, known: tuple[int, int, int | None], value: int, modseq: int
) -> None:
    """Take over flags another program wrote into the name; keywords the name cannot carry stay."""
    _, flags, placed = known
    if placed is None or value == placed:
        return
    if not value >> KEYWORDS:
        value |= flags & ~0xFF
    db.execute(
        "UPDATE entry SET flags = ?, filed = ?, modseq = ? WHERE mailbox = ? AND uid = ?",
        (value, value, modseq, mailbox, uid),
    )


def _restore(
    db: sqlite3.Connection,
    account: Account,
    mailbox: int,
    path: Path,
    row: tuple[int, int, int, int, int, int],
    summary: Summary,
) -> None:
    """An entry the index does not have, from its file: id, uid, date and flags are in the name."""
    date, message, uid, size, value, modseq = row
    content = path.read_bytes()
    arrival = Arrival(size, zlib.crc32(content), parse(content), content)
    there = db.execute("SELECT size, crc FROM message WHERE id = ?", (message,)).fetchone()
    if there is None or there != (size, arrival.crc):
        parsed = arrival.parsed
        values = (size, arrival.crc, parsed.envelope, parsed.bodystructure, parsed.parts)
        if there is None:
            db.execute(
                "INSERT INTO message (id, size, crc, envelope, bodystructure, parts) VALUES (?, ?, ?, ?, ?, ?)",
                (message, *values),
            )
            db.execute("INSERT INTO header (message, content) VALUES (?, ?)", (message, parsed.header))
        else:  # the id is another message's by now: the file gets a new one, and so a new name
            _adopt(db, account, mailbox, path, summary)
            return
    db.execute("DELETE FROM entry WHERE mailbox = ? AND uid = ?", (mailbox, uid))
    db.execute(
        "INSERT INTO entry (mailbox, uid, message, flags, modseq, date, thread, filed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (mailbox, uid, message, value, modseq, date, entries.thread_of(db, account.id, message, arrival), value),
    )
    db.execute("UPDATE mailbox SET uidnext = max(uidnext, ?) WHERE id = ?", (uid + 1, mailbox))


def _adopt(db: sqlite3.Connection, account: Account, mailbox: int, path: Path, summary: Summary) -> None:
    """A file some other program put there: a new message with CRLF line ends; the file itself goes."""
    content = path.read_bytes()
    content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    letters = path.name.rpartition(":2,")[2] if ":2," in path.name else ""
    system, _ = maildir.parse_letters("".join(c for c in letters if c.isupper()), {})
    arrival = Arrival(len(content), zlib.crc32(content), parse(content), content)
    date = When(int(path.stat().st_mtime))
    entries.append(db, [], mailbox, account.id, [(arrival, Flags(system), date)], KEYWORD_LIMIT)
    summary.taken_in.append(path)


def _counters(db: sqlite3.Connection) -> None:
    db.execute(
        "UPDATE mailbox SET"
        " messages = (SELECT count(*) FROM entry WHERE mailbox = mailbox.id),"
        f" unseen = (SELECT count(*) FROM entry WHERE mailbox = mailbox.id AND NOT flags & {SEEN}),"
        f" deleted = (SELECT count(*) FROM entry WHERE mailbox = mailbox.id AND flags & {DELETED}),"
        " size = (SELECT coalesce(sum(m.size), 0) FROM entry e JOIN message m ON m.id = e.message"
        " WHERE e.mailbox = mailbox.id),"
        " modseq = max(modseq, (SELECT coalesce(max(modseq), 1) FROM entry WHERE mailbox = mailbox.id))"
    )


def decode(directory: str) -> str:
    """A Maildir++ directory name → mailbox name, as far as it can be read."""
    levels = []
    for level in directory.removeprefix(".").split("."):
        raw = bytearray()
        i = 0
        while i < len(level):
            if level[i] == "=" and len(level) >= i + 3:
                try:
                    raw.append(int(level[i + 1 : i + 3], 16))
                    i += 3
                    continue
                except ValueError:
                    pass
            raw += level[i].encode()
            i += 1
        try:
            levels.append(utf7.decode(bytes(raw)))
        except utf7.BadEncoding:  # another program's own way of naming it
            levels.append(raw.decode("utf-8", "replace"))
    return "/".join(levels)
