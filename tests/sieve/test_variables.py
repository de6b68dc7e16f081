"""Variables (RFC 5229)."""

import pytest

from tests.sieve.running import holds, refused, run


def value(commands: str, expression: str = "${a}") -> str:
    """What an expression stands for behind some commands."""
    outcome = run(f'require ["variables", "reject"]; {commands} reject "{expression}";')
    assert outcome.reject is not None, outcome.error
    return outcome.reject.reason


@pytest.mark.parametrize(
    ("commands", "expression", "result"),
    [
        ('set "a" "x";', "${a}${A}", "xx"),
        ('set "a" "x";', "${b}|${a", "|${a"),
        ('set "a" "x";', "$${a}}", "$x}"),
        ('set "a" "x";', "&%${}!", "&%${}!"),
        ('set "a" "x";', "${doh!}", "${doh!}"),
        ('set "a" "a"; set "b" "${a}b";', "${b}", "ab"),
        ('set "a" "${a}x"; set "a" "${a}x";', "${a}", "xx"),
        ('set :lower "a" "ABC";', "${a}", "abc"),
        ('set :upper :lowerfirst "a" "abc";', "${a}", "aBC"),
        ('set :lower :upperfirst "a" "jOHN";', "${a}", "John"),
        ('set :length "a" "abcé";', "${a}", "4"),
        ('set :length :quotewildcard "a" "a*b?";', "${a}", "6"),
        ('set :quotewildcard "a" "a*b?";', "${a}", "a\\*b\\?"),
        ('if header :matches "Subject" "[*] *" {}', "${0}|${1}|${2}|${3}", "[Lists] Hello André|Lists|Hello André|"),
        ('if header :matches "Subject" "[*] *" {} if header :is "x-none" "x" {}', "${1}", "Lists"),
        ('if header :matches "Subject" "[*] *" {} if header :matches "Subject" "no*" {}', "${1}", "Lists"),
        ('if header :matches "x-many" "t*" {}', "${1}", "wo"),
        ('if header :matches "Subject" "*" {}', "${01}", "[Lists] Hello André"),
        ('if string :matches "a:b" "*:*" {}', "${0000002}", "b"),
        ('set "a" "x";', "${0.a}${a}", "${0.a}x"),  # a number has no namespace
    ],
)
def test_expressions(commands: str, expression: str, result: str) -> None:
    assert value(commands, expression) == result


def test_nothing_is_expanded_without_require() -> None:
    outcome = run('require "reject"; reject "${0}${a}";')
    assert outcome.reject is not None and outcome.reject.reason == "${0}${a}"


def test_the_string_test_compares_what_strings_stand_for() -> None:
    require = "variables relational comparator-i;ascii-numeric"
    assert holds('string "${none}" ""', require)
    assert holds('string :matches ["a", "bc"] "b?"', require)
    assert holds('string :count "eq" ["", "a", "${x}", "b"] "2"', require)


def test_names_and_namespaces_are_checked() -> None:
    required = 'require ["variables", "fileinto"]; '
    assert "no name of a variable" in refused(required + 'set "1" "x";')
    assert "no name of a variable" in refused(required + 'set "a.b" "x";')
    assert "cannot hold variables" in refused(required + 'set "${a}" "x";')
    assert 'no variable namespace "env"' in refused(required + 'fileinto "${env.x}";')
    assert "at most 32 match variables" in refused(required + 'fileinto "${99}";')
    assert ":upper cannot stand beside :lower" in refused(required + 'set :lower :upper "a" "b";')


def test_values_are_cut_and_their_number_is_bounded() -> None:
    doubling = 'set "a" "0123456789abcdef";' + 'set "a" "${a}${a}";' * 20
    assert len(value(doubling)) == 4096
    many = "".join(f'set "v{number}" "x";' for number in range(129))
    assert "more than 128 variables" in refused('require "variables"; ' + many)
