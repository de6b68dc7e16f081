"""What is around the message: mailboxexists (RFC 5490), specialuse_exists (RFC 8579), environment (RFC 5183)."""

from gk.sieve.compilation import Compilation
from gk.sieve.grammar import MATCH, STRING, STRINGS, Bound, Test, test
from gk.sieve.run import Run

OURS = "vnd.gk."  # what begins the names of items only GK has (RFC 5183 §3)
LOOKUP = 20  # units a look at the mailboxes costs


@test("mailboxexists", (STRINGS,), needs="mailbox")
def mailboxexists(unit: Compilation, bound: Bound) -> Test:
    """Whether all of these mailboxes are there (RFC 5490 §3.1)."""
    names = unit.texts(bound.strings(0))

    def holds(run: Run) -> bool:
        for name in names:
            run.spend(LOOKUP)
            if not run.around.mailbox_exists(name.of(run)):
                return False
        return True

    return holds


@test("specialuse_exists", (STRINGS,), (STRING, STRINGS), needs="special-use")
def specialuse_exists(unit: Compilation, bound: Bound) -> Test:
    """Whether mailboxes with all of these uses are there, or one mailbox with all of them (RFC 8579 §3)."""
    mailbox = unit.text(bound.string(0)) if len(bound.values) == 2 else None
    uses = unit.texts(bound.strings(-1))

    def holds(run: Run) -> bool:
        run.spend(LOOKUP)
        name = mailbox.of(run) if mailbox is not None else None
        return run.around.special_use_exists(name, tuple(use.of(run) for use in uses))

    return holds


@test("environment", (STRING, STRINGS), tags=MATCH, needs="environment")
def environment(unit: Compilation, bound: Bound) -> Test:
    """Whether something known of this server matches (RFC 5183 §4); what is not known matches nothing."""
    name, matcher = unit.text(bound.string(0)), unit.matcher(bound, bound.strings(1))
    if name.constant is None or name.constant.lower().startswith(OURS):
        unit.asks_verdict = True

    def holds(run: Run) -> bool:
        value = run.around.environment.get(name.of(run).lower())
        return value is not None and matcher.holds(run, [value])

    return holds
