"""HTML mail as the lines a reader sees: blocks on lines of their own, citations marked as in plain text.

Not a parser of HTML: one pass over the tags. What is hidden by its style, and what scripts and style sheets hold, is
left out; `<blockquote>` becomes the `>` of RFC 3676 section 4.5.
"""

import re
from html import unescape

_TAG = re.compile(r"<!--|<(/?)([a-zA-Z][a-zA-Z0-9]*+)([^<>]*+)>?|<[!?][^<>]*+>?")
_BLANKS = re.compile(r"[ \t\r\n\f\u00a0]+")
_INVISIBLE = re.compile(r"[\u00ad\u034f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]+")
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|mso-hide\s*:\s*all|\shidden\b", re.I
)
# What only a program reads: as above, or white, clear, tiny, without height, or beside the page.
_UNREADABLE = re.compile(
    _HIDDEN.pattern + r"|opacity\s*:\s*0(?:\.0*)?\s*(?:[;\"']|\Z)|font-size\s*:\s*[01](?:\.\d+)?(?:px|pt|%)"
    r"|(?<![-\w])color\s*[:=]\s*[\"']?(?:white|transparent|#fff(?:fff)?\b|rgba?\(\s*255\s*,\s*255\s*,\s*255)"
    r"|(?<!-)(?:max-)?height\s*:\s*0(?!\.?[1-9])|text-indent\s*:\s*-\d{3}|(?:left|top)\s*:\s*-\d{3}",
    re.I,
)
_BLOCKS = frozenset(
    "address article aside blockquote br center dd div dl dt fieldset figcaption footer form h1 h2 h3 h4 h5 h6 header "
    "hr li main nav ol p pre section table tbody td tfoot th thead tr ul".split()
)
_UNREAD = frozenset("head script style template title noscript select object svg".split())
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())


def lines(html: str, *, wary: bool = False) -> str:
    """The visible text of `html`, lines ended by LF; any text gives some.

    `wary` leaves out what is hardly visible too: white text on a dark ground goes with it.
    """
    hidden = _UNREADABLE if wary else _HIDDEN
    out: list[str] = []
    at, depth = 0, 0
    size = len(html)
    while at < size:
        tag = _TAG.search(html, at)
        if tag is None:
            out.append(_BLANKS.sub(" ", html[at:]))
            break
        if tag.start() > at:
            out.append(_BLANKS.sub(" ", html[at : tag.start()]))
        at = tag.end()
        name = tag[2]
        if name is None:
            if tag[0] == "<!--":
                end = html.find("-->", at)
                at = size if end < 0 else end + 3
            continue
        name = name.lower()
        closing = bool(tag[1])
        if not closing and (
            name in _UNREAD or (tag[3] and name not in _VOID and len(tag[3]) < 2_000 and hidden.search(tag[3]))
        ):
            at = _behind(html, at, name)
            continue
        if name in _BLOCKS:
            if name == "blockquote":
                depth = max(0, depth + (-1 if closing else 1))
            out.append("\n" + "> " * min(depth, 5))
    text = _INVISIBLE.sub("", unescape("".join(out))).replace("\u00a0", " ")
    return "\n".join(line.strip(" ") for line in text.split("\n")).strip()


def _behind(html: str, at: int, name: str) -> int:
    """Where the element that opened before `at` ends; elements of its name inside it are counted.

    One that never ends hides the rest, as it does in a browser.
    """
    inside = 1
    for tag in re.compile(rf"<(/?){name}\b", re.IGNORECASE).finditer(html, at):
        inside += -1 if tag[1] else 1
        if inside == 0:
            end = html.find(">", tag.end())
            return len(html) if end < 0 else end + 1
    return len(html)
