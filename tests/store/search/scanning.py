"""The linear scan the index is compared with, and messages and needles at random."""

import base64
import quopri
import random
from array import array
from collections.abc import Sequence
from functools import lru_cache

from gk.imap import matching
from gk.imap.search_keys import InContent, InHeader
from gk.message.parsed import parse
from gk.message.searched import texts
from gk.message.text import fold
from gk.store.db import Store
from gk.store.search.room import Found, Where
from gk.store.values import Mailbox

FIELDS: tuple[Where, ...] = ("subject", "from", "to", "cc", "bcc")
EVERYWHERE: tuple[Where, ...] = ("text", "body", *FIELDS)

WORDS = (
    "Straße", "STRASSE", "İstanbul", "ısı", "e\u0301cole", "École", "ﬁnal", "Ǆ", "日本語の文章", "👩\u200d👧 family",
    "rechnung", "invoice", "Σίσυφος", "ΟΔΟΣ", "naïve", '"quoted"', "it's", "a'b\"c", "x\0y", "100%_", "ab", "=?", "?=",
    "\u0301", "\t", "<p>", "&amp;", "\u2028", "\u00a0", "\ufffe", "K", "tabs\tand  blanks", "re:", "fwd", "zz", "-",
)  # fmt: skip


def scanned(raw: bytes, needle: str, where: Where) -> bool:
    """What a scan of the message says."""
    parsed = scan(raw)
    if where in ("text", "body"):
        return matching.in_content(InContent(where == "text", needle), raw, parsed.parts)
    columns, test = matching.by_row(InHeader(where.encode(), needle), 0)
    assert columns == ("header",)
    return test(parsed.header)


scan = lru_cache(1000)(parse)


def agrees(found: Found, raws: dict[int, bytes], needle: str, where: Where) -> None:
    """The certain hits are those of the scan, and it finds no others than among the unsure."""
    hits = {uid for uid, raw in raws.items() if scanned(raw, needle, where)}
    certain, unsure = set(found.uids), set(found.unsure)
    assert certain <= hits, (needle, where, certain - hits)
    assert hits <= certain | unsure, (needle, where, hits - certain - unsure)
    assert not certain & unsure
    for uids in (found.uids, found.unsure):
        assert isinstance(uids, array) and list(uids) == sorted(uids)


async def asked(store: Store, mailbox: Mailbox, raws: dict[int, bytes], needles: Sequence[str]) -> int:
    """Compare the answers about these needles everywhere with the scan; how many messages were unsure."""
    unsure = 0
    for needle in needles:
        for where in EVERYWHERE:
            found = await store.search.find(mailbox, needle, where)
            agrees(found, raws, needle, where)
            unsure += len(found.unsure)
    return unsure


def message(chance: random.Random) -> bytes:
    """A message of parts, charsets and encodings at random."""
    subject, name = _text(chance, 6), _text(chance, 2)
    head = [
        _header(chance, "Subject", subject),
        _header(chance, "From", name) + " <a.b@example.org>",
        "To: " + chance.choice(["alice@example.test", "Group: a@b.example, c@d.example;", '"B, A" <b@example.org>']),
        "X-Thing: " + chance.choice(["one", "=?utf-8?q?caf=C3=A9?=", "two\r\n\tfolded"]),
        "Date: Fri, 20 Nov 2026 10:00:00 +0100",
    ]
    if chance.random() < 0.3:
        head += [_header(chance, "Cc", _text(chance, 2)), _header(chance, "cc", _text(chance, 1)), "Bcc: x@y.example"]
    if chance.random() < 0.5:
        content = _part(chance)
    else:
        kind = chance.choice(["mixed", "alternative", "digest"])
        content = f'Content-Type: multipart/{kind}; boundary="b"\r\n\r\npreamble\r\n'.encode()
        for _ in range(chance.randint(1, 3)):
            content += b"--b\r\n" + _part(chance) + b"\r\n"
        content += b"--b--\r\n"
    return "\r\n".join(head).encode("utf-8", "surrogateescape") + b"\r\n" + content


def _text(chance: random.Random, most: int) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(chance.randint(0, most)))


def _header(chance: random.Random, name: str, text: str) -> str:
    text = text.replace("\0", "")
    match chance.randint(0, 3):
        case 0:
            word = base64.b64encode(text.encode()).decode()
            return f"{name}: =?utf-8?b?{word[:60]}?=\r\n =?utf-8?B?{word[60:]}?="
        case 1:
            return f"{name}: =?utf-8?q?{quopri.encodestring(text.encode(), header=True).decode().replace('?', '=3F')}?="
        case 2:
            return f"{name}: {text}".replace(" ", "\r\n ", 1)
    return f"{name}:{text}"


def _part(chance: random.Random) -> bytes:
    charset = chance.choice(["utf-8", "utf-8", "utf-16", "iso-8859-1", "utf-7", "unknown"])
    kind = chance.choice(["plain", "html", "calendar"])
    text = "\r\n".join(_text(chance, 8) for _ in range(chance.randint(0, 12)))
    if kind == "html":
        text = f"<html><style>p {{}}</style><p title='{text[:20]}'>{text}</p><script>no</script>"
    data = text.encode("utf-8" if charset == "unknown" else charset, "replace")
    encoding = chance.choice(["8bit", "base64", "quoted-printable"])
    if encoding == "base64":
        data = base64.encodebytes(data).replace(b"\n", b"\r\n")
    elif encoding == "quoted-printable":
        data = quopri.encodestring(data).replace(b"\n", b"\r\n")
    return (
        f"Content-Type: text/{kind}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + data
    )


def needles(chance: random.Random, raws: Sequence[bytes], count: int) -> list[str]:
    """Pieces of what these messages hold, words, and what none of them holds."""
    found = [*WORDS, "nowhere at all", "\n", "a\nb", "\0", "x\0y", '""', "AND", "\ufffd", "st", "s"]
    for _ in range(count):
        raw = chance.choice(raws)
        text = "".join(fold(t) for t in texts(raw, scan(raw).tree, body=True, header=True))
        text = text.encode("utf-8", "replace").decode()
        at = chance.randrange(max(1, len(text)))
        found.append(text[at : at + chance.choice([1, 2, 3, 4, 5, 9, 20, 60, 300])] or "x")
    return found
