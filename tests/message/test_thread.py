"""Message ids (RFC 5322 section 3.6.4) and base subjects (RFC 5256 section 2.1)."""

import pytest

from gk.message.thread import base_subject, message_ids


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        (b"<a@b>", [b"<a@b>"]),
        (b"<a@b> <c@d>\r\n\t<a@b>", [b"<a@b>", b"<c@d>"]),
        (b"<a@b><c@d>", [b"<a@b>", b"<c@d>"]),
        (b"Your message of Tue <a@b>", [b"<a@b>"]),
        (b"<a @ b>", [b"<a@b>"]),
        (b"bare@id", [b"<bare@id>"]),
        (b"two words", []),
        (b"<two words>", []),
        (b"", []),
        (b"<>", []),
        (b"<open", []),
        (b"<" + b"x" * 2_000 + b">", []),
    ],
)
def test_ids_keep_their_brackets(value: bytes, ids: list[bytes]) -> None:
    assert message_ids(value) == ids


def test_of_too_many_ids_the_root_and_the_nearest_stay() -> None:
    value = b" ".join(b"<%d@x>" % number for number in range(100_000))
    found = message_ids(value)
    assert len(found) == 50
    assert found[0] == b"<0@x>" and found[1] == b"<99951@x>" and found[-1] == b"<99999@x>"
    assert message_ids(value, 1) == [b"<0@x>"]


@pytest.mark.parametrize(
    ("subject", "base"),
    [
        ("Hello", "hello"),
        ("Re: Hello", "hello"),
        ("RE:  Hello \t there ", "hello there"),
        ("Re: Fwd: [list] Re[2]: Hello (fwd) (fwd)", "hello"),
        ("[list] Hello", "hello"),
        ("[only a blob]", "[only a blob]"),
        ("[a] [b]", "[b]"),
        ("[Fwd: Re: Hello]", "hello"),
        ("fwd: [fwd: [fwd: Hello]]", "hello"),
        ("AW: WG: Hallo", "hallo"),
        ("TR: Réunion", "réunion"),
        ("Re : Réunion", "réunion"),
        ("Re:", ""),
        ("", ""),
        ("Regarding: this", "regarding: this"),
    ],
)
def test_replies_and_forwards_share_a_base_subject(subject: str, base: str) -> None:
    assert base_subject(subject) == base


def test_the_base_of_a_base_subject_is_itself() -> None:
    for subject in ("Re: " * 5_000 + "x", "[a]" * 5_000, "[fwd: " * 5_000, "(fwd)" * 5_000, "[" * 5_000):
        base = base_subject(subject)
        assert base_subject(base) == base
