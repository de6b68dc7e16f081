"""How a text is hidden from those who read for words: invisible parts, letters without width, pictures, forms."""

import re

from gk.inbound.spam.rule import Around, Found, rule
from gk.inbound.spam.seen import Seen

_UNSEEN = (  # as styles say it, without blanks
    "display:none", "visibility:hidden", "font-size:0;", "font-size:0px", "font-size:0pt", "opacity:0;",
    "color:#fff;background:#fff", "color:white;background:white", "color:#ffffff;background-color:#ffffff",
)  # fmt: skip
_ZERO = re.compile("[\u200b\u200c\u200d\u2060\ufeff\u00ad]")
_WORDS = re.compile(r"\w+")
_PICTURE = re.compile(r"<img\b", re.IGNORECASE)


@rule("unseen_text", 1.5)
def unseen_text(seen: Seen, around: Around) -> Found:
    """HTML that hides a good part of what it says."""
    if "style" not in seen.html:
        return None
    bare = seen.html.lower().replace(" ", "")
    return "the HTML hides text" if sum(map(bare.count, _UNSEEN)) >= 3 else None


@rule("zero_width", 1.5)
def zero_width(seen: Seen, around: Around) -> Found:
    """Letters without width inside words, against those who read for words."""
    if seen.text.isascii():
        return None
    inside = sum(
        1 for m in _ZERO.finditer(seen.text[:10_000])
        if seen.text[m.start() - 1 : m.start()].isalpha() and seen.text[m.end() : m.end() + 1].isalpha()
    )  # fmt: skip
    return f"{inside} letters without width inside words" if inside >= 5 else None


@rule("picture_only", 1.5)
def picture_only(seen: Seen, around: Around) -> Found:
    """A linked picture and next to no text."""
    if not seen.links or not _PICTURE.search(seen.html):
        return None
    return "a picture instead of text" if len(_WORDS.findall(seen.text[:2000])) < 25 else None


@rule("html_form", 1.5)
def html_form(seen: Seen, around: Around) -> Found:
    """A form to fill in, inside the message."""
    has = re.search(r"<form\b|<input\b[^<>]{0,200}\bpassword", seen.html, re.IGNORECASE)
    return "the HTML has a form to fill in" if has else None
