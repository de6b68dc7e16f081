"""Writing one answer: what a model said, put into a template, and the message that comes of it.

Every header field is made here, of the mail that is answered and of the configuration; none of a model's words.
"""

import re
import secrets
import time
from collections.abc import Sequence
from datetime import datetime

from gk.ai.model import ModelFailed, Prompt
from gk.ai.models import Models
from gk.ai.replying import prompts
from gk.ai.replying.context import Before, conversation, said
from gk.ai.replying.deciding import Case
from gk.ai.replying.inert import inert
from gk.ai.replying.letter import short_name
from gk.ai.replying.prompts import FIELDS, TOKENS, Written
from gk.ai.replying.templates import Filled
from gk.config.replies import Replies
from gk.message import compose
from gk.outbound.draft import Draft, Named, write

_RE = re.compile(r"(?:re|rép|ref|aw|sv)\s*(?:\[\d+\])?\s*:", re.IGNORECASE)
_MONTHS = {
    "en": "January February March April May June July August September October November December".split(),
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(),
}


class Silent(Exception):
    """There is an answer, and it is better not given; the message says why."""


async def asked(models: Models, case: Case, config: Replies, attached: str, before: Sequence[Before]) -> Written:
    """What a model answers, made inert. Raises ModelFailed and Silent."""
    nonce = secrets.token_hex(8)
    user = compose.clean(case.account.name) or case.account.address
    task = prompts.task(case.language, user, config.brand, case.rule.instructions, nonce)
    text = prompts.marked(conversation(case.letter, attached, before), nonce)
    found = await models.answer(case.account.id, Prompt(task, text, FIELDS, TOKENS, keep=False))
    fields = found.fields
    confidence = float(fields["confidence"])
    reply = str(fields["reply"])
    if not 0 <= confidence <= 1:
        raise ModelFailed("«confidence» is not between 0 and 1")
    if nonce in reply:
        raise ModelFailed("it says back what it was told")
    source = "\n".join(
        [case.letter.subject, said(case.letter), case.rule.instructions, *(one.text for one in before if one.ours)]
    )
    reply = inert(reply, source)
    if fields["needs_person"]:
        raise Silent("the model says that a person has to answer")
    if fields["language"] != case.language:
        raise Silent("the model answered in another language")
    if confidence < case.rule.confidence:
        raise Silent(
            f"the model is only {confidence:.2f} sure of its answer, the rule asks for {case.rule.confidence:g}"
        )
    if not reply:
        raise ModelFailed("the answer is empty")
    return Written(reply, case.language, confidence, False, found.model)


def values(case: Case, config: Replies, reply: str, thread: int, now: float) -> dict[str, str]:
    """What templates can speak of. `sender_name` is the user, `customer_name` who is answered."""
    user = compose.clean(case.account.name) or case.account.address
    day = datetime.fromtimestamp(now).astimezone()
    return {
        "ai_response": reply,
        "sender_name": user,
        "customer_name": short_name(case.letter.author_name),
        "original_subject": compose.clean(case.letter.subject),
        "response_date": f"{day.day} {_MONTHS[case.language][day.month - 1]} {day.year}",
        "thread_id": f"T{thread}" if thread else "",
        "urgency": str(case.said["urgency"]),
        "sentiment": str(case.said["sentiment"]),
        "category": str(case.said["category"]),
        "language": case.language,
        "workspace": config.brand,
        "brand": config.brand,
        "signature": config.signature,
        "disclaimer": config.disclaimer,
    }


def message(case: Case, author: Named, filled: Filled, hostname: str, reason: str) -> bytes:
    """The answer as a whole: a draft with its `reason`, or with "" one that is sent as it is. Raises Refused."""
    subject = compose.clean(case.letter.subject)
    headers = {"In-Reply-To": case.letter.in_reply_to, "References": case.letter.references}
    if reason:
        headers["X-GK-Reason"] = compose.clean(reason)
    else:
        headers["Auto-Submitted"] = "auto-replied"  # RFC 3834 §5
    draft = Draft(
        (str(case.target),), subject=subject if _RE.match(subject) else f"Re: {subject}".strip(), text=filled.text,
        html=filled.html, headers=headers,
    )  # fmt: skip
    return write(draft, author, compose.message_id(hostname), int(time.time()))
