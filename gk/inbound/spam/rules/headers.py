"""Headers no ordinary program writes: missing, doubled, or impossible fields (RFC 5322 §3.6)."""

import re
import time

from gk.inbound.spam.rule import Around, Found, rule
from gk.inbound.spam.seen import Seen
from gk.message.date import parse_date

DAY = 86_400
_ONCE = ("from", "subject", "date", "message-id", "to")
_RANDOM = re.compile(r"[bcdfghjklmnpqrstvwxz]{7,}|(?:[a-z]{1,3}\d{1,3}){5,}", re.IGNORECASE)


@rule("no_date", 1.0)
def no_date(seen: Seen, around: Around) -> Found:
    """No Date field."""
    return None if seen.value("date") else "there is no Date"


@rule("no_message_id", 0.8)
def no_message_id(seen: Seen, around: Around) -> Found:
    """No Message-ID field."""
    return None if seen.value("message-id") else "there is no Message-ID"


@rule("no_author", 2.0)
def no_author(seen: Seen, around: Around) -> Found:
    """No From field, or none with an address in it."""
    return None if seen.author and seen.author.domain else "there is no address in From"


@rule("doubled_field", 1.5)
def doubled_field(seen: Seen, around: Around) -> Found:
    """A field that may stand once stands twice: programs disagree about which of them counts."""
    names = [name for name, _, _, _ in seen.fields]
    twice = next((name for name in _ONCE if names.count(name) > 1), None)
    return (f"{twice} stands more than once", seen.where(twice)) if twice else None


@rule("impossible_date", 1.5)
def impossible_date(seen: Seen, around: Around) -> Found:
    """Dated more than two days ahead: it wants to stay on top."""
    found = parse_date(seen.value("date").encode("utf-8", "replace"))
    return ("it is dated in the future", seen.where("date")) if found and found > time.time() + 2 * DAY else None


@rule("shouting", 1.0)
def shouting(seen: Seen, around: Around) -> Found:
    """A subject in capitals only."""
    letters = [c for c in seen.subject if c.isalpha()]
    loud = len(letters) >= 12 and sum(c.isupper() for c in letters) > 0.9 * len(letters)
    return ("the subject is in capitals", seen.where("subject")) if loud else None


@rule("no_subject_no_text", 1.0)
def no_subject_no_text(seen: Seen, around: Around) -> Found:
    """Neither a subject nor a text, but something attached or linked."""
    empty = not seen.subject and len(seen.text.split()) < 3
    return "there is neither subject nor text" if empty and (seen.files or seen.links) else None


@rule("random_local_part", 0.7)
def random_local_part(seen: Seen, around: Around) -> Found:
    """An author whose address was made by a machine."""
    local = seen.author.address.partition("@")[0] if seen.author else ""
    return ("the author's address looks made up", seen.where("from")) if _RANDOM.search(local) else None


@rule("false_reply", 1.2)
def false_reply(seen: Seen, around: Around) -> Found:
    """Re: in the subject of what answers nothing."""
    pretends = re.match(r"(?:re|aw|sv)\s*:", seen.subject, re.IGNORECASE)
    if not pretends or seen.value("in-reply-to") or seen.value("references"):
        return None
    honest = seen.value("x-mailer") or seen.value("user-agent") or seen.value("list-id")  # old programs leave them out
    return None if honest else ("it pretends to be an answer", seen.where("subject"))
