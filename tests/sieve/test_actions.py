"""What becomes of a message: keep, fileinto, redirect, discard, reject, flags, and what goes together."""

import pytest

from gk.sieve.outcome import Filing
from tests.sieve.running import holds, refused, run

ALL = 'require ["fileinto", "copy", "imap4flags", "reject", "ereject", "mailbox", "special-use", "variables"]; '


def filed(script: str) -> list[tuple[str, tuple[str, ...]]]:
    outcome = run(ALL + script)
    assert outcome.error is None, outcome.error
    return [(filing.mailbox, filing.flags) for filing in outcome.filings]


@pytest.mark.parametrize(
    ("script", "mailboxes"),
    [
        ("keep;", ["INBOX"]),
        ("discard;", []),
        ("discard; keep;", ["INBOX"]),
        ('fileinto "a";', ["a"]),
        ('fileinto "a"; keep;', ["a", "INBOX"]),
        ('fileinto :copy "a";', ["a", "INBOX"]),
        ('fileinto "a"; fileinto "b"; fileinto "a";', ["a", "b"]),
        ('fileinto "inbox"; keep;', ["INBOX"]),
        ('redirect "x@example.com";', []),
        ('redirect :copy "x@example.com";', ["INBOX"]),
    ],
)
def test_the_implicit_keep_is_cancelled_by_what_takes_the_message(script: str, mailboxes: list[str]) -> None:
    assert [mailbox for mailbox, _ in filed(script)] == mailboxes


def test_an_address_may_come_with_a_name() -> None:
    outcome = run('redirect "Ann <a@example.com>";')
    assert [redirect.address for redirect in outcome.redirects] == ["a@example.com"]
    for text in ("Ann <a@example.com>, b@example.com", "Ann <a>", "<>", "a@example.com <b", "x: a@example.com;"):
        assert "this is no address" in refused(f'redirect "{text}";'), text


def test_redirects_are_counted_once_each() -> None:
    outcome = run('redirect "A@Example.COM"; redirect "A@example.com"; redirect "b@example.com";')
    assert [redirect.address for redirect in outcome.redirects] == ["A@example.com", "b@example.com"]


def test_a_mailbox_can_be_made_or_named_by_its_use() -> None:
    outcome = run(ALL + 'fileinto :create "a"; fileinto :specialuse "\\\\Junk" "Spam";')
    assert outcome.filings == (Filing("a", create=True), Filing("Spam", special_use="\\Junk"))


@pytest.mark.parametrize(
    ("script", "flags"),
    [
        ('addflag "\\\\seen"; keep;', ("\\Seen",)),
        ('setflag ["a b", "\\\\FLAGGED"]; addflag "A c"; removeflag "B"; keep;', ("a", "\\Flagged", "c")),
        ('setflag "a"; keep :flags "\\\\Deleted";', ("\\Deleted",)),
        ('setflag "a"; keep :flags "";', ()),
        ('setflag "a";', ("a",)),
        ('addflag ["\\\\Recent", "\\\\Odd", "é", "a(b", "ok"];', ("ok",)),
        ('setflag "x" "a b"; addflag "x" "c"; removeflag "x" "a"; keep :flags "${x}";', ("b", "c")),
    ],
)
def test_flags(script: str, flags: tuple[str, ...]) -> None:
    assert filed(script) == [("INBOX", flags)]


def test_flags_are_those_of_the_moment_of_an_action() -> None:
    assert filed('addflag "a"; fileinto "x"; addflag "b"; keep;') == [("x", ("a",)), ("INBOX", ("a", "b"))]


def test_flags_of_a_mailbox_filed_into_twice_come_together() -> None:
    assert filed('fileinto :flags "a" "x"; fileinto :flags "b" "x";') == [("x", ("a", "b"))]


@pytest.mark.parametrize(
    ("test", "result"),
    [
        ('hasflag "\\\\seen"', True),
        ('hasflag ["x", "one"]', True),
        ('hasflag "x one"', True),
        ('hasflag "on"', False),
        ('hasflag :contains "on"', True),
        ('hasflag :matches "o?e"', True),
        ('hasflag :count "eq" "2"', True),
        ('hasflag "v" "one"', False),
        ('hasflag ["v", "w"] "three"', True),
    ],
)
def test_hasflag(test: str, result: bool) -> None:
    script = 'require ["imap4flags", "variables", "relational"]; setflag ["\\\\Seen", "one"]; setflag "w" "three"; '
    assert (run(script + f"if {test} {{ discard; }}").filings == ()) is result


def test_a_name_of_a_variable_for_flags_needs_variables() -> None:
    assert 'needs require "variables"' in refused('require "imap4flags"; setflag "x" "a";')


def test_a_rejection_says_why_and_stores_nothing() -> None:
    for name, protocol in (("reject", False), ("ereject", True)):
        outcome = run(ALL + f'{name} "no\nthanks";')
        assert outcome.reject is not None and outcome.error is None
        assert (outcome.reject.reason, outcome.reject.protocol) == ("no\r\nthanks", protocol)
        assert outcome.filings == ()
    assert run(ALL + 'discard; reject "x";').error is None


@pytest.mark.parametrize(
    "other", ["keep;", 'fileinto "x";', 'fileinto :copy "x";', 'redirect "a@example.com";', 'ereject "y";']
)
def test_a_rejection_stands_alone(other: str) -> None:
    for script in (f'reject "x"; {other}', f'{other} reject "x";'):
        outcome = run(ALL + script)
        assert outcome.error is not None
        assert outcome.reject is None and outcome.redirects == ()
        assert outcome.filings == (Filing("INBOX"),)


def test_an_error_keeps_the_message_and_undoes_the_rest() -> None:
    outcome = run(ALL + 'addflag "a";\nfileinto "x";\nredirect "a@example.com";\nredirect "${none}";')
    assert outcome.error is not None and outcome.error.startswith("line 4: redirect: this is no address")
    assert (outcome.filings, outcome.redirects) == ((Filing("INBOX"),), ())


def test_actions_and_redirects_are_bounded() -> None:
    six = "".join(f'redirect "u{number}@example.com";' for number in range(6))
    assert run(six).error == "line 1: more than 5 redirects"
    assert run(ALL + "".join(f'fileinto "m{number}";' for number in range(51))).error == "line 1: more than 50 actions"


def test_the_surroundings_answer_for_mailboxes() -> None:
    assert holds('mailboxexists ["INBOX", "Lists"]', "mailbox")
    assert not holds('mailboxexists ["Lists", "None"]', "mailbox")
    assert holds('specialuse_exists "\\\\Junk"', "special-use")
    assert not holds('specialuse_exists ["\\\\Junk", "\\\\Sent"]', "special-use")
    assert holds('specialuse_exists "Junk" "\\\\Junk"', "special-use")
    assert not holds('specialuse_exists "Lists" "\\\\Junk"', "special-use")


def test_the_environment_is_what_it_says() -> None:
    assert holds('environment :is "NAME" "gk"', "environment")
    assert holds('environment :matches "domain" "*.net"', "environment")
    assert not holds('environment :matches "remote-ip" "*"', "environment")
    assert not holds('environment :count "eq" "remote-ip" "0"', "environment relational")
