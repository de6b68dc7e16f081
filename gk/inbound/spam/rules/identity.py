"""People and domains somebody pretends to be."""

import re
import unicodedata

from gk.inbound.spam.rule import Around, Found, rule
from gk.inbound.spam.seen import Seen, site

_MARKS = re.compile(r"[^\w]+")
_ADDRESS = re.compile(r"[\w.+-]{1,64}@([\w-]{1,63}(?:\.[\w-]{1,63}){1,8})")
_FREE_LISTED = """
    gmail.com googlemail.com outlook.com hotmail.com hotmail.fr live.com live.fr msn.com yahoo.com yahoo.fr
    aol.com icloud.com me.com gmx.com gmx.de gmx.net web.de mail.com mail.ru yandex.ru yandex.com proton.me
    protonmail.com orange.fr wanadoo.fr free.fr sfr.fr laposte.net zoho.com qq.com 163.com 126.com
"""
_FREE = frozenset(_FREE_LISTED.split())
_BRANDS = {  # what is most often pretended: words of a name, and the domains they are true of
    "paypal": ("paypal.com", "paypal.fr"),
    "amazon": ("amazon.com", "amazon.fr", "amazon.de", "amazon.co.uk"),
    "ebay": ("ebay.com", "ebay.fr", "ebay.de", "ebay.co.uk"),
    "netflix": ("netflix.com",),
    "microsoft": ("microsoft.com", "microsoftonline.com"),
    "apple": ("apple.com",),
    "facebook": ("facebook.com", "facebookmail.com"),
    "instagram": ("instagram.com",),
    "linkedin": ("linkedin.com",),
    "dropbox": ("dropbox.com",),
    "docusign": ("docusign.net", "docusign.com"),
    "coinbase": ("coinbase.com",),
    "binance": ("binance.com",),
    "dhl": ("dhl.com", "dhl.de", "dhl.fr"),
    "fedex": ("fedex.com",),
    "chronopost": ("chronopost.fr",),
    "colissimo": ("laposte.fr", "laposte.net", "colissimo.fr"),
    "ameli": ("ameli.fr",),
    "assurance maladie": ("ameli.fr",),
    "impots": ("gouv.fr",),
    "impôts": ("gouv.fr",),
    "bnp paribas": ("bnpparibas", "bnpparibas.com", "bnpparibas.net"),
    "crédit agricole": ("credit-agricole.fr",),
    "société générale": ("societegenerale.fr", "socgen.com"),
}
_KNOWN = frozenset(domain for domains in _BRANDS.values() for domain in domains)
_SAME = str.maketrans(  # letters of other scripts, and figures, that pass for Latin ones
    {
        "а": "a", "е": "e", "о": "o", "р": "p", "с": "c", "у": "y", "х": "x", "і": "i", "ј": "j", "ѕ": "s", "ԁ": "d",
        "һ": "h", "ԛ": "q", "ԝ": "w", "α": "a", "ο": "o", "ν": "v", "ρ": "p", "τ": "t", "ι": "i", "κ": "k", "0": "o",
        "1": "l", "3": "e", "5": "s", "ı": "i",
    }
)  # fmt: skip


@rule("another_address_in_name", 2.5)
def another_address_in_name(seen: Seen, around: Around) -> Found:
    """The name of the author is an address, of another domain than the true one."""
    if not seen.author:
        return None
    shown = _ADDRESS.search(seen.author.name)
    if shown and site(shown[1].lower()) != site(seen.author.domain):
        return f"it shows {shown[0][:80]} and comes from {seen.author.domain[:80]}", seen.where("from")
    return None


@rule("pretends_a_user", 2.5)
def pretends_a_user(seen: Seen, around: Around) -> Found:
    """The name of somebody here, with an address elsewhere."""
    if not seen.author or seen.author.domain in around.domains or not seen.author.name:
        return None
    name = " ".join(seen.author.name.lower().split())
    return ("it bears the name of a user of this server", seen.where("from")) if name in around.users else None


@rule("pretends_a_brand", 2.5)
def pretends_a_brand(seen: Seen, around: Around) -> Found:
    """A well-known name on an address that is not theirs."""
    if not seen.author:
        return None
    brand = _brand_in(seen.author.name)
    if brand and not _is_of(seen.author.domain, brand):
        return f"it calls itself {brand} and comes from {seen.author.domain[:80]}", seen.where("from")
    return None


@rule("speaks_for_a_brand", 1.5)
def speaks_for_a_brand(seen: Seen, around: Around) -> Found:
    """A subject about a well-known name, from somebody else, with links to neither."""
    brand = _brand_in(seen.subject) if seen.author and seen.links and not seen.value("list-id") else ""
    if not brand or not seen.author or _is_of(seen.author.domain, brand):
        return None
    if any(_is_of(link.host, brand) for link in seen.links):
        return None
    return f"it speaks of {brand}, and neither its author nor a link is theirs", seen.where("subject")


@rule("look_alike_domain", 3.0)
def look_alike_domain(seen: Seen, around: Around) -> Found:
    """The author's domain, or one that is linked, reads like one of ours or of the well-known, and is another."""
    known = around.domains | _KNOWN
    hosts = [seen.author.domain] if seen.author else []
    for host in hosts + [link.host for link in seen.links[:50]]:
        domain = site(_unicode(host))
        if domain in known or site(host) in known:
            continue
        plain = _plain(domain)
        if plain != domain and plain in known:
            return f"{domain[:80]} reads like {plain}"
        if (near := next((k for k in around.domains if _one_apart(plain, k)), None)) is not None:
            return f"{domain[:80]} reads like {near}"
    return None


@rule("mixed_scripts", 1.5)
def mixed_scripts(seen: Seen, around: Around) -> Found:
    """Words of the subject or of the name with letters of two scripts: Latin with Cyrillic or Greek."""
    for text in (seen.subject, seen.author.name if seen.author else ""):
        for word in text.split()[:50] if not text.isascii() else ():
            scripts = {unicodedata.name(c, "").partition(" ")[0] for c in word[:60] if c.isalpha()}
            if "LATIN" in scripts and scripts & {"CYRILLIC", "GREEK"}:
                return "a word mixes letters of two alphabets"
    return None


@rule("answers_go_elsewhere", 1.5)
def answers_go_elsewhere(seen: Seen, around: Around) -> Found:
    """Answers go to a free mailbox of another provider than the author's."""
    author, reply = seen.author, seen.reply_to
    if not author or not reply or site(author.domain) == site(reply.domain) or seen.value("list-id"):
        return None
    return (f"answers go to {reply.domain[:80]}", seen.where("reply-to")) if reply.domain in _FREE else None


def _brand_in(text: str) -> str:
    """The well-known name that stands in a text, letters that pass for others seen through; "" without one."""
    plain = " ".join(_MARKS.sub(" ", text.lower()).translate(_SAME).split())
    return next((brand for brand in _BRANDS if f" {brand} " in f" {plain} "), "")


def _is_of(host: str, brand: str) -> bool:
    return any(host == domain or host.endswith("." + domain) for domain in _BRANDS[brand])


def _unicode(host: str) -> str:
    if "xn--" not in host:
        return host
    labels = []
    for label in host.split("."):
        if label.startswith("xn--"):
            try:
                label = label[4:].encode("ascii").decode("punycode")
            except (UnicodeError, ValueError, OverflowError):
                return host
        labels.append(label)
    return ".".join(labels)


def _plain(domain: str) -> str:
    bare = domain
    if not domain.isascii():
        bare = "".join(c for c in unicodedata.normalize("NFKD", domain) if not unicodedata.combining(c))
    return bare.translate(_SAME).replace("rn", "m").replace("vv", "w")


def _one_apart(a: str, b: str) -> bool:
    """Whether one letter was changed, added, left out, or swapped with its neighbour; of names long enough to tell."""
    if a == b or abs(len(a) - len(b)) > 1 or min(len(a), len(b)) < 8:
        return False
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    if a[start + 1 :] == b[start + 1 :] or a[start:] == b[start + 1 :] or a[start + 1 :] == b[start:]:
        return True
    return a[start : start + 2] == b[start : start + 2][::-1] and a[start + 2 :] == b[start + 2 :]
