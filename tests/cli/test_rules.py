"""`gk rule` and `gk vacation`, with a server and without one."""

from collections.abc import Iterator

import pytest

from gk.errors import Refused
from tests.site import ALICE, Site

MAIL = "From: ann@far.test\nTo: alice@example.test\nSubject: hello\n\nbody\n"


@pytest.fixture(params=["alone", "served"])
def place(site: Site, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A site without a server, and the same with one."""
    site.add_alice()
    if request.param == "alone":
        yield site
    else:
        with site.served():
            yield site


def test_rules_are_added_listed_tried_and_removed(place: Site) -> None:
    assert place.click("rule", "list", ALICE).stdout == "there are no rules\n"
    added = place.click("rule", "add", ALICE, 'if from contains ann@ then file "Ann", flag seen')
    assert added.stdout == '1. if from contains "ann@" then file "Ann", flag seen\n'
    assert place.json("rule", "add", ALICE, "if size over 5M then discard", "--at", "1")["number"] == 1
    assert place.click("rule", "list", ALICE).stdout.splitlines() == [
        "1. if size over 5242880 then discard",
        '2. if from contains "ann@" then file "Ann", flag seen',
    ]
    tried = place.run("rule", "test", ALICE, "-", "--from", "ann@far.test", input=MAIL)
    assert tried.stdout.splitlines() == [
        "rule 1, line 2: size :over 5242880 - no",
        'rule 2, line 2: header :contains "from" "ann@"',
        'rule 2, line 2: addflag "\\\\Seen"',
        'rule 2, line 2: fileinto :create "Ann"',
        "→ kept in Ann with \\Seen",
    ]
    assert place.json("rule", "remove", ALICE, "1") == {"removed": 1}
    assert len(place.json("rule", "list", ALICE)["rules"]) == 1
    with pytest.raises(Refused, match="that is no rule"):
        place.click("rule", "add", ALICE, "whatever")


def test_a_script_is_tried_from_its_file(place: Site) -> None:
    script, message = place.directory / "a.sieve", place.directory / "a.eml"
    message.write_text(MAIL)
    for text, said in (
        ("discard;", "→ discarded"),
        ('redirect "x@far.test";', "→ sent on to x@far.test"),
        ('require "reject"; reject "No";', "→ refused: No"),
        ('require "vacation"; vacation "Away";', "→ answered: Away"),
        ('require "reject"; reject "No"; keep;', "error: script: a rejection cannot stand together with other actions"),
    ):
        script.write_text(text)
        done = place.run("rule", "test", ALICE, str(message), "--script", str(script))
        assert said in done.stdout.splitlines(), done.stderr
    script.write_text("nonsense")
    assert "column 9" in place.fails(1, "rule", "test", ALICE, str(message), "--script", str(script))


def test_an_absence_is_set_shown_and_taken_back(place: Site) -> None:
    assert place.click("vacation", "show", ALICE).stdout == f"{ALICE} answers nobody\n"
    done = place.click(
        "vacation", "set", ALICE, "-", "--subject", "Gone", "--last", "2000-01-01", "--days", "3", input="I am away.\n"
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        f"{ALICE} answers each sender once in 3 days, from now to 2000-01-01 (not today)",
        "Subject: Gone",
        "I am away.",
        "",
    ]
    found = place.json("vacation", "set", ALICE, "Away", "--first", "2000-01-01", "--also", "al@old.test")
    assert (found["active"], found["first"], found["addresses"]) == (True, "2000-01-01", ["al@old.test"])
    assert place.click("vacation", "off", ALICE).stdout == f"{ALICE} answers nobody\n"
    with pytest.raises(Refused, match="is no day"):
        place.click("vacation", "set", ALICE, "Away", "--first", "soon")
