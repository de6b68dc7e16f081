"""Tables of gk.db and the numbered migrations that made them: append only, one function each.

`entry` is narrow, it is what SELECT reads; what FETCH reads is in `message`. SQL keeps to what SQLite and
PostgreSQL share; WITHOUT ROWID is the one thing to leave out there.
"""

import re
import secrets
import sqlite3
from collections.abc import Callable

# kinds of work in `filing`
PLACE, RENAME, REMOVE, UNSPOOL, MOVE_FOLDER, DROP_FOLDER = range(6)

_FIRST = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE account (
    id INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT NOT NULL UNIQUE, name TEXT NOT NULL DEFAULT '',
    password TEXT, created INTEGER NOT NULL
);
CREATE TABLE app_password (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL, name TEXT NOT NULL, digest BLOB NOT NULL,
    created INTEGER NOT NULL
);

CREATE TABLE mailbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL, name TEXT NOT NULL,
    directory TEXT,                       -- where it is on disk now; NULL before its first message is filed
    uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL DEFAULT 1, modseq INTEGER NOT NULL DEFAULT 1,
    recent INTEGER NOT NULL DEFAULT 1,    -- first uid no read-write session was told of
    special_use TEXT,
    messages INTEGER NOT NULL DEFAULT 0, unseen INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL DEFAULT 0,
    UNIQUE (account, name)
);
CREATE TABLE subscription (account INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (account, name)) WITHOUT ROWID;
CREATE TABLE keyword (
    mailbox INTEGER NOT NULL, position INTEGER NOT NULL, word TEXT NOT NULL, PRIMARY KEY (mailbox, position)
) WITHOUT ROWID;
CREATE TABLE keyword_set (id INTEGER PRIMARY KEY, words TEXT NOT NULL UNIQUE);

CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT, size INTEGER NOT NULL, crc INTEGER NOT NULL, spool TEXT,
    envelope BLOB NOT NULL, bodystructure BLOB NOT NULL, parts BLOB NOT NULL
);
CREATE TABLE header (message INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE journal (message INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE entry (
    mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, message INTEGER NOT NULL, flags INTEGER NOT NULL,
    modseq INTEGER NOT NULL, date INTEGER NOT NULL, thread INTEGER NOT NULL,
    filed INTEGER,                        -- the flags its file is named by; NULL before there is one
    recipient TEXT,                       -- of the envelope, where several share the message
    PRIMARY KEY (mailbox, uid)
) WITHOUT ROWID;
CREATE INDEX entry_message ON entry (message);
CREATE TABLE thread (
    account INTEGER NOT NULL, reference BLOB NOT NULL, thread INTEGER NOT NULL, PRIMARY KEY (account, reference)
) WITHOUT ROWID;

CREATE TABLE filing (
    id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, mailbox INTEGER NOT NULL, first INTEGER NOT NULL DEFAULT 0,
    last INTEGER NOT NULL DEFAULT 0, message INTEGER,
    flags INTEGER,                        -- of the name a PLACE makes; 1 for a REMOVE whose name is certain
    name TEXT
);
CREATE INDEX filing_message ON filing (message) WHERE message IS NOT NULL;

CREATE TABLE outgoing (
    id INTEGER PRIMARY KEY AUTOINCREMENT, message INTEGER NOT NULL, account INTEGER, sender TEXT NOT NULL,
    origin TEXT NOT NULL, envid TEXT, ret TEXT, priority INTEGER NOT NULL DEFAULT 0, held INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL
);
CREATE TABLE outgoing_recipient (
    outgoing INTEGER NOT NULL, no INTEGER NOT NULL, address TEXT NOT NULL, domain TEXT NOT NULL,
    notify TEXT, orcpt TEXT, status TEXT NOT NULL DEFAULT 'pending', attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL, last_attempt REAL, reply TEXT, remote TEXT,
    PRIMARY KEY (outgoing, no)
) WITHOUT ROWID;
CREATE INDEX outgoing_due ON outgoing_recipient (due) WHERE status = 'pending';
CREATE INDEX outgoing_message ON outgoing (message);
"""


def _apply(db: sqlite3.Connection, statements: str) -> None:
    for statement in re.sub(r"--.*", "", statements).split(";"):
        if statement.strip():
            db.execute(statement)


def m001_first(db: sqlite3.Connection) -> None:
    """All tables of the first release."""
    _apply(db, _FIRST)


_IMAP = """
ALTER TABLE entry ADD COLUMN saved INTEGER;      -- when it came into this mailbox (RFC 8514); NULL: not known
ALTER TABLE entry ADD COLUMN zone INTEGER NOT NULL DEFAULT 0;  -- of `date`, minutes east, as APPEND had it
ALTER TABLE mailbox ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;  -- `expunged` tells nothing up to this modseq
UPDATE mailbox SET forgotten = modseq;
ALTER TABLE account ADD COLUMN quota INTEGER;    -- octets; NULL: the configured one
ALTER TABLE account ADD COLUMN hidden TEXT NOT NULL DEFAULT '';  -- IMAP capabilities not offered to it, blanks between
CREATE INDEX entry_deleted ON entry (mailbox, uid) WHERE flags & 8;  -- what EXPUNGE looks for
CREATE TABLE expunged (
    mailbox INTEGER NOT NULL, modseq INTEGER NOT NULL, uids TEXT NOT NULL, PRIMARY KEY (mailbox, modseq)
) WITHOUT ROWID;
CREATE TABLE metadata (
    account INTEGER NOT NULL, mailbox INTEGER NOT NULL, entry TEXT NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (account, mailbox, entry)  -- mailbox 0: of the account itself
) WITHOUT ROWID;
CREATE TABLE dropped (  -- what the search index must still forget
    account INTEGER NOT NULL, message INTEGER NOT NULL, PRIMARY KEY (account, message)
) WITHOUT ROWID;
"""


def m002_imap(db: sqlite3.Connection) -> None:
    """Dates of arrival, the log of expunges, metadata, quotas, and what the search index is to forget."""
    _apply(db, _IMAP)
    # Which database search.db belongs to: message ids mean nothing in another one.
    db.execute("INSERT INTO meta (name, value) VALUES ('identity', ?)", (secrets.randbits(62),))


_TLS = """
CREATE TABLE sts_policy (  -- MTA-STS policies of other domains (RFC 8461); times in seconds since 1970
    domain TEXT PRIMARY KEY, id TEXT NOT NULL, mode TEXT NOT NULL, mx TEXT NOT NULL, max_age INTEGER NOT NULL,
    fetched INTEGER NOT NULL, tried INTEGER NOT NULL, used INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sts_policy_tried ON sts_policy (tried);
CREATE TABLE tls_result (  -- what TLSRPT tells them (RFC 8460); `day` counts from 1970-01-01 UTC
    day INTEGER NOT NULL, domain TEXT NOT NULL, policy TEXT NOT NULL, result TEXT NOT NULL, mx TEXT NOT NULL,
    sessions INTEGER NOT NULL, PRIMARY KEY (day, domain, policy, result, mx)
) WITHOUT ROWID;
"""


def m003_tls(db: sqlite3.Connection) -> None:
    """Policies of other domains on TLS, and what came of them."""
    _apply(db, _TLS)


_OUTGOING = """
ALTER TABLE outgoing ADD COLUMN prefix BLOB NOT NULL DEFAULT x'';  -- fields that go out before the content: signatures
ALTER TABLE outgoing ADD COLUMN requiretls INTEGER NOT NULL DEFAULT 0;  -- RFC 8689
CREATE TABLE attempt (  -- what was tried, kept for a while after the message left
    id INTEGER PRIMARY KEY, outgoing INTEGER NOT NULL, no INTEGER NOT NULL, at REAL NOT NULL, domain TEXT NOT NULL,
    status TEXT NOT NULL, reply TEXT NOT NULL, remote TEXT NOT NULL, tls TEXT
);
CREATE INDEX outgoing_domain ON outgoing_recipient (domain, due) WHERE status = 'pending';
CREATE INDEX outgoing_urgent ON outgoing (priority) WHERE priority > 0;
CREATE INDEX attempt_outgoing ON attempt (outgoing);
"""


def m004_outgoing(db: sqlite3.Connection) -> None:
    """Signatures beside queued messages, and a trace of every attempt."""
    _apply(db, _OUTGOING)


_SENDING = """
ALTER TABLE outgoing ADD COLUMN bulk INTEGER NOT NULL DEFAULT 0;  -- 1: one of many, of which recipients may have enough
CREATE TABLE sent_day (  -- what an account sent to others; `day` counts from 1970-01-01 UTC
    account INTEGER NOT NULL, day INTEGER NOT NULL, recipients INTEGER NOT NULL, fresh INTEGER NOT NULL,
    PRIMARY KEY (account, day)
) WITHOUT ROWID;
CREATE TABLE sent_to (  -- to whom it wrote, as keyed hashes, and when last
    account INTEGER NOT NULL, hash INTEGER NOT NULL, day INTEGER NOT NULL, PRIMARY KEY (account, hash)
) WITHOUT ROWID;
CREATE TABLE suppressed (  -- whom nothing is sent to, with the same hashes; account 0: by nobody
    account INTEGER NOT NULL, hash INTEGER NOT NULL, address TEXT NOT NULL, reason TEXT NOT NULL,
    added INTEGER NOT NULL, PRIMARY KEY (account, hash)
) WITHOUT ROWID;
"""


def m005_sending(db: sqlite3.Connection) -> None:
    """What accounts sent and to whom, whom nothing is sent to, and the key of the hashes of addresses."""
    _apply(db, _SENDING)
    parts = [(f"sending{part}", secrets.randbits(63)) for part in range(3)]
    db.executemany("INSERT INTO meta (name, value) VALUES (?, ?)", parts)


_VERDICTS = """
CREATE TABLE verdict (  -- why a message is where it is: JSON, compressed
    message INTEGER PRIMARY KEY, content BLOB NOT NULL
);
"""


def m006_verdicts(db: sqlite3.Connection) -> None:
    """The verdict on each message that came from elsewhere, with its evidence."""
    _apply(db, _VERDICTS)


_FORWARDS = """
CREATE TABLE forward (  -- senders of ours on mail handed on, and whom a report that comes back to them is for
    token TEXT PRIMARY KEY, sender TEXT NOT NULL, until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX forward_sender ON forward (sender, until);
CREATE INDEX forward_until ON forward (until);
"""


def m007_forwards(db: sqlite3.Connection) -> None:
    """The way back of reports about mail that was handed on."""
    _apply(db, _FORWARDS)


_RULES = """
CREATE TABLE script (  -- Sieve (RFC 5228) of an account; one of them may be active
    account INTEGER NOT NULL, name TEXT NOT NULL, content TEXT NOT NULL, active INTEGER NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;
CREATE TABLE rule (  -- JSON, in the order they are asked
    account INTEGER NOT NULL, position INTEGER NOT NULL, content TEXT NOT NULL, PRIMARY KEY (account, position)
) WITHOUT ROWID;
CREATE TABLE absence (account INTEGER PRIMARY KEY, content TEXT NOT NULL);  -- JSON: what senders are answered, and when
CREATE TABLE answered (  -- senders, as keyed hashes, who are not answered again before `until`, in seconds since 1970
    account INTEGER NOT NULL, handle TEXT NOT NULL, hash INTEGER NOT NULL, until INTEGER NOT NULL,
    PRIMARY KEY (account, handle, hash)
) WITHOUT ROWID;
CREATE TABLE seen_id (  -- what the test `duplicate` remembers (RFC 7352)
    account INTEGER NOT NULL, handle TEXT NOT NULL, id TEXT NOT NULL, until INTEGER NOT NULL,
    PRIMARY KEY (account, handle, id)
) WITHOUT ROWID;
"""


def m008_rules(db: sqlite3.Connection) -> None:
    """Scripts, rules and absences, and whom and what their runs remember."""
    _apply(db, _RULES)


_LESSONS = """
CREATE TABLE lesson (  -- what an account says of a message: junk (1) or wanted (0); `learnt` is what counts already
    account INTEGER NOT NULL, message INTEGER NOT NULL, junk INTEGER NOT NULL, learnt INTEGER,
    PRIMARY KEY (account, message)
) WITHOUT ROWID;
CREATE INDEX lesson_message ON lesson (message);
CREATE INDEX lesson_open ON lesson (account) WHERE learnt IS NOT junk;
CREATE TABLE sign (  -- in how many messages of each kind a sign was; the account 0 is what all have in common
    account INTEGER NOT NULL, sign INTEGER NOT NULL, junk INTEGER NOT NULL DEFAULT 0,
    wanted INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (account, sign)
) WITHOUT ROWID;
CREATE TABLE learnt (  -- messages of each kind
    account INTEGER PRIMARY KEY, junk INTEGER NOT NULL DEFAULT 0, wanted INTEGER NOT NULL DEFAULT 0
);
"""


def m009_lessons(db: sqlite3.Connection) -> None:
    """What users teach about junk, and what was learnt of it."""
    _apply(db, _LESSONS)


_REPORTS = """
CREATE TABLE dmarc_policy (  -- what domains published that want reports; `day` counts from 1970-01-01 UTC
    day INTEGER NOT NULL, domain TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (day, domain)
) WITHOUT ROWID;
CREATE TABLE dmarc_result (  -- what they will be told; `content` is JSON
    day INTEGER NOT NULL, domain TEXT NOT NULL, content TEXT NOT NULL, messages INTEGER NOT NULL,
    PRIMARY KEY (day, domain, content)
) WITHOUT ROWID;
"""


def m010_reports(db: sqlite3.Connection) -> None:
    """Results of DMARC, until they are reported."""
    _apply(db, _REPORTS)


def m011_removes(db: sqlite3.Connection) -> None:
    """Whether files are still to be removed from a folder is asked for each folder that goes."""
    db.execute(f"CREATE INDEX filing_removes ON filing (mailbox) WHERE kind = {REMOVE}")


_ABUSE = """
CREATE TABLE ban (  -- networks that are not served before `until`, in seconds since 1970; `times` in a row
    network TEXT PRIMARY KEY, until INTEGER NOT NULL, added INTEGER NOT NULL, times INTEGER NOT NULL,
    reason TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE reject (  -- messages that were not taken, the last ones; `content` is JSON, compressed
    id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, content BLOB NOT NULL
);
CREATE INDEX reject_at ON reject (at);
CREATE TABLE greylist (  -- client network, sender and recipient as one keyed hash; `passed` counts its messages
    hash INTEGER PRIMARY KEY, first INTEGER NOT NULL, until INTEGER NOT NULL, passed INTEGER NOT NULL
);
CREATE INDEX greylist_until ON greylist (until);
"""


def m012_abuse(db: sqlite3.Connection) -> None:
    """Who is banned, what was refused, who has to come again; and the key of hashes that stand for clients."""
    _apply(db, _ABUSE)
    parts = [(f"abuse{part}", secrets.randbits(63)) for part in range(3)]
    db.executemany("INSERT INTO meta (name, value) VALUES (?, ?)", parts)


def m013_ledger(db: sqlite3.Connection) -> None:
    """What language models were asked, by account and day since 1970 (UTC)."""
    db.execute(
        "CREATE TABLE model_day (account INTEGER NOT NULL, day INTEGER NOT NULL, calls INTEGER NOT NULL,"
        " tokens INTEGER NOT NULL, PRIMARY KEY (account, day)) WITHOUT ROWID"
    )


_TRIAGE = """
CREATE TABLE triage_job (  -- delivered messages that are still to be judged
    message INTEGER NOT NULL, account INTEGER NOT NULL, PRIMARY KEY (message, account)
) WITHOUT ROWID;
CREATE TABLE triage (  -- what a message is about: JSON, compressed
    message INTEGER PRIMARY KEY, content BLOB NOT NULL
);
"""


def m014_triage(db: sqlite3.Connection) -> None:
    """What delivered messages are about, and which are still to be judged."""
    _apply(db, _TRIAGE)


_MODELS = """
CREATE TABLE model_use (  -- what language models took, by account and day since 1970 (UTC); `price` in millionths
    account INTEGER NOT NULL, day INTEGER NOT NULL, model TEXT NOT NULL, calls INTEGER NOT NULL,
    failed INTEGER NOT NULL, asked INTEGER NOT NULL, said INTEGER NOT NULL, milliseconds INTEGER NOT NULL,
    price INTEGER NOT NULL, PRIMARY KEY (account, day, model)
) WITHOUT ROWID;
INSERT INTO model_use SELECT account, day, '', calls, 0, 0, tokens, 0, 0 FROM model_day;
DROP TABLE model_day;
CREATE TABLE model_answer (  -- what they answered, by the hash of all that was asked: JSON, compressed
    account INTEGER NOT NULL, key BLOB NOT NULL, at INTEGER NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (account, key)
) WITHOUT ROWID;
CREATE INDEX model_answer_at ON model_answer (account, at);
"""


def m015_models(db: sqlite3.Connection) -> None:
    """The ledger by model, with time and money; answers that are remembered."""
    _apply(db, _MODELS)


_REPLIES = """
CREATE TABLE reply (  -- delivered messages that may be answered by GK, and what became of each
    id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL, message INTEGER NOT NULL,
    author INTEGER NOT NULL,              -- the account here that sent it; 0: it came from elsewhere
    state TEXT NOT NULL DEFAULT 'pending', attempts INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL, due REAL NOT NULL, last_attempt REAL,
    rule TEXT NOT NULL DEFAULT '', action TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
    template TEXT NOT NULL DEFAULT '', model TEXT NOT NULL DEFAULT '', confidence REAL,
    correspondent TEXT NOT NULL DEFAULT '',  -- who is answered, in lower case
    made INTEGER,                         -- the message that is the draft, or the number in the queue
    UNIQUE (account, message)
);
CREATE INDEX reply_open ON reply (due) WHERE state = 'pending';
CREATE INDEX reply_message ON reply (message);
CREATE INDEX reply_attempt ON reply (account, last_attempt) WHERE attempts > 0;
CREATE INDEX reply_correspondent ON reply (correspondent) WHERE correspondent <> '';
CREATE TABLE reply_stop (account INTEGER PRIMARY KEY, since INTEGER NOT NULL);  -- account 0: for everybody
CREATE INDEX outgoing_origin ON outgoing (origin, account) WHERE origin = 'ai';
"""


def m016_replies(db: sqlite3.Connection) -> None:
    """Answers that GK writes, and whether that is stopped."""
    _apply(db, _REPLIES)


_TALKS = """
CREATE TABLE conversation (  -- with the assistant; `turns` is JSON, compressed
    id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL, last INTEGER NOT NULL, turns BLOB NOT NULL
);
CREATE INDEX conversation_account ON conversation (account, last);
CREATE TABLE effect (  -- what the assistant did; `undo` is JSON, the actions that take it back
    id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL, at INTEGER NOT NULL, words TEXT NOT NULL,
    undo TEXT NOT NULL, undone INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX effect_account ON effect (account, id);
CREATE TABLE confirmation (  -- what waits for its owner's yes, the word of which is hashed
    hash BLOB PRIMARY KEY, account INTEGER NOT NULL, until INTEGER NOT NULL, action TEXT NOT NULL,
    arguments TEXT NOT NULL, words TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX entry_thread ON entry (thread);
"""


def m017_talks(db: sqlite3.Connection) -> None:
    """Talks with the assistant, what it did, and what waits for a yes; the messages of a thread are asked for."""
    _apply(db, _TALKS)


def m018_activity(db: sqlite3.Connection) -> None:
    """How much was done, by hour since 1970 (UTC) and kind."""
    db.execute(
        "CREATE TABLE activity (hour INTEGER NOT NULL, kind TEXT NOT NULL, amount REAL NOT NULL,"
        " PRIMARY KEY (hour, kind)) WITHOUT ROWID"
    )


def m019_reply_states(db: sqlite3.Connection) -> None:
    """Answers by their state: those that are open are few among many."""
    db.execute("CREATE INDEX reply_state ON reply (state, account)")


_REMOTE = """
CREATE TABLE remote (  -- mailboxes users have elsewhere, by their name in the configuration
    id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL, name TEXT NOT NULL,
    place TEXT NOT NULL,                  -- digest of server and login: uids mean nothing at another
    synced INTEGER NOT NULL DEFAULT 0,    -- when last all was in step, in seconds since 1970
    error TEXT NOT NULL DEFAULT '',       -- why it is not, in words of ours
    UNIQUE (account, name)
);
CREATE TABLE remote_folder (  -- a mailbox there, and the one here it is in step with
    id INTEGER PRIMARY KEY AUTOINCREMENT, remote INTEGER NOT NULL, name TEXT NOT NULL, mailbox INTEGER NOT NULL,
    uidvalidity INTEGER NOT NULL DEFAULT 0, last INTEGER NOT NULL DEFAULT 0,  -- the highest uid that was dealt with
    modseq INTEGER NOT NULL DEFAULT 0,    -- up to which its flags are known; 0 where it does not tell
    pushed INTEGER NOT NULL DEFAULT 0,    -- modseq of the mailbox here up to which it was told of changes
    UNIQUE (remote, name)
);
CREATE TABLE remote_message (
    id INTEGER PRIMARY KEY, folder INTEGER NOT NULL,
    uid INTEGER,                          -- there; NULL: it is not there, or not known where
    message INTEGER NOT NULL,             -- here; 0: it was not taken
    local INTEGER NOT NULL,               -- its uid in the mailbox here, as last known
    flags INTEGER NOT NULL,               -- those both sides had last
    mark INTEGER NOT NULL, size INTEGER NOT NULL,  -- what it is known again by: a hash of its header, its size there
    apart INTEGER NOT NULL,               -- 1: what happens to it on one side is nothing to the other
    lost INTEGER,                         -- since when it is not there, in seconds since 1970
    sender TEXT NOT NULL, subject INTEGER NOT NULL, date INTEGER NOT NULL
);
CREATE UNIQUE INDEX remote_message_uid ON remote_message (folder, uid);
CREATE INDEX remote_message_local ON remote_message (folder, local);
CREATE INDEX remote_message_mark ON remote_message (mark);
CREATE INDEX remote_message_message ON remote_message (message);
CREATE INDEX remote_message_sender ON remote_message (sender, folder);
CREATE INDEX remote_message_subject ON remote_message (folder, subject, date);
"""


def m020_remote(db: sqlite3.Connection) -> None:
    """What is in step with mailboxes elsewhere."""
    _apply(db, _REMOTE)


_ROUTES = """
ALTER TABLE triage_job ADD COLUMN mailbox INTEGER;  -- where it was delivered
ALTER TABLE triage_job ADD COLUMN uid INTEGER;
CREATE TABLE routed (  -- what routes of gk.toml made of messages
    account INTEGER NOT NULL, message INTEGER NOT NULL, route TEXT NOT NULL, folder TEXT NOT NULL,
    flags TEXT NOT NULL, priority INTEGER NOT NULL, PRIMARY KEY (account, message)
) WITHOUT ROWID;
CREATE INDEX routed_message ON routed (message);
"""


def m021_routes(db: sqlite3.Connection) -> None:
    """Where mail that is to be judged was delivered, and what routes made of it."""
    _apply(db, _ROUTES)


MIGRATIONS: list[Callable[[sqlite3.Connection], None]] = [
    m001_first, m002_imap, m003_tls, m004_outgoing, m005_sending, m006_verdicts,
    m007_forwards, m008_rules, m009_lessons, m010_reports, m011_removes, m012_abuse,
    m013_ledger, m014_triage, m015_models, m016_replies, m017_talks, m018_activity, m019_reply_states,
    m020_remote, m021_routes,
]  # fmt: skip
VERSION = len(MIGRATIONS)
