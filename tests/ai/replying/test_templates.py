"""Templates: those of GK in both languages, one's own checked when they are read, and none without measure."""

from pathlib import Path

import pytest

from gk.ai.replying.templates import VARIABLES, TemplateFailed, Templates, checked, format_currency
from gk.config import Replies, ReplyRule
from gk.errors import ConfigError

VALUES = dict.fromkeys(VARIABLES, "") | {
    "ai_response": "Yes, **of course**.", "sender_name": "Alice Martin", "customer_name": "Zoé", "category": "support",
    "original_subject": "<b>Help</b>", "response_date": "3 mars 2026", "brand": "Example & Co", "language": "fr",
    "disclaimer": "Confidential.",
}  # fmt: skip


def test_the_default_template_is_there_in_both_languages_and_forms() -> None:
    templates = Templates()
    for language, greeting in (("fr", "Bonjour Zoé,"), ("en", "Hello Zoé,")):
        filled = templates.fill("default", language, VALUES)
        assert filled.text.startswith(greeting) and "Yes, **of course**." in filled.text
        assert filled.text.endswith("Alice Martin\nExample & Co\n\nConfidential.\n")
        assert "<strong>of course</strong>" in filled.html and 'width="600"' in filled.html
        assert "Example &amp; Co" in filled.html
        assert templates.needs_model("default", language) and not templates.needs_model("acknowledgement", language)


def test_an_acknowledgement_speaks_of_the_category() -> None:
    templates = Templates()
    said = {
        category: templates.fill("acknowledgement", language, VALUES | {"category": category})
        for language in ("fr", "en")
        for category in ("support", "billing", "sales", "scheduling", "other")
    }
    assert len({filled.text for filled in said.values()}) == 5
    assert "&lt;b&gt;Help&lt;/b&gt;" in said["support"].html


def test_ones_own_template_goes_before_that_of_gk(tmp_path: Path) -> None:
    (tmp_path / "default.en.txt").write_text("Dear {{ customer_name }}: {{ ai_response }}\n{% include '_me.txt' %}")
    (tmp_path / "_me.txt").write_text("-- {{ brand }}")
    (tmp_path / "price.fr.txt").write_text("{{ 1234.5 | format_currency('EUR', 'fr') }}")
    templates = Templates(tmp_path)
    assert templates.fill("default", "en", VALUES).text == "Dear Zoé: Yes, **of course**.\n-- Example & Co\n"
    assert templates.fill("price", "fr", VALUES).text == "1\u202f234,50\u00a0€\n"
    assert not templates.needs_model("price", "fr")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.en.txt", "{{ nobody }}", "unknown variable nobody"),
        ("x.en.txt", "{% if %}", "line 1"),
        ("x.en.txt", "{{ brand.foo.bar }}", "x.en.txt"),
        ("x.en.txt", "{{ ''.__class__.__mro__ }}", "x.en.txt"),
        ("x.en.txt", "{{ 'x' * 10000000000 }}", "x.en.txt"),
        ("x.en.txt", "{{ '%1000000000d' % 1 }}", "x.en.txt"),
        ("x.en.txt", "{{ 9 ** 999999 }}", "x.en.txt"),
        ("x.en.txt", "{% for i in range(99999) %}0123456789{% endfor %}", "more than"),
        ("x.en.txt", "{% include 'x.en.txt' %}", "x.en.txt"),
        ("x.en.txt", "{% include 'nowhere' %}", "x.en.txt"),
        ("x.en.html", "hello", "the text form is missing"),
        ("x.txt", "hello", "NAME.fr.txt"),
        ("x.en.txt", "é".encode("latin-1"), "not UTF-8"),
        ("x.en.txt", "x" * 70_000, "larger than"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_at_the_start(
    tmp_path: Path, name: str, text: str | bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ConfigError, match=r"replies\.templates") as error:
        Templates(tmp_path)
    assert (said in str(error.value) and name in str(error.value)) or "UTF-8" in str(error.value)


def test_a_rule_names_templates_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no template other\.fr\.txt"):
        checked(Replies(rules=(ReplyRule("a", template="other"),)), None)
    (tmp_path / "other.en.txt").write_text("hello")
    assert checked(Replies(rules=(ReplyRule("a", template="other", languages=("en",)),)), tmp_path)
    with pytest.raises(ConfigError, match="No such file"):
        checked(Replies(), tmp_path / "nowhere")


def test_a_template_that_fails_later_says_where(tmp_path: Path) -> None:
    (tmp_path / "x.en.txt").write_text("{{ brand * 2 }}{% if brand %}{{ 1 / 0 }}{% endif %}")
    with pytest.raises(TemplateFailed, match=r"x\.en\.txt: ZeroDivisionError"):
        Templates(tmp_path).fill("x", "en", VALUES)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((1234.5, "EUR", "fr"), "1\u202f234,50\u00a0€"), ((1234.5,), "€1,234.50"), ((3, "usd"), "$3.00"),
        (("12,5", "CHF"), "CHF 12.50"), (("many",), "many"), (("nan",), "nan"), ((10**20,), str(10**20)),
    ],
)  # fmt: skip
def test_amounts_are_written_as_people_do(arguments: tuple[object, ...], text: str) -> None:
    assert format_currency(*arguments) == text  # type: ignore[arg-type]
