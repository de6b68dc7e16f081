"""Which recipients a sender is told about, and the report that tells (RFC 3461 §4.1, §6, RFC 3464)."""

from collections.abc import Sequence
from dataclasses import dataclass

from gk.message.dsn import Action, Failure, report
from gk.store.outgoing import Claim, ClaimedRecipient


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one recipient, as its sender may hear it."""

    recipient: ClaimedRecipient
    action: Action
    status: str
    remote: str | None
    text: str


def wanted(notify: str | None, action: Action) -> bool:
    """Whether NOTIFY asks for this: failures unless said otherwise, delays too, success only when asked."""
    asked = {"failed": "FAILURE", "delayed": "DELAY", "delivered": "SUCCESS", "relayed": "SUCCESS"}[action]
    if notify is None:
        return asked in ("FAILURE", "DELAY")
    return asked in notify.upper().split(",")


def write(hostname: str, claim: Claim, told: Sequence[Told], content: bytes, now: float) -> bytes | None:
    """The report to the sender of `claim`, None where nobody wants one or there is nobody to tell."""
    if not claim.sender:
        return None  # never about a report: RFC 5321 §6.1
    failures = [
        Failure(t.recipient.address, t.recipient.orcpt, t.action, t.status, t.remote, t.text)
        for t in told
        if wanted(t.recipient.notify, t.action)
    ]
    if not failures:
        return None
    full = content if claim.ret == "FULL" and any(f.action == "failed" for f in failures) else None
    return report(
        hostname=hostname,
        to=claim.sender,
        original_headers=content[: content.find(b"\r\n\r\n") + 2],
        failures=failures,
        envid=claim.envid,
        arrived=int(claim.created),
        now=int(now),
        ret_full=full,
    )
