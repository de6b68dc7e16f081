"""`$` names the messages that were saved, as long as they are there (RFC 5182)."""

import os
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gk.imap.grammar import BadSyntax, Cursor, SequenceSet
from gk.imap.view import View
from gk.store.values import Added, Expunged
from tests.imap.test_view import opened

EXAMPLES = 10_000 if os.environ.get("GK_FUZZ") else 300
SAVED = SequenceSet((), saved=True)


def test_a_dollar_is_a_whole_sequence_set() -> None:
    assert Cursor(b"$").sequence_set() == SAVED
    for text in (b"$,1", b"1,$", b"1:$", b"$:4"):
        with pytest.raises(BadSyntax):
            cursor = Cursor(text)
            cursor.sequence_set()
            cursor.end()


@settings(max_examples=EXAMPLES)
@given(st.sets(st.integers(1, 40)), st.sets(st.integers(1, 40)), st.booleans())
def test_it_names_what_was_saved_and_not_told_as_expunged(saved: set[int], gone: set[int], told: bool) -> None:
    snapshot = opened(40)
    view = View(snapshot, read_only=False)
    view.saved = array("I", sorted(saved))
    if gone:
        snapshot.apply(Expunged(1, 1, array("I", sorted(gone)), 2))
    snapshot.apply(Added(1, 1, array("I", [41]), array("I", [0]), 3))
    if told:
        b"".join(view.news())
    known = [uid for uid in range(1, 41) if not (told and uid in gone)]
    expected = [number for number, uid in enumerate(known, 1) if uid in saved]
    for by_uid in (False, True):
        numbers = view.select(SAVED, by_uid=by_uid)
        assert numbers is not None and list(numbers) == expected
        assert list(view.uids(numbers)) == [known[n - 1] for n in expected]


def test_nothing_saved_names_nothing_even_in_an_empty_mailbox() -> None:
    view = View(opened(), read_only=False)
    assert list(view.select(SAVED, by_uid=False) or ()) == []
    assert view.select(SAVED, by_uid=False) is not None
