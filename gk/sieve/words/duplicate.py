"""duplicate: whether a message like this one came before (RFC 7352)."""

import hashlib

from gk.sieve.compilation import Compilation
from gk.sieve.errors import SieveError
from gk.sieve.grammar import NUMBER, STRING, Bound, Tag, Test, test
from gk.sieve.outcome import Remembered
from gk.sieve.run import Run
from gk.sieve.strings import Text
from gk.sieve.words.header import field_names

PERIOD = 7 * 86_400  # seconds, where the script names none
LONGEST = 90 * 86_400
LOOKUP = 20  # units a look at what is remembered costs

_TAGS = {
    "handle": Tag("handle", STRING),
    "header": Tag("id", STRING),
    "uniqueid": Tag("id", STRING),
    "seconds": Tag("seconds", NUMBER),
    "last": Tag("last"),
}


@test("duplicate", tags=_TAGS, needs="duplicate")
def duplicate(unit: Compilation, bound: Bound) -> Test:
    """By its Message-ID, another field or a text; remembered if the script ends well."""
    named = bound.tagged("handle")
    handle = unit.text(named) if named is not None else None
    piece = bound.tagged("id")
    unique = unit.text(piece) if piece is not None and bound.tag("id") == "uniqueid" else None
    field: Text | None = None
    if piece is not None and unique is None:
        (field,) = field_names(unit, [piece])
    seconds, renew = bound.number("seconds", PERIOD), "last" in bound.tags
    if "seconds" in bound.tags and not seconds:
        raise SieveError(bound.tags["seconds"][2], "a duplicate is remembered for a second at least")

    def holds(run: Run) -> bool:
        run.spend(LOOKUP)
        if unique is not None:
            kind, text = "uniqueid", unique.of(run)
        else:
            kind = field.of(run).lower() if field is not None else "message-id"
            found = run.named(kind)
            if not found or not found[0].text:
                return False  # RFC 7352 §3: without the field there is nothing to compare
            text = found[0].text
        own = handle.of(run) if handle is not None else ""
        id = hashlib.sha256(f"{kind}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()
        known = any(item.handle == own and item.id == id for item in run.remembered)
        run.act()
        run.remembered.append(Remembered(own, id, min(seconds, LONGEST), renew))
        return not known and run.around.is_duplicate(own, id)

    return holds
