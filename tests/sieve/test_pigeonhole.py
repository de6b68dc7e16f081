"""The same script and message, Pigeonhole and GK: the same actions, or both refuse the script."""

import random
from collections.abc import Iterator

import pytest

from gk.sieve.errors import SieveError
from gk.sieve.rules import program, wording
from tests.sieve.pigeonhole import Decided, Pigeonhole, decided
from tests.sieve.running import FROM, MAIL, TO, Around, run
from tests.sieve.test_body import MAIL as PARTS

pytestmark = pytest.mark.peer

REQUIRE = """require ["fileinto", "copy", "envelope", "variables", "imap4flags", "relational", "body", "date", "index",
    "comparator-i;ascii-numeric", "subaddress", "encoded-character", "reject", "vacation", "vacation-seconds",
    "editheader", "mailbox", "duplicate", "environment"];
"""


@pytest.fixture(scope="module")
def pigeonhole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pigeonhole]:
    yield Pigeonhole(tmp_path_factory.mktemp("sieve"))


def ours(script: str, mail: bytes, sender: str = FROM, recipient: str = TO) -> Decided | None:
    try:
        outcome = run(script, mail, sender=sender, recipient=recipient, around=Around(now=2_000_000_000))
    except SieveError:
        return None
    assert outcome.error is None, outcome.error
    return decided(outcome)


ACTIONS = [
    "",
    "keep;",
    "discard;",
    "discard; keep;",
    'fileinto "a"; fileinto "b"; fileinto "a"; keep;',
    'fileinto :copy "a"; addflag "\\\\Seen";',
    'addflag "\\\\seen"; fileinto "a"; addflag "$label1"; keep;',
    'setflag ["a b", "c"]; removeflag "B"; addflag "A d"; keep;',
    'setflag "a"; keep :flags ["x y", "\\\\flagged"];',
    'setflag "v" "x y"; addflag "v" "z"; removeflag "v" "x"; fileinto :flags "${v}" "f";',
    'redirect "x@example.com"; redirect "y@example.com"; redirect "x@example.com";',
    'redirect :copy "x@example.com";',
    'reject "No, thanks";',
    'vacation "Away"; keep;',
    'vacation :days 3 :subject "s" :from "bob@example.net" :addresses ["b@c.d"] :handle "h" "Away"; discard;',
    'vacation :seconds 90 :mime "Content-Type: text/plain\r\n\r\nx";',
    'fileinto :create "new/box";',
    'if true { if false { fileinto "a"; } elsif true { fileinto "b"; stop; } } fileinto "c";',
    'if allof (true, not anyof (false, false), not not true) { fileinto "a"; } else { fileinto "b"; }',
    'set "a" "x"; set :upper "b" "${a}${A}${c}${a"; fileinto "${b}";',
    'set :lower :upperfirst "n" "jOHN"; set :length "l" "${n}é"; fileinto "${n}${l}";',
    'set :quotewildcard "q" "a*b?\\\\c"; fileinto "${q}";',
    'fileinto "${hex: 61 62}${unicode: 0063}";',
    'addheader "X-A" "one"; if header "x-a" "one" { fileinto "a"; }',
    'deleteheader :index 2 "x-many"; if not header "x-many" "two" { fileinto "a"; }',
    'deleteheader :contains "x-many" "t"; if header :count "eq" "x-many" "1" { fileinto "a"; }',
    'addheader :last "X-Many" "last"; if header :index 1 :last "x-many" "last" { fileinto "a"; }',
    'if duplicate { fileinto "a"; } elsif duplicate :handle "x" { fileinto "b"; }',
    'if header :is "subject" text:\n..a\n.\n { fileinto "a"; }',
    'if header :matches "subject" "[*] *" { fileinto "l-${1}-${2}"; }',
    'if header :matches ["x-many", "subject"] ["t?o", "*"] { fileinto "m${0}-${1}"; }',
    'if address :matches "from" "*@*" { fileinto "${1}-${2}"; } else { fileinto "x"; }',
]  # fmt: skip

REFUSED = [
    "keep",
    "keep keep;",
    "foo;",
    "if true { keep;",
    "if keep { }",
    "else { keep; }",
    "if true { } keep; else { }",
    "if not (true) { }",
    "if allof true { }",
    "if anyof () { }",
    'keep; require "fileinto";',
    'require "nonsense";',
    'if header "a" {}',
    'if header :is :contains "a" "b" {}',
    'if header "a" :is "b" {}',
    'if header :comparator "i;none" "a" "b" {}',
    'if header :contains :comparator "i;ascii-numeric" "a" "b" {}',
    'if header :value "xx" "a" "b" {}',
    "if size 5 {}",
    'redirect "nobody";',
    'redirect ["a@b.c"];',
    'if header "a" [] {}',
    'reject "x',
    "keep; /* x",
    'if header :last "a" "b" {}',
    'if currentdate :originalzone "hour" "20" {}',
    'set "1" "x";',
    'set :lower :upper "a" "x";',
    'fileinto "${unicode:110000}";',
    'vacation :days 1 :seconds 1 "x";',
    'if envelope "cc" "x" {}',
    'if address "subject" "x" {}',
    'addheader "X A" "x";',
    'if duplicate :header "a" :uniqueid "b" {}',
    'if body :raw :text "x" {}',
]

TESTS = [
    'header "subject" "[lists] hello andré"',
    'header :comparator "i;octet" "subject" "[lists] Hello André"',
    'header :contains "subject" "HELLO"',
    'header :contains "x-none" ""',
    'header :contains "x-empty" ""',
    'header :matches "x-empty" "*"',
    'exists ["x-many", "x-none"]',
    'exists "x-empty"',
    'address "from" "ann+news@example.org"',
    'address :localpart "from" "ann+news"',
    'address :domain "to" "example.net"',
    'address :all :contains "from" "accounts"',
    'address "cc" "dora@example.net"',
    'address :user "from" "ann"',
    'address :detail "from" "NEWS"',
    'address :detail :matches "to" "*"',
    'address :count "eq" ["to", "cc"] "4"',
    'envelope "from" "ANN@example.org"',
    'envelope :detail "to" "lists"',
    'envelope :domain ["from", "to"] "example.net"',
    'header :index 2 "x-many" "two"',
    'header :index 1 :last "x-many" "three"',
    'header :count "ge" "x-many" "3"',
    'header :value "gt" :comparator "i;ascii-numeric" "x-spam-score" "9"',
    'header :value "gt" "x-spam-score" "9"',
    'header :value "ne" "x-many" "one"',
    'header :value "ge" :comparator "i;ascii-numeric" "x-many" "9999"',
    'header :is :comparator "i;ascii-numeric" "x-spam-score" "12.5"',
    'header :value "lt" :comparator "i;ascii-casemap" "x-many" "P"',
    'header :value "lt" :comparator "i;octet" "x-many" "P"',
    'not header :contains ["x-a", "x-many"] ["four", "thr"]',
    "size :over 100",
    "size :under 1K",
    "size :over 1M",
    'string :comparator "i;ascii-casemap" "a" "A"',
    'string :comparator "i;octet" "a" "A"',
    'string :count "eq" ["", "a", "${x}", "b"] "2"',
    'date :originalzone "date" "iso8601" "2023-11-14T14:30:00-08:00"',
    'date :zone "+0530" "date" "std11" "Wed, 15 Nov 2023 04:00:00 +0530"',
    'date :zone "+0000" "date" "julian" "60262"',
    'date :zone "+0000" "date" "weekday" "2"',
    'date :zone "+0000" :index 2 "received" "hour" "22"',
    'date :originalzone :index 1 "received" "zone" "+0100"',
    'date :matches "subject" "year" "*"',
    'currentdate :value "gt" "year" "2023"',
    'body :contains "first café"',
    'body :text :contains "<b>"',
    'body :contains "third"',
    'body :contains "secret"',
    'body :raw :contains "caf=E9"',
    'body :raw :contains "café"',
    'body :raw :contains "epilogue"',
    'body :content "text" :contains "<b>second"',
    'body :content "text/plain" :contains "second"',
    'body :content ["text/html", "application/x-odd"] :contains "secret"',
    'body :content "" :contains "secret"',
    'mailboxexists "INBOX"',
    'environment :is "domain" "no.such.example"',
]


@pytest.mark.parametrize("script", ACTIONS)
def test_actions(pigeonhole: Pigeonhole, script: str) -> None:
    for mail in (MAIL, PARTS):
        assert ours(REQUIRE + script, mail) == pigeonhole.run(REQUIRE + script, mail)


def test_tests(pigeonhole: Pigeonhole) -> None:
    lines = [f'if {test} {{ addflag "t{number}"; }}' for number, test in enumerate(TESTS)]
    script = REQUIRE + "\n".join(lines)
    for mail in (MAIL, PARTS):
        mine, theirs = ours(script, mail), pigeonhole.run(script, mail)
        assert mine is not None and theirs is not None
        different = set(mine.filed[0][1]) ^ set(theirs.filed[0][1])
        assert [TESTS[int(name[1:])] for name in different] == []


@pytest.mark.parametrize("script", REFUSED)
def test_both_refuse(pigeonhole: Pigeonhole, script: str) -> None:
    assert ours(REQUIRE + script, MAIL) is None
    assert pigeonhole.run(REQUIRE + script, MAIL) is None


def test_wildcards_by_the_hundred(pigeonhole: Pigeonhole) -> None:
    chance = random.Random(5228)
    for _ in range(10):
        value = "".join(chance.choices("abc", k=chance.randrange(10)))
        # Without question marks: Pigeonhole 0.5.19 crashes on some. And of several stars it has its own idea.
        patterns = ["".join(chance.choices("abc*", [3, 3, 2, 4], k=chance.randrange(8))) for _ in range(60)]
        shown = {pattern: "${1}" if pattern.count("*") == 1 else "" for pattern in patterns}
        lines = [
            f'if string :matches "{value}" "{pattern}" {{ set "a" "${{a}} {number}={shown[pattern]}"; }}'
            for number, pattern in enumerate(patterns)
        ]
        script = REQUIRE + "\n".join(lines) + '\nreject "${a}";'
        mine, theirs = ours(script, MAIL), pigeonhole.run(script, MAIL)
        assert mine is not None and theirs is not None
        different = set(str(mine.rejected).split()) ^ set(str(theirs.rejected).split())
        assert [(value, patterns[int(text.partition("=")[0])], text) for text in different] == []


RULES = [
    'if from contains "ann" and not subject contains bye then file "Ann/Lists", flag seen, flag $Work, stop',
    "if to is dora@example.net or size over 5M then forward zoe@example.com, keep",
    'if sender is ann@example.org then reject "No"',
    'if recipient matches "bob+*@example.net" then discard',
    'if header "X-Many" is three then reply "I am \\"away\\"\\nfor long" subject "Away", file "Many"',
    'if body contains "the body" then file "Body"',
    "if list is people.example.org then discard",
    'if subject matches "[*] hello*" and size under 1K then flag a, flag b',
]


@pytest.mark.parametrize("line", RULES)
def test_a_rule_does_what_its_script_does_there(pigeonhole: Pigeonhole, line: str) -> None:
    script = program.script(wording.parse(line))
    there = pigeonhole.run(script, MAIL)
    assert there is not None
    assert there == ours(script, MAIL)
