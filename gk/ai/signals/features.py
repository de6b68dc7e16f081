"""What the classifiers look at: the words of a mail, their pairs, and marks of its form."""

from dataclasses import dataclass
from datetime import UTC, datetime

from gk.ai.signals import words
from gk.ai.signals.compression import Own
from gk.ai.signals.entities import Entity
from gk.ai.view import View

FRENCH = frozenset(
    """
    le la les un une des du de et est en que qui dans pour pas sur au aux avec ce cette ces il elle nous vous je tu
    on ne se sa son ses mon ma mes notre votre vos nos leur leurs ou mais donc par plus sont ont ai avez avons etes
    suis sera si y bonjour merci cordialement bien tout tous toute comme aussi etre avoir fait faire peut quand chez
    sans sous apres avant cela ca c j l d n qu s t m meme tres deja encore depuis ici jour jours demain mois entre
    deux trois cet celui dont voici voila veuillez madame monsieur salut bises bisous aujourd hui
    """.split()
)
ENGLISH = frozenset(
    """
    the and of to is in it you that for on with as are be this at from or by we our your my he she they i have has
    had was were not but if will would can could should an what which who when where how there their them his her
    its been do does did so no yes please thanks thank regards hello hi dear best any some all just about up out
    more than then now get got let know here into over after before today tomorrow week month new one two three us
    me him these those only also very don isn doesn didn ll ve re im
    """.split()
)  # words of both (`on`, `me`, `a`) say little and stand where they are more frequent
SHORT, LONG = 25, 150  # words
NEAR = 2  # days ahead in which a date is near


@dataclass(frozen=True, slots=True)
class Features:
    """What is known of a mail before it is judged.

    `folded` is the fold of subject and own text with a line end between them; `words` holds stems, pairs of stems and
    stems of the subject (`s:`); `marks` begin with `#` or, for the words of the local part, with `f:`.
    `french` and `english` count frequent words of each language; `scale` is what sums over words are multiplied with.
    """

    folded: str
    words: frozenset[str]
    marks: frozenset[str]
    scale: float
    french: int
    english: int
    count: int


def features(
    view: View, own: Own, text: str, folded: str, found: list[Entity], days: list[tuple[int, int]]
) -> Features:
    """Take note of a mail; `text` is its subject, a line end and its own text, `folded` the
    fold of it, `found` and `days` what it names."""
    tokens = folded.split()
    stemmed = [token[: words.STEM] for token in tokens]
    known = set(stemmed)
    count = len(known)
    known.update(words.pairs(stemmed))
    head = len(folded[: len(view.subject)].split())
    known.update(["s:" + stem for stem in stemmed[:head]])
    french, english = sum(map(FRENCH.__contains__, tokens)), sum(map(ENGLISH.__contains__, tokens))
    marks = set(view.marks)
    marks.update(["f:" + stem for stem in words.stems(words.fold(view.local))])
    _form(view, own, text, tokens, marks)
    for entity in found:
        marks.add("#" + entity.type)
    if days and view.sent is not None and _near(days, view.sent):
        marks.add("#near")
    return Features(folded, frozenset(known), frozenset(marks), (count + 10) ** -0.5, french, english, len(tokens))


def _form(view: View, own: Own, text: str, tokens: list[str], marks: set[str]) -> None:
    if questions := text.count("?"):
        marks.add("#question")
        if questions > 2:
            marks.add("#questions")
        if text.rstrip()[-60:].count("?"):
            marks.add("#question at the end")
    if text.count("!") > 1:
        marks.add("#exclaims")
    links = text.count("://")
    if links:
        marks.add("#links" if links > 2 else "#one link")
    size = len(tokens)
    marks.add("#short" if size < SHORT else "#long" if size > LONG else "#middle")
    if own.quoted:
        marks.add("#quotes")
    if own.forwarded:
        marks.add("#forwards")
    if own.boilerplate:
        marks.add("#boilerplate")
    if len(view.subject) > 8 and view.subject.isupper():
        marks.add("#loud")
    present = set(tokens)
    if present & _I:
        marks.add("#I")
    if present & _WE:
        marks.add("#we")
    if present & _YOU:
        marks.add("#you")
    if tokens and present & _GREETS and any(token in _GREETS for token in tokens[:40]):
        marks.add("#greets")
    if present & _TAKES_LEAVE:
        marks.add("#takes leave")
    names = {name for name in words.fold(view.name).split() if len(name) > 2} - _NO_NAMES
    marks.add("#signed" if names & set(tokens[-14:]) else "#unsigned")
    if text.rfind(":\n") > 0 or text.count(": ") > 3:
        marks.add("#table")


_I = frozenset("i im my me je j mon ma mes moi m".split())
_WE = frozenset("we our us nous notre nos on".split())
_YOU = frozenset("you your yours vous votre vos tu te ton ta tes toi t".split())
_GREETS = frozenset(
    ("bonjour bonsoir salut coucou hello hi hey dear cher chere chers cheres madame monsieur messieurs morning").split()
)
_TAKES_LEAVE = frozenset(
    ("regards cordialement sincerely faithfully cheers bises bisous bientot salutations love best hugs").split()
)
_NO_NAMES = frozenset("service team equipe news support info the les des".split())


def _near(days: list[tuple[int, int]], sent: int) -> bool:
    day = datetime.fromtimestamp(max(0, min(sent, 4_102_444_800)), UTC)
    return any(0 <= (month - day.month) * 30 + number - day.day <= NEAR for number, month in days)
