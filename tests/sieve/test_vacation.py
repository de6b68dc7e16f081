"""vacation as a decision (RFC 5230, RFC 6131), duplicate (RFC 7352), and the header edited (RFC 5293)."""

import pytest

from gk.sieve.edit import edited
from gk.sieve.outcome import Vacation
from tests.sieve.running import MAIL, Around, holds, refused, run

DAY = 86_400


def vacation(script: str) -> Vacation:
    outcome = run(f'require ["vacation", "vacation-seconds", "variables"]; {script}')
    assert outcome.vacation is not None, outcome.error
    assert [filing.mailbox for filing in outcome.filings] == ["INBOX"]  # it cancels nothing
    return outcome.vacation


def test_an_answer_has_all_that_was_said() -> None:
    script = """if header :matches "subject" "*" { set "s" "Re: ${1}"; }
    vacation :days 3 :subject "${s}" :from "Bob <bob@example.net>" :addresses ["b@example.net", "c@example.net"]
             :handle "h" :mime "Content-Type: text/plain\r\n\r\nAway";"""
    assert vacation(script) == Vacation(
        reason="Content-Type: text/plain\r\n\r\nAway",
        handle="h",
        seconds=3 * DAY,
        subject="Re: [Lists] Hello André",
        sender="Bob <bob@example.net>",
        addresses=("b@example.net", "c@example.net"),
        mime=True,
    )


@pytest.mark.parametrize(
    ("period", "seconds"),
    [
        ("", 7 * DAY),
        (":days 0", DAY),
        (":days 1", DAY),
        (":days 10000", 365 * DAY),
        (":seconds 0", 0),
        (":seconds 90", 90),
        (":seconds 4G", 365 * DAY),
    ],
)
def test_periods_are_bounded(period: str, seconds: int) -> None:
    assert vacation(f'vacation {period} "Away";').seconds == seconds


def test_answers_that_say_something_else_have_another_handle() -> None:
    handles = {
        vacation(script).handle
        for script in (
            'vacation "a";', 'vacation "b";', 'vacation :subject "b" "a";', 'vacation :mime "a";',
            'vacation :from "a@b.c" "a";', 'vacation :handle "x" "a";', 'vacation :handle "x" "b";',
        )
    }  # fmt: skip
    assert len(handles) == 6
    assert vacation('vacation "a";').handle == vacation('vacation :days 3 :addresses "a@b.c" "a";').handle


def test_one_vacation_runs() -> None:
    outcome = run('require "vacation"; vacation "a"; vacation "b";')
    assert outcome.error == "line 1: a second vacation" and outcome.vacation is None
    assert run('require ["vacation", "reject"]; vacation "a"; reject "b";').error is not None


def test_arguments_are_checked() -> None:
    assert "this is no address" in refused('require "vacation"; vacation :from "nobody" "a";')
    assert 'needs require "vacation-seconds"' in refused('require "vacation"; vacation :seconds 5 "a";')
    assert "beside" in refused('require ["vacation", "vacation-seconds"]; vacation :days 5 :seconds 5 "a";')


# --- duplicate --------------------------------------------------------------------------------------------------------


def known(test: str, **more: object) -> frozenset[tuple[str, str]]:
    outcome = run(f'require ["duplicate", "variables"]; if {test} {{}}', **more)  # type: ignore[arg-type]
    return frozenset((item.handle, item.id) for item in outcome.remembered)


def test_a_message_is_a_duplicate_of_what_has_its_id() -> None:
    seen = known("duplicate")
    assert len(seen) == 1
    assert not holds("duplicate", "duplicate")
    assert holds("duplicate", "duplicate", around=Around(seen=seen))
    assert not holds('duplicate :handle "x"', "duplicate", around=Around(seen=seen))
    assert holds('duplicate :header "Message-ID"', "duplicate", around=Around(seen=seen))
    assert not holds('duplicate :uniqueid "<1@example.org>"', "duplicate", around=Around(seen=seen))
    assert known('duplicate :header "x-none"') == frozenset()
    assert known("duplicate", mail=b"Subject: x\r\n\r\n") == frozenset()


def test_what_is_remembered_says_for_how_long() -> None:
    outcome = run('require "duplicate"; if anyof (duplicate :seconds 90 :last :handle "h", duplicate) {}')
    assert [(item.handle, item.seconds, item.renew) for item in outcome.remembered] == [
        ("h", 90, True), ("", 7 * DAY, False),
    ]  # fmt: skip
    assert "cannot stand beside" in refused('require "duplicate"; if duplicate :header "a" :uniqueid "b" {}')


def test_a_script_that_fails_remembers_nothing() -> None:
    outcome = run('require ["duplicate", "variables"]; if duplicate {} redirect "${x}";')
    assert outcome.error is not None and outcome.remembered == ()


# --- editheader -------------------------------------------------------------------------------------------------------


def header(script: str, mail: bytes = MAIL) -> bytes:
    """The header a script leaves, of the message it keeps."""
    outcome = run(f'require ["editheader", "index", "variables", "fileinto", "copy"]; {script}', mail)
    assert outcome.error is None, outcome.error
    return edited(mail, outcome.filings[-1].edits).partition(b"\r\n\r\n")[0]


def test_fields_are_added_at_the_top_and_at_the_end() -> None:
    lines = header('addheader "X-A" "1"; addheader "X-B" "2"; addheader :last "X-C" "3"; addheader :last "X-D" "é";')
    assert lines.startswith(b"X-B: 2\r\nX-A: 1\r\nReceived: ")
    assert lines.endswith(b"X-Spam-Score: 12\r\nX-C: 3\r\nX-D: =?utf-8?b?w6k=?=")


def test_the_size_is_that_of_the_message_as_edited() -> None:
    size = len(MAIL)
    for command, wanted in (
        ('addheader "X-A" "1";', size + 8), ('deleteheader "X-Empty";', size - 10), ("", size),
        ('addheader "X-A" "1"; deleteheader "X-A";', size),
    ):  # fmt: skip
        tests = f"size :over {wanted - 1}, size :under {wanted + 1}"
        assert run(f'require "editheader"; {command} if allof ({tests}) {{ discard; }}').filings == (), command


def test_an_added_field_is_one_field() -> None:
    assert header('addheader "X-A" "1\r\nX-Evil: 2\r\n\r\nbody";').startswith(b"X-A: 1 X-Evil: 2 body\r\nReceived")
    assert "no name of a header field" in refused('require "editheader"; addheader "X A" "x";')
    assert not header('addheader "Delivered-To" "x"; addheader "Return-Path" "x";').startswith((b"Del", b"Ret"))
    outcome = run('require ["editheader", "variables"]; set "a" "X:"; addheader "${a}" "x";')
    assert outcome.error == "line 1: addheader: the name of the field is not allowed"


@pytest.mark.parametrize(
    ("script", "left"),
    [
        ('deleteheader "x-many";', []),
        ('deleteheader :index 2 "X-Many";', [b"one", b"three"]),
        ('deleteheader :index 1 :last "x-many";', [b"one", b"two"]),
        ('deleteheader :contains "x-many" "o";', [b"three"]),
        ('deleteheader :index 1 :contains "x-many" "t";', [b"one", b"two", b"three"]),
        ('deleteheader :matches "x-many" ["t*", "x"];', [b"one"]),
        ('deleteheader "x-none";', [b"one", b"two", b"three"]),
        ('addheader "X-Many" "zero"; deleteheader :index 2 "X-Many";', [b"zero", b"two", b"three"]),
        ('addheader "X-Many" "zero"; deleteheader :index 1 "X-Many";', [b"one", b"two", b"three"]),
        (
            'addheader :last "X-Many" "4"; addheader "X-Many" "0"; deleteheader "X-Many" ["0", "4", "two"];',
            [b"one", b"three"],
        ),
    ],
)  # fmt: skip
def test_fields_are_removed(script: str, left: list[bytes]) -> None:
    lines = header(script).split(b"\r\n")
    assert [line.partition(b": ")[2] for line in lines if line.startswith(b"X-Many")] == left
    assert [line for line in lines if not line.startswith(b"X-Many")] == [
        line for line in MAIL.partition(b"\r\n\r\n")[0].split(b"\r\n") if not line.startswith(b"X-Many")
    ]


def test_what_says_which_way_a_message_took_stays() -> None:
    mail = b"Received: a\r\n\tb\r\nAuto-Submitted: auto-replied\r\nSubject: one\r\n two\r\n\r\nbody\r\n"
    script = 'deleteheader "received"; deleteheader "auto-submitted"; deleteheader "subject";'
    assert header(script, mail) == b"Received: a\r\n\tb\r\nAuto-Submitted: auto-replied"


def test_later_tests_and_actions_see_the_header_as_it_is_then() -> None:
    script = """require ["editheader", "fileinto"];
    fileinto "before";
    addheader "X-A" "1";
    if header "x-a" "1" { fileinto "between"; }
    deleteheader "x-a";
    if not exists "x-a" { fileinto "behind"; }"""
    firsts = [(filing.mailbox, filing.edits.first) for filing in run(script).filings]
    assert firsts == [("before", ()), ("between", (b"X-A: 1\r\n",)), ("behind", ())]


def test_additions_are_bounded() -> None:
    script = "".join(f'addheader "X-{number}" "x";' for number in range(51))
    assert run('require "editheader"; ' + script).error is not None
