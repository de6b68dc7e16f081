"""Links and addresses in what a model writes: a model may not send people anywhere.

Text is looked at in its compatibility form (NFKC), so that no look-alike of a letter or dot hides a link.
"""

import re
import unicodedata

# Names that mail programs make links of although no scheme stands before them; longer ones come first.
_NAMES = (
    "(?:com|net|org|info|biz|io|co|dev|app|ai|me|eu|fr|de|uk|us|ch|be|ca|it|es|nl|ru|cn|xyz|top|site|online|shop|test)"
)
_LINK = re.compile(
    r"(?:[a-z][a-z0-9+.-]{1,20}:/?/|mailto:|javascript:|data:|www\.)[^\s<>\"]+"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    rf"|(?<![\w@.-])(?:[\w-]{{1,63}}\.){{1,8}}{_NAMES}(?![\w-])(?:[/?#:][^\s<>\"]*)?",
    re.IGNORECASE,
)
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_END = ".,;:!?)]}>'\"»"


def plain(text: str) -> str:
    """The text in compatibility form, without characters that cannot be seen."""
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", text))


def links(text: str) -> frozenset[str]:
    """What in a text is a link or an address, in lower case."""
    return frozenset(found[0].rstrip(_END).lower() for found in _LINK.finditer(plain(text)))


def without_new_links(text: str, source: str) -> str:
    """The text without links and addresses that its source does not have."""
    known = links(source)

    def kept(found: "re.Match[str]") -> str:
        bare = found[0].rstrip(_END)
        return found[0] if bare.lower() in known else "[…]" + found[0][len(bare) :]

    return _LINK.sub(kept, plain(text))
