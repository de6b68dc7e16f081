"""What ties messages together: message ids (RFC 5322 section 3.6.4) and base subjects (RFC 5256 section 2.1)."""

import re

from gk.message.header import unfold

IDS = 50  # ids of one field that are kept
ID = 998  # octets of an id; RFC 5322 section 2.1.1
SUBJECT = 2_000  # characters of a subject that count

_ID = re.compile(rb"<[^<>]++>")
_BLANK = re.compile(r"\s+")
_REFWD = re.compile(
    r"(?:re|fwd?|aw|wg|sv|vs|antw|tr|rif|ref|res|enc|rv)\s*+(?:\[[^\[\]]*+\]\s*+)?+:\s*+",
    re.IGNORECASE,
)
_BLOB = re.compile(r"\[[^\[\]]*+\]\s*+")


def message_ids(value: bytes, limit: int = IDS) -> list[bytes]:
    """The ids of a Message-ID, In-Reply-To or References value, in their angle brackets, each once.

    When there are more than `limit`, the first and the last ones stay: the root and the nearest parents.
    A value without brackets that is one word is taken as an id, as many programs send it so.
    """
    if b"\n" in value:
        value = unfold(value)
    found = [item for item in dict.fromkeys(map(_compact, _ID.findall(value))) if 0 < len(item) <= ID]
    if not found:
        bare = value.strip()
        if bare and len(bare) < ID - 1 and bare.translate(None, b"<>") == bare and len(bare.split()) == 1:
            found = [b"<" + bare + b">"]
    if len(found) > limit:
        return found[:1] + found[1 - limit :] if limit > 1 else found[:limit]
    return found


def _compact(item: bytes) -> bytes:
    """An id without the blanks that obsolete syntax allows in it (RFC 5322 section 4.5.4); words are no id."""
    if b" " not in item and b"\t" not in item:
        return item
    return b"".join(item.split()) if b"@" in item else b""


def base_subject(subject: str) -> str:
    """The subject without what replies and forwards add to it, in one case: equal for messages of one conversation.

    RFC 5256 section 2.1, with the reply prefixes of other languages beside `re`, `fw` and `fwd`.
    """
    text = _BLANK.sub(" ", subject[:SUBJECT]).strip()
    while True:
        text = _without_trailers(text)
        at = 0
        while True:  # section 2.1 (3) to (5): reply marks, and blobs as long as they leave something
            found = _REFWD.match(text, at) or _BLOB.match(text, at)
            if found is None or (found.end() == len(text) and text[at] == "["):
                break
            at = found.end()
        text = text[at:]
        if text[:5].lower() == "[fwd:" and text[-1:] == "]":
            text = text[5:-1].strip()  # (6)
            continue
        return text.strip().lower()


def _without_trailers(text: str) -> str:
    end = len(text)
    while text[end - 5 : end].lower() == "(fwd)":
        end -= 5
        while end and text[end - 1] == " ":
            end -= 1
    return text[:end]
