"""What a model wrote, made inert: text, with a little Markdown at most; and that Markdown as HTML.

Not a Markdown parser: paragraphs, lists, bold, emphasis and code are known, everything else is text. There are no
images, no reference links and no raw HTML, and a link is shown as what it leads to.
"""

import re

from markupsafe import Markup, escape

from gk.ai.links import without_new_links

LONGEST = 8000  # characters
_IMAGE = re.compile(r"!\[([^\[\]\n]{0,300})\](?:\([^()\n]{0,2000}\)|\[[^\[\]\n]{0,300}\])?")
_INLINE = re.compile(r"\[([^\[\]\n]{1,300})\]\(([^()\s]{1,2000})[^()\n]{0,300}\)")
_REFERENCE = re.compile(r"\[([^\[\]\n]{1,300})\]\s?\[[^\[\]\n]{0,300}\]")
_DEFINITION = re.compile(r"^[ \t]*\[[^\[\]\n]{1,300}\]:.*$", re.MULTILINE)
_TAG = re.compile(r"<!--.{0,4000}?-->|</?[a-zA-Z!?][^<>]{0,2000}>", re.DOTALL)
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_PASSES = 4  # what is taken out may leave another of its kind

_ITEM = re.compile(r"[ \t]*(?:[-*•]|\d{1,3}[.)])[ \t]+")
_BOLD = re.compile(r"\*\*([^*\n]{1,500})\*\*")
_EMPHASIS = re.compile(r"(?<![\w*])\*([^*\n]{1,500})\*(?![\w*])")
_CODE = re.compile(r"`([^`\n]{1,500})`")
_URL = re.compile(r"https?://[^\s<>\"'&]+(?:&amp;[^\s<>\"'&]+)*")


def inert(text: str, source: str) -> str:
    """A model's text without markup that leads somewhere, without links and addresses that `source` does not have."""
    for _ in range(_PASSES):
        before = text
        text = _DEFINITION.sub("", _IMAGE.sub(r"\1", text))
        text = _REFERENCE.sub(r"\1", _INLINE.sub(_target, text))
        text = _TAG.sub("", text)
        if text == before:
            break
    else:
        text = text.replace("<", "").replace(">", "")
    text = without_new_links(text, source)
    return _BLANK_LINES.sub("\n\n", text.replace("\r\n", "\n")).strip()[:LONGEST]


def _target(found: "re.Match[str]") -> str:
    return found[1] if found[1] == found[2] else f"{found[1]} ({found[2]})"


def html(text: str) -> Markup:
    """The text as HTML: paragraphs and lists, bold, emphasis, code, and links as they stand in it."""
    out: list[str] = []
    for block in _BLANK_LINES.split(str(text)[: 2 * LONGEST].strip("\n")):
        lines = block.split("\n")
        items = [_ITEM.match(line) for line in lines]
        if lines and all(items):
            marked = "".join(f"<li>{_line(line[m.end() :])}</li>" for line, m in zip(lines, items, strict=True) if m)
            out.append(f"<ul>{marked}</ul>")
        elif block.strip():
            out.append(f"<p>{'<br>'.join(map(_line, lines))}</p>")
    return Markup("\n".join(out))  # noqa: S704 - every piece of text in it went through `escape`


def _line(text: str) -> str:
    safe = str(escape(text.strip()))
    safe = _CODE.sub(r"<code>\1</code>", safe)
    safe = _BOLD.sub(r"<strong>\1</strong>", safe)
    safe = _EMPHASIS.sub(r"<em>\1</em>", safe)
    return _URL.sub(lambda found: _anchor(found[0]), safe)


def _anchor(url: str) -> str:
    bare = url.rstrip(".,;:!?)*")
    return f'<a href="{bare}">{bare}</a>{url[len(bare) :]}'
