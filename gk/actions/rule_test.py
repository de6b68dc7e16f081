"""rule_test: what rules and the script would do with a message, without doing it."""

from dataclasses import dataclass, replace

from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.whose import whose
from gk.errors import LimitReached, Refused
from gk.inbound.programs import Programs
from gk.inbound.surroundings import Around, environment
from gk.inbound.trace import Client
from gk.inbound.verdict import Verdict
from gk.message.address import Address, AddressError, parse_address
from gk.sieve.errors import SieveError
from gk.sieve.mail import Mail
from gk.sieve.rules.value import RuleError

LARGEST = 8 << 20  # octets of a message that is looked at
PIECE = 256 << 10  # octets taken at once

_NOBODY = Client("", "", True, None, False)


@dataclass(frozen=True, slots=True)
class Input:
    address: str = ""
    sender: str = ""
    recipient: str = ""
    script: str | None = None


@dataclass(frozen=True, slots=True)
class Filed:
    mailbox: str
    flags: list[str]


@dataclass(frozen=True, slots=True)
class Step:
    program: str
    line: int
    text: str
    result: bool


@dataclass(frozen=True, slots=True)
class Output:
    filed: list[Filed]
    redirected: list[str]
    rejected: str | None
    answered: str | None
    error: str | None
    steps: list[Step]


@action("rule_test", scope="read")
async def rule_test(context: Context, input: Input) -> Output:
    """Say what an account's rules and active script would do with the message that is attached; nothing is done.

    `script` is tried instead of them. `sender` and `recipient` are the envelope's: without, nobody and the account.
    """
    account = whose(context, input.address)
    content = await _taken(context)
    if b"\r\n" not in content:
        content = content.replace(b"\n", b"\r\n")
    sender = _address(input.sender) if input.sender else None
    recipient = _address(input.recipient or account.address)
    filing = context.store.scripts.filing(account.id)
    if input.script is not None:
        filing = replace(filing, rules=(), script=input.script)
    programs = Programs(context.store.limits.script_bytes)
    try:
        found = await programs.of(account.id, filing)
    except (SieveError, RuleError) as error:
        raise Refused(str(error)) from None
    around = Around(context.store, account.id, environment(context.names.offer.hostname, _NOBODY, Verdict()))
    outcome = await programs.run(found, Mail(content, sender=sender, recipient=recipient), around)
    return Output(
        [Filed(filing.mailbox, list(filing.flags)) for filing in outcome.filings],
        [redirect.address for redirect in outcome.redirects],
        outcome.reject.reason if outcome.reject else None,
        outcome.vacation.reason if outcome.vacation else None,
        f"{outcome.program}: {outcome.error}" if outcome.error else None,
        [Step(step.program, step.line, step.text, step.result) for step in outcome.trace],
    )


async def _taken(context: Context) -> bytes:
    pieces: list[bytes] = []
    while piece := await context.attached.take(PIECE):
        pieces.append(piece)
        if sum(map(len, pieces)) > LARGEST:
            raise LimitReached(f"a message to try has at most {LARGEST:,} bytes")
    return b"".join(pieces)


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except AddressError as error:
        raise Refused(f"{text!r} is not an address: {error}") from None
