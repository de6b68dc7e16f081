"""Google Takeout: one mbox for everything, in which X-Gmail-Labels tells where a message belongs."""

from gk.message.header import unfold
from gk.message.text import decode_words
from gk.transfer import words
from gk.transfer.values import Folder

_PLACES = (  # the first of these a message has is where it goes
    ("\\Trash", {"trash", "bin", "corbeille", "papierkorb"}),
    ("\\Junk", {"spam"}),
    ("\\Drafts", {"drafts", "draft", "brouillons", "entwürfe"}),
    ("INBOX", {"inbox", "boîte de réception", "posteingang"}),
    ("\\Sent", {"sent", "sent mail", "messages envoyés", "gesendet"}),
)
_NAMES = {"\\Trash": "Trash", "\\Junk": "Junk", "\\Drafts": "Drafts", "\\Sent": "Sent", "\\Archive": "Archive"}
_UNREAD = {"unread", "non lus", "non lu", "ungelesen"}
_STARRED = {"starred", "suivis", "messages suivis", "markiert"}
_IMPORTANT = {"important", "importants", "wichtig"}
_NOTHING = {"opened", "ouvert", "geöffnet", "archived", "archivé", "archiviert", "all mail", "chat", "chats"}


def placed(labels: bytes, flags: frozenset[str]) -> tuple[Folder, frozenset[str]]:
    """The folder and flags that labels stand for; further labels of the user's own become keywords."""
    names = [label for text in decode_words(unfold(labels)).split(",") if (label := text.strip(' "'))]
    known = {name.casefold() for name in names}
    found = set(flags)
    if not known & _UNREAD:
        found.add(words.SEEN)
    if known & _STARRED:
        found.add(words.FLAGGED)
    if known & _IMPORTANT:
        found.add("$Important")  # RFC 8457
    own = [name for name in names if not _is_known(name.casefold())]
    place = next((place for place, called in _PLACES if known & called), None)
    if place == "INBOX":
        folder = Folder(("INBOX",))
    elif place is not None:
        folder = Folder((_NAMES[place],), place)
    elif own:
        folder = Folder(tuple(level.strip() for level in own.pop(0).split("/")))
    else:
        folder = Folder(("Archive",), "\\Archive")
    found |= {word for name in own if (word := words.as_keyword(name))}
    return folder, frozenset(found)


def _is_known(name: str) -> bool:
    fixed = _UNREAD | _STARRED | _IMPORTANT | _NOTHING
    return name in fixed or any(name in called for _, called in _PLACES) or name.startswith(("category ", "catégorie"))
