"""What a look at the DNS found: one value for each thing looked at."""

from dataclasses import dataclass
from typing import Literal

from gk.mailauth.asking import shown
from gk.mailauth.records import Record

Status = Literal["ok", "wrong", "advice", "unknown", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`fix` is one sentence, "" where all is well; `found` are strangers' words, clipped. `domain` "": the server's."""

    domain: str
    kind: str
    name: str
    type: str
    status: Status
    found: tuple[str, ...] = ()
    fix: str = ""


def finding(domain: str, record: Record, status: Status, found: list[str], fix: str = "") -> Finding:
    """What was found where `record` is wanted."""
    return Finding(domain, record.kind, record.name, record.type, status, shown(found), fix)


def missing(record: Record) -> Status:
    """How bad it is that the record is not there."""
    return "wrong" if record.need == "required" else "advice"
