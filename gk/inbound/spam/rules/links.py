"""Where links lead: elsewhere than they show, to bare addresses, to where anybody may put a page for an hour."""

import re

from gk.inbound.spam.rule import Around, Found, rule
from gk.inbound.spam.seen import Seen, host_in, site

SHORT = frozenset(
    {
        "bit.ly", "tinyurl.com", "t.ly", "is.gd", "v.gd", "ow.ly", "buff.ly", "cutt.ly", "rb.gy", "shorturl.at",
        "rebrand.ly", "tiny.cc", "lnkd.in", "t.co", "goo.gl", "s.id", "qrco.de", "urlz.fr", "bl.ink", "short.gy",
    }
)  # fmt: skip
HOSTING = (  # endings of names below which anybody may put a page
    ".web.app", ".firebaseapp.com", ".weebly.com", ".weeblysite.com", ".wixsite.com", ".blogspot.com",
    ".netlify.app", ".vercel.app", ".pages.dev", ".workers.dev", ".r2.dev", ".github.io", ".herokuapp.com",
    ".glitch.me", ".webflow.io", ".square.site", ".godaddysites.com", ".wordpress.com", ".000webhostapp.com",
    ".repl.co", ".ngrok.io", ".ngrok-free.app", ".duckdns.org", ".ddns.net", ".azurewebsites.net",
    ".core.windows.net", ".amplifyapp.com", ".backblazeb2.com", ".cloudfront.net", ".mystrikingly.com",
    ".ipfs.io", ".dweb.link", ".translate.goog", ".replit.app", ".onrender.com",
)  # fmt: skip


@rule("link_shows_another_host", 2.0)
def link_shows_another_host(seen: Seen, around: Around) -> Found:
    """A link whose text is the name of one host and which leads to another."""
    own = site(seen.author.domain) if seen.author else ""
    for link in seen.links:
        shown = host_in(link.shown) if "." in link.shown else ""
        bulk = site(link.host) == own or seen.value("list-unsubscribe")  # those who count clicks say who they are
        if shown and "@" not in link.shown and site(shown) != site(link.host) and not bulk:
            return f"a link shows {shown[:80]} and leads to {link.host[:80]}"
    return None


@rule("link_to_an_address", 2.0)
def link_to_an_address(seen: Seen, around: Around) -> Found:
    """A link to a bare IP address."""
    bare = next((link.host for link in seen.links if re.fullmatch(r"[\d.]+|[0-9a-f:]+", link.host)), None)
    return f"a link leads to {bare}" if bare else None


@rule("short_link", 1.0)
def short_link(seen: Seen, around: Around) -> Found:
    """A link that says nothing about where it leads."""
    found = next((link.host for link in seen.links if link.host.lower() in SHORT and len(link.path) > 1), None)
    return f"a link hides where it leads behind {found}" if found else None


@rule("hosted_anywhere", 1.2)
def hosted_anywhere(seen: Seen, around: Around) -> Found:
    """A link to a page that anybody could have put there, of somebody with a name elsewhere."""
    own = site(seen.author.domain) if seen.author else ""
    hosts = (link.host.lower() for link in seen.links)
    found = next((host for host in hosts if host.endswith(HOSTING) and not host.endswith(own or "\n")), None)
    return f"a link leads to {found[:80]}, where anybody may put a page" if found else None
