"""Which recipients a sender is told about, and the report that tells (RFC 3461 §4.1, §6, RFC 3464)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gk.message.dsn import Action, Failure, report
from gk.outbound.answer import Answer
from gk.store.outgoing import Unwanted
from gk.store.queued import Claim, ClaimedRecipient

RETURN_PATH = b"Return-Path: <>\r\n"  # of a report that is delivered here (RFC 5321 §4.4, RFC 3464 §2)

# Not 5.1.7 to 5.1.9: they say something of the sender or of the relay, and would empty a whole list.
NO_ADDRESS = frozenset(("5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.6", "5.1.10"))

_ENHANCED = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b", re.ASCII)


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


def asked(claim: Claim, told: Sequence[Told]) -> list[Told]:
    """Those the sender wants to hear of; none where there is no sender: never about a report (RFC 5321 §6.1)."""
    return [t for t in told if wanted(t.recipient.notify, t.action)] if claim.sender else []


def write(hostname: str, claim: Claim, told: Sequence[Told], content: bytes, now: float) -> bytes:
    """The report to the sender of `claim`. Raises ComposeError."""
    end = content.find(b"\r\n\r\n")
    failed = any(t.action == "failed" for t in told)
    return RETURN_PATH + report(
        hostname=hostname,
        to=claim.sender,
        original_headers=content[: end + 2] if end >= 0 else content,
        failures=[Failure(t.recipient.address, t.recipient.orcpt, t.action, t.status, t.remote, t.text) for t in told],
        envid=claim.envid,
        arrived=int(claim.created),
        now=int(now),
        ret_full=content if claim.ret == "FULL" and failed else None,  # RFC 3461 §4.3: of failures only
    )


def unwanted(claim: Claim, answers: Sequence[Answer]) -> list[Unwanted]:
    """Recipients of bulk mail whose address is none (RFC 3463 §3.2), which their server says for good."""
    if not claim.bulk or claim.account is None:
        return []
    found = []
    for recipient, answer in zip(claim.recipients, answers, strict=True):
        if answer.permanent and status(answer, "5.0.0") in NO_ADDRESS:
            found.append((claim.account, recipient.address, said(answer)))
    return found


def status(answer: Answer, otherwise: str) -> str:
    """The enhanced code of a reply, where it has one of the right class (RFC 2034 §4)."""
    found = _ENHANCED.match(answer.text)
    return found[1] if found and found[1][0] == otherwise[0] else otherwise


def said(answer: Answer) -> str:
    """The reply with its code, as the queue and the reports show it."""
    return f"{answer.code} {answer.text}".rstrip() if answer.code else answer.text
