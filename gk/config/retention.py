"""The table about how long things are kept."""

from dataclasses import dataclass

from gk.config.key import key


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept, in days; 0: for good. Looked after once an hour."""

    trash: int = key(0, "Messages in Trash, since they came there.", least=0)
    junk: int = key(0, "Messages in Junk, since they came there.", least=0)
    replies: int = key(400, "What became of mail that could be answered by GK.", least=0)
    conversations: int = key(30, "Talks with the assistant, and what it did.", least=0)
    backups: int = key(30, "Copies of the database that are made before it is migrated.", least=0)
