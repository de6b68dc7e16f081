"""What a model is given to answer a mail: the mail, what is attached to it, and what the two wrote before.

Only messages that both have seen are taken from a thread: anybody who knows a Message-ID can write into a thread, and
must not be told what stands in the rest of it. Quoted and hidden text is left out: quotations are whatever a writer
says that others said.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gk.ai.replying.letter import Letter
from gk.ai.signals.compression import own

ALL = 32 << 10  # octets of UTF-8 that a model is given in all
MAIL, ATTACHED, BEFORE = 12_000, 6_000, 2_000  # characters of the mail, of attachments, of each message before it
PREVIOUS = 8  # messages before it


@dataclass(frozen=True, slots=True)
class Before:
    """One earlier message of the conversation; `ours`: the user wrote it."""

    ours: bool
    date: str
    text: str


def seen_by(letter: Letter, correspondent: str) -> bool:
    """Whether somebody, by the lookup key of the address, wrote a message or got it openly."""
    return correspondent in letter.named


def said(letter: Letter) -> str:
    """What the writer of a message wrote in it."""
    return own(letter.view.text).text.strip()


def conversation(letter: Letter, attached: str, before: Sequence[Before]) -> str:
    """The text for the model: at most 32 KiB, the mail itself first to be kept, what is oldest first to go."""
    parts = [f"Subject: {letter.subject}", f"From: {letter.author_name[:100]}", "", said(letter)[:MAIL]]
    if letter.files:
        parts += ["", "Attached: " + "; ".join(letter.files)]
    if attached.strip():
        parts += ["", "Text of what is attached:", attached.strip()[:ATTACHED]]
    mail = "\n".join(parts)
    earlier = [f"[{'the user' if one.ours else 'the writer'}, {one.date}]\n{one.text[:BEFORE]}" for one in before]
    while earlier:
        text = "Earlier in this conversation:\n\n" + "\n\n".join(earlier) + "\n\nThe mail to answer:\n\n" + mail
        if len(text.encode("utf-8", "replace")) <= ALL:
            return text
        earlier = earlier[1:]
    return mail.encode("utf-8", "replace")[:ALL].decode("utf-8", "ignore")
