"""The signs of a message by which Bayes knows it: words, pairs of words, hosts, and how it is made, as numbers.

A sign is a number below 2^20 (a CRC-32 cut off): two signs may fall together, and both are rarely in one message.
What a number stands for is kept beside it, for those who ask why.
"""

import re
from itertools import pairwise
from zlib import crc32

from gk.inbound.spam.seen import Seen, site

SIGNS = 1 << 20
WORDS = 1500
MOST = 2500  # signs of one message
LONGEST = 40  # characters of a word
HOPS = 4  # Received fields that are read, from the top
OF_A_FIELD = 60  # words

_WORD = re.compile(r"[^\W_]++(?:['.@$!%-][^\W_]++)*+|[$!€£]++")
_ASCII_WORD = re.compile(r"[A-Za-z0-9]++(?:['.@$!%-][A-Za-z0-9]++)*+|[$!]++")  # the same, sooner
_TAG = re.compile(  # `<[a-z]+|\b(?:color|bgcolor|…)=…`, so written that it leaps from one possible letter to the next
    r"[<cbsf](?:(?<=<)[a-z]+"
    r"|(?<![<\w][cbsf])(?:(?<=c)olor|(?<=b)gcolor|(?<=s)rc|(?<=f)ace|(?<=s)ize)=[^\s>]{1,30})"
)

_READ = {  # fields whose words count, with the letter that tells them from words of the text
    "subject": "s", "from": "f", "to": "t", "reply-to": "r", "return-path": "p", "message-id": "m", "x-mailer": "x",
    "user-agent": "x", "content-type": "c", "received": "v", "list-id": "l", "content-transfer-encoding": "c",
    "sender": "f", "precedence": "l", "date": "d", "x-priority": "x", "list-unsubscribe": "l",
}  # fmt: skip
_OURS = frozenset({"authentication-results", "delivered-to", "x-gk-verdict"})  # written here, or by who forwarded it


def signs(seen: Seen) -> dict[int, str]:
    """The signs of a message, each once."""
    found: list[str] = []
    hops = 0
    for name, value, _, _ in seen.fields:
        if name in _OURS:
            continue
        found.append(f"h:{name[:LONGEST]}")
        letter = _READ.get(name)
        if name == "received":
            hops += 1
            if hops > HOPS:
                continue
        if letter:
            found += _words(value, letter + ":", OF_A_FIELD, pairs=letter in "sf")
    found += [f"ct:{kind}" for kind in seen.types]
    hosts = dict.fromkeys(link.host for link in seen.links)
    found += [f"u:{host}" for host in hosts]
    found += [f"u:{site(host)}" for host in hosts]
    found += [f"tag:{tag.removeprefix('<')}" for tag in dict.fromkeys(_TAG.findall(seen.html.lower()))]
    found += _words(seen.text, "", WORDS, pairs=True)
    del found[MOST:]
    octets = "\n".join(found).encode("utf-8", "replace").split(b"\n")  # no sign has a line end in it
    return {crc32(each) % SIGNS: sign for each, sign in zip(octets, found, strict=True)}


def _words(text: str, prefix: str, most: int, *, pairs: bool) -> list[str]:
    text = text[: 12 * most]
    shown = (_ASCII_WORD if text.isascii() else _WORD).findall(text)[:most]
    if not shown:
        return []
    if max(map(len, shown)) > LONGEST:
        shown = [word[:LONGEST] for word in shown]
    words = "\n".join(shown).lower().split("\n")  # all at once: no word has a line end in it
    if prefix:
        words = [prefix + word for word in words]
    loud = [f"U:{word.lower()}" for word in filter(str.isupper, shown) if len(word) > 2]
    if pairs:
        loud += map(" ".join, pairwise(words))
    return words + loud
