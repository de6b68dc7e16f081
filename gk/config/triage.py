"""The table about what mail is judged to be about when it is delivered."""

from dataclasses import dataclass

from gk.config.key import key


@dataclass(frozen=True, slots=True)
class Triage:
    """What delivered mail is about, how urgent it is, and whether an answer is awaited."""

    enabled: bool = key(True, "Mail that is delivered, but not to Junk, is judged soon after.")
    keywords: bool = key(True, "IMAP keywords tell the result: $gk-billing, $gk-urgent, $gk-reply, $gk-notification.")
