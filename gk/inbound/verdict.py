"""What was decided about a message on its way in, with the evidence: a value, made by the judge, obeyed by `accept`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gk.errors import Refused, Unavailable
from gk.inbound.spam.scan import Scan

Action = Literal["accept", "junk", "refuse", "defer"]

FINDINGS, TEXT, ANSWER = 100, 300, 500  # findings of one verdict, and characters of their texts


class RefusedByVerdict(Refused):
    """The message is not taken; `reply` is what SMTP says, code and enhanced code first."""

    def __init__(self, reply: str) -> None:
        super().__init__(reply)
        self.reply = reply


class DeferredByVerdict(Unavailable):
    """The message is to be sent again later; `reply` as above."""

    def __init__(self, reply: str) -> None:
        super().__init__(reply)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that led to a verdict.

    `score` is what the rule adds towards junk; `where` is (offset, length) in the message as it came; `asked` is a
    name and type of the DNS, and `answer` what it said.
    """

    rule: str
    text: str = ""
    score: float = 0.0
    where: tuple[int, int] | None = None
    asked: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens to a message. `reply` is SMTP's where it is refused or deferred; `fields` are to stand above it.

    `results` are those of the authentication methods, as Authentication-Results has them: method → (result, …);
    `scan` is what was seen in the message, for those who decide for one user; `told` are fields that stand above it
    in mailboxes here, and nowhere else.
    """

    action: Action = "accept"
    reply: str = ""
    fields: bytes = b""
    findings: tuple[Finding, ...] = ()
    score: float = 0.0
    results: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scan: Scan | None = None
    told: bytes = b""

    def evidence(self, above: int) -> dict[str, Any]:
        """The verdict as plain values, to be kept with the message; `above`: octets that now stand before it."""
        findings = [
            {
                "rule": f.rule,
                "score": f.score,
                "text": f.text[:TEXT],
                "where": [f.where[0] + above, f.where[1]] if f.where else None,
                "asked": f.asked[:TEXT],
                "answer": f.answer[:ANSWER],
            }
            for f in self.findings[:FINDINGS]
        ]
        results = {method: list(found) for method, found in self.results.items()}
        return {"action": self.action, "score": self.score, "results": results, "findings": findings}


UNJUDGED = Verdict()


def forged(results: Mapping[str, Sequence[str]]) -> bool:
    """Whether the sender seems not to be who it says: an answer would go to somebody else."""
    dmarc, spf = results.get("dmarc", ()), results.get("spf", ())
    return "fail" in dmarc or ("pass" not in dmarc and bool({"fail", "softfail"} & set(spf)))
