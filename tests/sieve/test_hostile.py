"""Scripts and messages of strangers: bounded in work and memory, and no error but the script's own."""

import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gk.sieve.edit import edited
from gk.sieve.errors import SieveError
from gk.sieve.mail import Mail
from gk.sieve.run import TRACED
from gk.sieve.script import compile
from gk.sieve.words import EXTENSIONS
from tests.sieve.running import MAIL, Around, run

EXAMPLES = 10_000 if os.environ.get("GK_FUZZ") else 300
EVERYTHING = "require [" + ", ".join(f'"{name}"' for name in EXTENSIONS) + "];\n"
LONGEST = 2.0  # seconds of the processor; what is meant is far below


@pytest.mark.parametrize(
    "script",
    [
        'if header :matches ["subject", "from"] "' + "*a?" * 500 + '" { keep; }\n' * 30,
        'if header :contains "x-many" ["' + '", "'.join("abcdefgh" * 3 for _ in range(2000)) + '"] { keep; }',
        'set "a" "' + "x" * 4000 + '";' + 'set "b" "' + "${a}" * 10_000 + '";',
        'set "a" "' + "x" * 4000 + '";' + ('if string :matches "${a}" "' + "*x?" * 200 + '" {}') * 50,
        'set "a" "*?*?";' + 'set "a" "${a}${a}";' * 12 + 'if header :matches "subject" "${a}b" {}' * 500,
        'if body :raw :matches "' + "*?a" * 1000 + '" {}' + 'if body :content "" :contains "zz" {}' * 1000,
        'if duplicate :uniqueid "x" {}' * 2000,
        'addflag "' + " ".join(f"f{number}" for number in range(5000)) + '";' + 'addflag "v" "${v} x";' * 1000,
        'addheader "X-A" "' + "é" * 20_000 + '";' + 'deleteheader "X-A";' * 100,
        'if mailboxexists "x" {}' * 3000,
        "if true { if true { if true { keep; } } }" * 1500,
        'if address :all :matches ["from", "to", "cc"] "*x*y*z*" {}' * 700,
    ],
)
def test_a_script_that_wants_much_ends_early(script: str) -> None:
    mail = MAIL.replace(b"The body of it.", b"a" * 2_000_000)
    mail = b"X-Long: " + b"ab" * 100_000 + b"\r\nTo: " + b"a@b.c, " * 20_000 + b"\r\n" + mail
    source = (EVERYTHING + script).encode()[: 64 << 10]
    began = time.process_time()
    try:
        outcome = compile(source).run(Mail(mail), Around())
    except SieveError:
        pass
    else:
        assert len(outcome.trace) <= TRACED
        assert outcome.error is not None or outcome.filings
    assert time.process_time() - began < LONGEST


def test_work_is_charged_until_it_is_too_much() -> None:
    script = 'set "a" "' + "x" * 4000 + '";' + ('if string :matches "${a}" "' + "*x?" * 100 + 'y" {}') * 150
    outcome = run(EVERYTHING + script * 1)
    assert outcome.error is None or outcome.error.endswith("the script does too much")
    many = 'if header :contains ["to", "x-long"] ["' + '", "'.join(map(str, range(3000))) + '"] {}'
    outcome = run(EVERYTHING + many, b"X-Long: " + b"a" * 60_000 + b"\r\n\r\n")
    assert outcome.error is not None and outcome.error.endswith("the script does too much")


_WRITTEN = (
    "if elsif else require keep discard stop fileinto redirect reject vacation addflag set header address exists "
    "size string body date currentdate duplicate hasflag not allof anyof true false :is :contains :matches :count "
    ':value :over :copy :flags :create :index :last :comparator :mime :days "gt" "subject" "*a?" "${1}" "${a}" "a@b.c" '
    '"\\\\Seen" "i;ascii-numeric" 1K 0 99 ( ) { } [ ] ; ; , text:\na\n.\n "x" "from" "year" # /* */ "'
)
_WORDS = st.sampled_from(_WRITTEN.split(" "))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_WORDS, max_size=40), st.binary(max_size=200))
def test_any_words_give_a_script_or_an_error_with_a_place(words: list[str], mail: bytes) -> None:
    source = EVERYTHING + " ".join(words)
    try:
        script = compile(source.encode())
    except SieveError as error:
        assert 1 <= error.place.line <= source.count("\n") + 1 and error.place.column >= 1
        return
    outcome = script.run(Mail(mail), Around())
    assert outcome.filings or outcome.error is None
    for filing in outcome.filings:
        edited(mail, filing.edits)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_a_script_or_an_error(source: bytes) -> None:
    try:
        compile(source)
    except SieveError:
        pass


_TEST = st.recursive(
    st.sampled_from(["true", "false", 'header :contains "subject" "hello"', 'exists "x-none"']),
    lambda inner: st.one_of(
        inner.map(lambda test: f"not {test}"),
        st.tuples(st.sampled_from(["allof", "anyof"]), st.lists(inner, min_size=1, max_size=4)).map(
            lambda pair: f"{pair[0]} ({', '.join(pair[1])})"
        ),
    ),
    max_leaves=20,
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(_TEST)
def test_combined_tests_are_what_logic_says(test: str) -> None:
    words = test.replace('header :contains "subject" "hello"', "true").replace('exists "x-none"', "false")
    for name, function in (("allof (", "all(["), ("anyof (", "any([")):
        words = words.replace(name, function)
    words = words.replace(")", "])").replace("true", "True").replace("false", "False")
    expected = eval(words)
    outcome = run(f"if {test} {{ discard; }} else {{ keep; }}")
    assert (outcome.filings == ()) is expected


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=400))
def test_any_message_goes_through_a_script_that_looks_at_all_of_it(mail: bytes) -> None:
    script = (
        EVERYTHING
        + """
    if header :matches ["from", "subject"] "*" { addflag "a"; }
    if address :detail ["from", "to", "cc"] "x" { addflag "b"; }
    if anyof (date "date" "year" "2000", date :originalzone "received" "zone" "+0100") { addflag "c"; }
    if body :content "" :contains "x" { addflag "d"; }
    if body "x" { addflag "e"; }
    deleteheader "subject"; addheader "X-A" "${1}";
    """
    )
    outcome = run(script, mail)
    assert outcome.error is None
    edited(mail, outcome.filings[0].edits)
