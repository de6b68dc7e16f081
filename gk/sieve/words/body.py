"""The body test (RFC 5173)."""

from gk.sieve.compilation import Compilation
from gk.sieve.grammar import MATCH, STRINGS, Bound, Tag, Test, test
from gk.sieve.run import UNIT, Run

_TRANSFORM = {"raw": Tag("transform"), "text": Tag("transform"), "content": Tag("transform", STRINGS)}


@test("body", (STRINGS,), tags=MATCH | _TRANSFORM, needs="body")
def body(unit: Compilation, bound: Bound) -> Test:
    """Whether the content, or a part of it, matches. It never sets match variables (RFC 5173 §6)."""
    unit.looks_at_body = True
    transform = bound.tag("transform") or "text"
    types = tuple(_type(unit.constant(piece, "a type")) for piece in bound.tagged_list("transform"))
    matcher = unit.matcher(bound, bound.strings(0), remember=False)

    def holds(run: Run) -> bool:
        texts = run.mail.body(transform, types)
        run.spend(sum(map(len, texts)) // (16 * UNIT) + len(texts))
        return matcher.holds(run, texts)

    return holds


def _type(text: str) -> str:
    """A type as the parts name theirs; what RFC 5173 §5.2 calls invalid matches nothing."""
    text = text.lower()
    if text.startswith("/") or text.endswith("/") or text.count("/") > 1:
        return "//"
    return text
