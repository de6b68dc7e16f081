"""The language itself: tokens, strings, blocks, require, and where errors are said to be (RFC 5228 §2, §3, §8)."""

import pytest

from gk.sieve.script import compile
from tests.sieve.running import holds, refused, run


def test_an_empty_script_keeps_the_message() -> None:
    for script in ("", "# only a comment", "/* and\nanother */", "\r\n\r\n"):
        (filing,) = run(script).filings
        assert filing.mailbox == "INBOX"


def test_comments_stand_anywhere_between_tokens() -> None:
    script = 'if /* one */ header # two\r\n :is /* three * / ** */ "x-many" ["one" /* four */ , "x"] { discard; }'
    assert run(script).filings == ()


def test_strings_take_quoted_pairs_and_lines() -> None:
    assert holds(r'header :is "x-odd" "a\"b\\c"', mail=b'X-Odd: a"b\\c\r\n\r\n')
    outcome = run('require "reject"; reject "one\r\ntwo";')
    assert outcome.reject is not None and outcome.reject.reason == "one\r\ntwo"


def test_a_text_ends_at_its_dot_and_loses_the_dots_that_were_stuffed() -> None:
    for end in ("\n", "\r\n"):
        script = end.join(['require "reject";', "reject text: # why", "one", "..two", ".three", "", ".", ";"])
        outcome = run(script)
        assert outcome.reject is not None and outcome.reject.reason == "one\r\n.two\r\nthree\r\n\r\n"


def test_numbers_have_units() -> None:
    mail = b"Subject: x\r\n\r\n" + b"x" * 1010 + b"\r\n"  # 1,026 octets
    assert len(mail) == 1026
    for number, over in (("1K", True), ("1k", True), ("1025", True), ("1026", False), ("1M", False), ("1G", False)):
        assert holds(f"size :over {number}", mail=mail) is over
    assert holds("size :under 1027", mail=mail) and not holds("size :under 1026", mail=mail)


def test_names_and_tags_are_known_in_any_case() -> None:
    assert run('IF Header :IS "X-MANY" "TWO" { DisCard; }').filings == ()


def test_the_first_block_whose_test_holds_is_the_only_one() -> None:
    script = """require "fileinto";
    if header :is "x-many" "%s" { fileinto "a"; }
    elsif header :is "x-many" "two" { fileinto "b"; }
    elsif header :is "x-many" "three" { fileinto "c"; }
    else { fileinto "d"; }
    if true { fileinto "e"; }"""
    assert [filing.mailbox for filing in run(script % "one").filings] == ["a", "e"]
    assert [filing.mailbox for filing in run(script % "four").filings] == ["b", "e"]
    assert [f.mailbox for f in run(script.replace("x-many", "x-none") % "four").filings] == ["d", "e"]


def test_blocks_stand_in_blocks_and_chains_in_chains() -> None:
    script = """require "fileinto";
    if true { if false { fileinto "a"; } elsif true { if true { fileinto "b"; } else { fileinto "c"; } } }
    else { fileinto "d"; }
    if false { if true { fileinto "e"; } } else { if false {} else { fileinto "f"; } fileinto "g"; }"""
    assert [filing.mailbox for filing in run(script).filings] == ["b", "f", "g"]


def test_stop_ends_the_script_in_any_block() -> None:
    outcome = run('require "fileinto"; if true { fileinto "a"; stop; } fileinto "b";')
    assert [filing.mailbox for filing in outcome.filings] == ["a"]
    assert outcome.stopped
    assert not run("keep;").stopped


@pytest.mark.parametrize(
    ("test", "result"),
    [
        ("not false", True),
        ("not not true", True),
        ("allof (true, true, true)", True),
        ("allof (true, false, true)", False),
        ("anyof (false, false)", False),
        ("anyof (false, true)", True),
        ("not anyof (false, not allof (true, not false))", True),
        ("allof (anyof (false, true), not allof (true, false), anyof (true))", True),
        ("anyof (allof (true, false), allof (false, true), not true)", False),
    ],
)
def test_tests_are_combined(test: str, result: bool) -> None:
    assert holds(test) is result


def test_tests_behind_the_one_that_decides_are_not_made() -> None:
    script = 'require "variables"; if anyof (true, string :matches "b" "*") { discard; } if false {} '
    texts = [step.text for step in run(script).trace]
    assert texts == ["true", "discard", "false"]


def test_the_trace_says_what_was_asked_and_what_came_of_it() -> None:
    trace = run('if header :contains "Subject"\n   "hello" {\n  discard;\n}').trace
    assert [(step.line, step.text, step.result) for step in trace] == [
        (1, 'header :contains "Subject" "hello"', True),
        (3, "discard", True),
    ]


def test_encoded_characters_are_known_where_required() -> None:
    mail = "X-Odd: $@é€\r\n\r\n".encode()
    require = "encoded-character"
    assert holds('header "x-odd" "$${hex:40}é${unicode:20aC}"', require, mail)
    assert holds('header "x-odd" "$${hex: 40 C3 }${hex:a9}${unicode: 0020ac}"', require, mail)
    assert not holds('header "x-odd" "$${hex:40}é€"', "", mail)
    assert holds('header "x-odd" "${hex:4}${unicode:}${hex}"', require, b"X-Odd: ${hex:4}${unicode:}${hex}\r\n\r\n")
    required = 'require "encoded-character"; if header "x" '
    assert "no character 110000" in refused(required + '"${unicode:110000}" {}')
    assert "no character D800" in refused(required + '"${unicode:D800}" {}')
    assert "not UTF-8" in refused(required + '"${hex:c3}" {}')


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("keep", 'line 1, column 5: expected ";", found the end of the script'),
        ("\n\n  keeep;", 'line 3, column 3: there is no command "keeep"'),
        ("if true { keep;", "line 1, column 9: this block does not end"),
        ("keep; }", 'line 1, column 7: expected a command, found "}"'),
        ("if keep { }", 'line 1, column 4: there is no test "keep" (a command)'),
        ("true;", 'line 1, column 1: there is no command "true" (a test)'),
        ("else { keep; }", "line 1, column 1: else without an if before it"),
        ("if true { } keep; else { }", "else without an if"),
        ("if true { } else { } else { }", "else without an if"),
        ("if true { } else { } elsif true { }", "elsif without an if"),
        ("if true;", "if takes a test and a block"),
        ("if (true) { }", "if takes a test and a block"),
        ("if not (true) { }", "not takes one test"),
        ("if allof true { }", "allof takes tests in parentheses"),
        ("if true, false { }", 'expected ";" or a block, found ","'),
        ("if anyof (true,) { }", 'expected a test, found ")"'),
        ("if anyof () { }", 'expected a test, found ")"'),
        ("if anyof (true { }", 'expected "," or ")", found "{"'),
        ('keep; require "fileinto";', "line 1, column 7: require stands before all other commands"),
        ('require "no-such-thing";', 'the extension "no-such-thing" is not known here'),
        ("require 5;", "require takes a list of strings"),
        ('fileinto "x";', 'fileinto needs require "fileinto"'),
        ('if header :value "gt" "a" "b" {}', ':value needs require "relational"'),
        ('if header :is :contains "a" "b" {}', ":contains cannot stand beside :is"),
        ('if header :over "a" "b" {}', "header takes no :over"),
        ('if header "a" {}', "header takes a list of strings and a list of strings"),
        ('if header "a" :is "b" {}', ":is stands behind an argument without a name"),
        ('if header "a b" "c" {}', "this can be no name of a header field"),
        ('if header :comparator "i;none" "a" "b" {}', 'there is no comparator "i;none"'),
        ('if header :comparator ["i;octet"] "a" "b" {}', ":comparator needs a string"),
        ('if header :comparator "i;ascii-numeric" "a" "b" {}', 'needs require "comparator-i;ascii-numeric"'),
        ("if size 5 {}", "size needs :over or :under"),
        ('if size :over "5" {}', "size takes a number"),
        ("if size :over 5X {}", "a number with letters behind it"),
        ("if size :over 99999999999999999999 {}", "this number is too large"),
        ("if size :over 9999999999999G {}", "this number is too large"),
        ('redirect "nobody";', "this is no address"),
        ('redirect ["a@b.c"];', "redirect takes a string"),
        ('keep "x";', "keep takes no arguments"),
        ("keep true;", "keep takes no tests and no block"),
        ('if header "a" [] {}', "this list is empty"),
        ('if header "a" ["b" "c"] {}', 'expected "," or "]", found a string'),
        ('if header "a" ["b", 5] {}', "expected a string, found a number"),
        ('keep; "x";', "expected a command, found a string"),
        ('reject "x', "this string does not end"),
        ("reject text:\nx\n", "this text does not end"),
        ("keep; /* x", "line 1, column 7: this comment does not end"),
        ("keep; @", "unexpected '@'"),
        ("keep\0;", "a NUL is not allowed"),
        ("ke\udcffep;", "line 1, column 3: the script is not UTF-8"),
        ('require "vacation"; vacation :days 5 :mime;', "vacation takes a string"),
        ('require ["body"]; if body :content ["a"] :raw "x" {}', ":raw cannot stand beside :content"),
    ],
)
def test_a_script_is_refused_with_a_place_and_words(script: str, said: str) -> None:
    assert said in refused(script)


def test_depth_is_bounded_and_fifteen_are_no_trouble() -> None:
    def nested(depth: int) -> str:
        return "if true {" * depth + "discard;" + "}" * depth

    assert run(nested(15)).filings == ()
    assert run(nested(50)).filings == ()
    assert "more than 50 blocks" in refused(nested(51))
    assert "more than 50 blocks" in refused("if true {" * 5000)
    assert holds("not " * 40 + "true")
    assert "more than 50 tests" in refused("if " + "not " * 10_000 + "true {}")
    assert "more than 50 tests" in refused("if " + "anyof (" * 9_000 + "true")


def test_size_and_number_of_commands_are_bounded() -> None:
    assert "more than 65,536 bytes" in refused("#" * 65_537)
    assert len(compile(b"keep;" * 10_000)) == 10_000
    assert "more than 10,000 commands" in refused("keep;" * 10_001)
    assert "more than 10,000 strings" in refused('if header ["' + '","' * 10_000 + '"] "x" {}')
