"""The domain errors; endpoints translate them into their protocol's words.

GkError
├── ConfigError          the configuration or the data directory must be mended first (exit 78)
│   ├── InUse            another process has the data directory
│   └── BrokenDatabase   the database cannot be read; the message files can
├── Unavailable          try again later: 4xx, NO [UNAVAILABLE], exit 75
│   ├── ReadOnly         a write or sync failed with an I/O error; until restart nothing more is written
│   ├── DiskFull         less free space than the floor
│   └── Overloaded       a bounded queue is full
├── Refused              this request is not allowed or makes no sense: 5xx, NO, exit 1
│   ├── OverQuota            the account has as much mail as it may have: 452 4.2.2, NO [OVERQUOTA]
│   ├── NoSuchMailbox, MailboxExists, BadName, NoSuchAccount, AccountExists, NoSuchQueueItem
│   ├── NoSuchScript, ScriptExists, ScriptActive
│   ├── Suppressed           a recipient is on the list of those nothing is sent to
│   └── LimitReached         a number of SECURITY limits was reached
│       └── SendingLimit     the account sent as much today as it may: 452 4.7.1
├── LoginFailed          wrong name or password, never which of them
└── LoginDelayed         too many failures from there: refused unseen
"""


class GkError(Exception):
    """Anything GK says about its own rules; `str()` is one line fit for a person."""


class ConfigError(GkError):
    """The configuration or the data directory must be mended before GK can run."""


class InUse(ConfigError):
    """Another process has the data directory."""


class BrokenDatabase(ConfigError):
    """The database cannot be read; it is rebuilt from the message files."""


class Unavailable(GkError):
    """Nothing was done; the same request may succeed later."""


class ReadOnly(Unavailable):
    """The store met an I/O error and writes nothing more until it is restarted."""


class DiskFull(Unavailable):
    """Free space is below the floor."""


class Overloaded(Unavailable):
    """A bounded queue is full."""


class Refused(GkError):
    """The request cannot be granted, now or later."""


class NoSuchMailbox(Refused):
    """No mailbox of that name."""


class MailboxExists(Refused):
    """A mailbox of that name is there already."""


class BadName(Refused):
    """A mailbox name, keyword or address that cannot be used."""


class NoSuchAccount(Refused):
    """No account of that address."""


class AccountExists(Refused):
    """An account of that address is there already."""


class NoSuchQueueItem(Refused):
    """No message of that id in the outgoing queue."""


class NoSuchScript(Refused):
    """The account has no Sieve script of that name."""


class ScriptExists(Refused):
    """A Sieve script of that name is there already."""


class ScriptActive(Refused):
    """The Sieve script decides about mail; it cannot go while it does."""


class OverQuota(Refused):
    """The account has no room for that much mail; room is made by deleting."""


class LimitReached(Refused):
    """One of the limits was reached."""


class SendingLimit(LimitReached):
    """The account sent as much today as it may; `limit` is the key of the configuration."""

    def __init__(self, text: str, limit: str) -> None:
        super().__init__(text)
        self.limit = limit


class Suppressed(Refused):
    """A recipient is on the list of those nothing is sent to."""


class LoginFailed(GkError):
    """Unknown user or wrong password: the same error, words and time for both."""


class LoginDelayed(GkError):
    """Too many failed logins; this one was not looked at."""
