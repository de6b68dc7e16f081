"""Units of work on mailbox names: create, rename, delete, subscribe. A name's superiors are made with it."""

import sqlite3
import time

from gk.errors import BadName, LimitReached, MailboxExists, NoSuchMailbox, Refused
from gk.store import entries, maildir, removal
from gk.store.schema import DROP_FOLDER, MOVE_FOLDER
from gk.store.values import DELIMITER, INBOX, Fact, Filing, Mailbox, Renamed, Subscribed

LEVELS, LEVEL_BYTES = 20, 255
PURGED_AT_ONCE = 2000  # entries of a deleted mailbox removed in one unit: others wait no longer than that


def canonical(name: str) -> str:
    """The name as it is stored: INBOX in capitals, also as the first level; raise BadName for what cannot be one."""
    first, _, rest = name.partition(DELIMITER)
    if first.upper() == INBOX:
        name = INBOX + (DELIMITER + rest if rest or name.endswith(DELIMITER) else "")
    levels = name.split(DELIMITER)
    if len(levels) > LEVELS:
        raise BadName(f"a mailbox name has at most {LEVELS} levels")
    for level in levels:
        if not level or level in (".", ".."):
            raise BadName("a level of a mailbox name is empty, «.» or «..»")
        try:
            size = len(level.encode())
        except UnicodeEncodeError:
            raise BadName("the mailbox name is not valid Unicode") from None
        if size > LEVEL_BYTES:
            raise BadName(f"a level of a mailbox name has at most {LEVEL_BYTES} bytes")
        if any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or c in "\u2028\u2029" for c in level):
            raise BadName("a mailbox name has no control characters")
    return name


def create(
    db: sqlite3.Connection, facts: list[Fact], account: int, name: str, special_use: str | None, limit: int
) -> Mailbox:
    """CREATE, with the superior names that are missing (RFC 9051 §6.3.4)."""
    if db.execute("SELECT 1 FROM mailbox WHERE account = ? AND name = ?", (account, name)).fetchone():
        raise MailboxExists("there is a mailbox of that name")
    if (
        special_use
        and db.execute("SELECT 1 FROM mailbox WHERE account = ? AND special_use = ?", (account, special_use)).fetchone()
    ):
        raise Refused(f"another mailbox has the use {special_use}")
    levels = name.split(DELIMITER)
    for depth in range(1, len(levels)):
        superior = DELIMITER.join(levels[:depth])
        if not db.execute("SELECT 1 FROM mailbox WHERE account = ? AND name = ?", (account, superior)).fetchone():
            _insert(db, facts, account, superior, None, limit)
    return _insert(db, facts, account, name, special_use, limit)


def _insert(
    db: sqlite3.Connection, facts: list[Fact], account: int, name: str, special_use: str | None, limit: int
) -> Mailbox:
    (count,) = db.execute("SELECT count(*) FROM mailbox WHERE account = ?", (account,)).fetchone()
    if count >= limit:
        raise LimitReached(f"an account has at most {limit} mailboxes")
    uidvalidity = next_uidvalidity(db)
    mailbox = db.execute(
        "INSERT INTO mailbox (account, name, uidvalidity, special_use) VALUES (?, ?, ?, ?)",
        (account, name, uidvalidity, special_use),
    ).lastrowid
    assert mailbox is not None
    facts.append(Renamed(account, mailbox, name=name))
    return Mailbox(mailbox, account, name, uidvalidity, special_use)


def next_uidvalidity(db: sqlite3.Connection) -> int:
    """A UIDVALIDITY never given before on this server (RFC 9051 §2.3.1.1), also when the clock went back."""
    return int(
        db.execute(
            "INSERT INTO meta (name, value) VALUES ('uidvalidity', ?)"
            " ON CONFLICT (name) DO UPDATE SET value = max(value + 1, excluded.value) RETURNING value",
            (int(time.time()),),
        ).fetchone()[0]
    )


def rename(db: sqlite3.Connection, facts: list[Fact], account: int, old: str, new: str, limit: int) -> None:
    """RENAME with all inferior names; of INBOX: its messages move, INBOX stays (RFC 9051 §6.3.6)."""
    if db.execute("SELECT 1 FROM mailbox WHERE account = ? AND name = ?", (account, new)).fetchone():
        raise MailboxExists("there is a mailbox of the new name")
    if old == INBOX:
        source = entries.inbox(db, account)
        target = create(db, facts, account, new, None, limit)
        uids = [u for (u,) in db.execute("SELECT uid FROM entry WHERE mailbox = ? ORDER BY uid", (source,))]
        entries.move(db, facts, source, uids, target.id, 1 << 30)
        return
    below = old + DELIMITER
    if (new + DELIMITER).startswith(below):
        raise Refused("a mailbox cannot move below itself")
    rows = db.execute(
        "SELECT id, name FROM mailbox WHERE account = ? AND (name = ? OR substr(name, 1, ?) = ?) ORDER BY name",
        (account, old, len(below), below),
    ).fetchall()
    if not rows:
        raise NoSuchMailbox("there is no mailbox of that name")
    superior = new.rpartition(DELIMITER)[0]
    if (
        superior
        and not db.execute("SELECT 1 FROM mailbox WHERE account = ? AND name = ?", (account, superior)).fetchone()
    ):
        create(db, facts, account, superior, None, limit)
    for mailbox, name in rows:
        becomes = canonical(new + name[len(old) :])
        if db.execute("SELECT 1 FROM mailbox WHERE account = ? AND name = ?", (account, becomes)).fetchone():
            raise MailboxExists("there is a mailbox of a new inferior name")
        db.execute("UPDATE mailbox SET name = ? WHERE id = ?", (becomes, mailbox))
        move_folder(db, mailbox, maildir.directory(becomes, mailbox))
        facts.append(Renamed(account, mailbox, name=becomes, before=name))
    facts.append(Filing())


def delete(db: sqlite3.Connection, facts: list[Fact], account: int, name: str, *, empty: bool = False) -> int:
    """DELETE: the mailbox is gone at once; `purge` takes its messages away in slices. Its inferiors stay."""
    if name == INBOX:
        raise Refused("INBOX cannot be deleted")
    row = db.execute("SELECT id, messages FROM mailbox WHERE account = ? AND name = ?", (account, name)).fetchone()
    if row is None:
        raise NoSuchMailbox("there is no mailbox of that name")
    if empty and row[1]:
        raise Refused("the mailbox has messages")
    mailbox = int(row[0])
    # No account has a negative id: the row is out of everybody's sight until it is purged.
    db.execute(
        "UPDATE mailbox SET account = -account, name = ?, special_use = NULL WHERE id = ?", (f"{mailbox}", mailbox)
    )
    move_folder(db, mailbox, maildir.parking(mailbox))  # its name may be taken again before it is purged
    facts.append(Renamed(account, mailbox, deleted=True, name=name))
    return mailbox


def move_folder(db: sqlite3.Connection, mailbox: int, directory: str) -> None:
    """Have the filer move the mailbox's directory, if it has one by then."""
    db.execute(f"INSERT INTO filing (kind, mailbox, name) VALUES ({MOVE_FOLDER}, ?, ?)", (mailbox, directory))


def purge(db: sqlite3.Connection, facts: list[Fact], mailbox: int) -> bool:
    """Remove a slice of a deleted mailbox; true once nothing is left."""
    uids = [
        u
        for (u,) in db.execute(
            "SELECT uid FROM entry WHERE mailbox = ? ORDER BY uid LIMIT ?", (mailbox, PURGED_AT_ONCE)
        )
    ]
    if uids:
        removal.remove(db, facts, mailbox, uids, only_deleted=False)
        return False
    for table in ("keyword", "expunged", "metadata"):
        db.execute(f"DELETE FROM {table} WHERE mailbox = ?", (mailbox,))
    db.execute(f"INSERT INTO filing (kind, mailbox) VALUES ({DROP_FOLDER}, ?)", (mailbox,))  # and then its row
    facts.append(Filing())
    return True


def subscribe(db: sqlite3.Connection, facts: list[Fact], account: int, name: str, on: bool) -> None:
    """SUBSCRIBE and UNSUBSCRIBE: a list of names of its own (RFC 9051 §6.3.7)."""
    if on:
        db.execute("INSERT INTO subscription (account, name) VALUES (?, ?) ON CONFLICT DO NOTHING", (account, name))
    else:
        db.execute("DELETE FROM subscription WHERE account = ? AND name = ?", (account, name))
    facts.append(Subscribed(account, name))
