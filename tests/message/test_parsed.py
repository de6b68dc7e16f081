"""What a delivery stores (one scan, one value)."""

from gk.message.envelope import envelope
from gk.message.parsed import parse
from gk.message.scan import scan
from gk.message.structure import bodystructure, dump
from tests.message.messages import eml, mime, samples


def test_everything_stored_comes_from_one_scan() -> None:
    for name in samples():
        raw = eml(name)
        part = scan(raw)
        found = parse(raw)
        assert found.envelope == envelope(raw, part)
        assert found.bodystructure == bodystructure(raw, part)
        assert found.parts == dump(part)
        assert found.header == raw[: part.body]
        assert found.tree == part


def test_threading_and_loops_can_be_judged_from_it() -> None:
    found = parse(eml("single"))
    assert found.message_id == b"<single@example.org>"
    assert found.references == (b"<root@example.com>", b"<parent@example.com>")
    assert found.received == 2
    assert found.subject == "Plain and folded"
    assert found.date == b"Fri, 20 Nov 2026 11:00:00 +0100"
    assert parse(eml("alternative")).subject == "Réunion de mardi"


def test_an_empty_message_has_empty_values() -> None:
    found = parse(b"")
    assert found.message_id is None
    assert (found.references, found.received, found.subject, found.header) == ((), 0, "", b"")


def test_at_most_twenty_references_are_kept() -> None:
    ids = " ".join(f"<{number}@x>" for number in range(100))
    found = parse(mime(f"References: {ids}", "In-Reply-To: <parent@x>", ""))
    assert len(found.references) == 20
    assert found.references[0] == b"<0@x>"
    assert found.references[-2:] == (b"<99@x>", b"<parent@x>")
    assert len(parse(mime(f"In-Reply-To: {ids}", "")).references) == 20
