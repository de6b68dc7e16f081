"""What happens in a conversation, as it happens: for a page or a terminal that shows it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of the assistant's words; what stands for mails in them is shown as their authors and subjects."""

    text: str


@dataclass(frozen=True, slots=True)
class Did:
    """A tool was called, with what came of it; `effect` is the number to take it back by, 0: nothing was changed."""

    tool: str
    words: str
    effect: int = 0


@dataclass(frozen=True, slots=True)
class Shown:
    """What was read in mails, under the name the assistant has for it; `mails` are those it stands in."""

    name: str
    text: str
    quote: str
    mails: Sequence[str]


@dataclass(frozen=True, slots=True)
class Waits:
    """Something waits for the user's yes, which is the word; `words` say what exactly would be done."""

    word: str
    words: str


@dataclass(frozen=True, slots=True)
class Over:
    """The end: the number of the conversation, to go on with, and the mails the answer speaks of."""

    conversation: int
    mails: Sequence[str]


Event = Said | Did | Shown | Waits | Over
