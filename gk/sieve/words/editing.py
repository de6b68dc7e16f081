"""Changing the header: addheader, deleteheader (RFC 5293)."""

import re
from dataclasses import replace

from gk.message import compose
from gk.sieve.compilation import Compilation
from gk.sieve.errors import RunError, SieveError
from gk.sieve.grammar import INDEX, MATCH, STRING, STRINGS, Action, Bound, Tag, command
from gk.sieve.mail import Field
from gk.sieve.run import EDITS, Run
from gk.sieve.words.header import chosen, field_names, position

_NAME = re.compile(r"[!-9;-~]{1,76}")
# What GK itself says of the way a message took, and what RFC 5293 §6 protects from removal.
_OURS = frozenset({"return-path", "delivered-to", "authentication-results"})
_KEPT = _OURS | {"received", "auto-submitted"}
_BREAKS = re.compile(r"[ \t]*[\r\n]+[ \t]*")
VALUE = 4096  # characters


@command("addheader", (STRING, STRING), tags={"last": Tag("last")}, needs="editheader")
def addheader(unit: Compilation, bound: Bound) -> Action:
    """Add a field at the top of the header, or with :last at its end (RFC 5293 §4)."""
    name, value = unit.text(bound.string(0)), unit.text(bound.string(1))
    last = "last" in bound.tags
    if name.constant is not None and not _NAME.fullmatch(name.constant):
        raise SieveError(name.piece.place, "this can be no name of a header field")

    def act(run: Run) -> None:
        run.act()
        written = name.of(run)
        if not _NAME.fullmatch(written):
            raise RunError("addheader: the name of the field is not allowed")
        if written.lower() in _OURS:
            return  # RFC 5293 §6: not an error
        edits = run.edits
        if len(edits.first) + len(edits.last) >= EDITS:
            raise RunError(f"more than {EDITS} fields added")
        text = compose.clean(_BREAKS.sub(" ", value.of(run)))[:VALUE]
        whole = compose.field(written, text)
        field = Field(written.lower(), whole.partition(b":")[2], None)
        if last:
            run.set_fields((*run.fields, field), replace(edits, last=(*edits.last, whole)))
        else:
            run.set_fields((field, *run.fields), replace(edits, first=(whole, *edits.first)))

    return act


@command("deleteheader", (STRING,), (STRING, STRINGS), tags=MATCH | INDEX, needs="editheader")
def deleteheader(unit: Compilation, bound: Bound) -> Action:
    """Remove the fields of a name, or those whose value matches (RFC 5293 §5)."""
    (name,) = field_names(unit, [bound.string(0)])
    index, last = position(bound)
    matcher = unit.matcher(bound, bound.strings(1), remember=False) if len(bound.values) == 2 else None
    if matcher is None and ("match" in bound.tags or "comparator" in bound.tags):
        raise SieveError(bound.place, "a match type needs values to match")

    def act(run: Run) -> None:
        run.act()
        folded = name.of(run).lower()
        if folded in _KEPT:
            return  # RFC 5293 §6: not an error
        fields = run.named(folded)
        run.spend(1 + len(fields))
        if index:
            fields = chosen(run, [name], index, last)
        gone = [field for field in fields if matcher is None or matcher.holds(run, [field.text])]
        if gone:
            _remove(run, gone)

    return act


def _remove(run: Run, gone: list[Field]) -> None:
    before, edits = run.fields, run.edits
    out = set(map(id, gone))
    # What was added stands before or behind all that came: by place its bytes are found again.
    first, last = before[: len(edits.first)], before[len(before) - len(edits.last) :]
    kept_first = tuple(raw for field, raw in zip(first, edits.first, strict=True) if id(field) not in out)
    kept_last = tuple(raw for field, raw in zip(last, edits.last, strict=True) if id(field) not in out)
    removed = edits.removed | {field.place for field in gone if field.place is not None}
    after = tuple(field for field in before if id(field) not in out)
    run.set_fields(after, replace(edits, removed=removed, first=kept_first, last=kept_last))
