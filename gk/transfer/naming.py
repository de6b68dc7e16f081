"""Names of folders: what another program's are called here, and which use a name gives away."""

import hashlib
from collections.abc import Iterable, Sequence

from gk.errors import BadName
from gk.message import utf7
from gk.store.names import LEVEL_BYTES, LEVELS, canonical
from gk.transfer.values import Folder

# The folders mail programs make by themselves, in English, French and German, most usual first.
_USES = {
    "\\Sent": (
        "sent", "sent items", "sent messages", "sent mail", "sent-mail", "sentmail", "envoyés", "messages envoyés",
        "éléments envoyés", "courrier envoyé", "objets envoyés", "gesendet", "gesendete objekte", "gesendete elemente",
        "gesendete nachrichten",
    ),
    "\\Drafts": ("drafts", "draft", "brouillons", "brouillon", "entwürfe", "entwurf"),
    "\\Junk": (
        "junk", "spam", "junk e-mail", "junk email", "junk mail", "bulk mail", "bulk", "indésirables",
        "courrier indésirable", "courriers indésirables", "pourriel", "pourriels", "spamverdacht", "spam-verdacht",
        "unerwünscht", "junk-e-mail", "werbung",
    ),
    "\\Trash": (
        "trash", "deleted items", "deleted messages", "deleted", "bin", "corbeille", "éléments supprimés",
        "messages supprimés", "papierkorb", "gelöscht", "gelöschte objekte", "gelöschte elemente",
    ),
    "\\Archive": ("archive", "archives", "archivé", "archivés", "archiv", "archived"),
}  # fmt: skip
_ORDER = {name: (use, place) for use, names in _USES.items() for place, name in enumerate(names)}


def decoded(raw: str) -> str:
    """One level of a name in modified UTF-7, as servers write it to disk; any other text is itself."""
    try:
        return utf7.decode(raw.encode()) if raw.isascii() else raw
    except utf7.BadEncoding:
        return raw


def guessed(folders: Sequence[Folder]) -> dict[Folder, str]:
    """The uses of folders that do not tell, by the names of the topmost; each use once, only if nobody told."""
    told = {folder.use for folder in folders if folder.use}
    best: dict[str, tuple[int, Folder]] = {}
    for folder in folders:
        if folder.use is not None or len(folder.levels) != 1:
            continue
        use, place = _ORDER.get(folder.levels[0].casefold(), ("", 0))
        if use and use not in told and (use not in best or place < best[use][0]):
            best[use] = (place, folder)
    return {folder: use for use, (_, folder) in best.items()}


def clean(levels: Iterable[str]) -> str:
    """The mailbox name next to what a folder is called, always a valid one."""
    plain = [_level(level) for level in levels]
    if len(plain) > LEVELS:
        plain[LEVELS - 1 :] = [_level("_".join(plain[LEVELS - 1 :]))]
    name = "/".join(plain) or "_"
    try:
        return canonical(name)
    except BadName:  # nothing that is known to be left; a name it must have
        return "_" + hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _level(level: str) -> str:
    text = "".join("_" if _odd(c) else c for c in level)
    if text in ("", ".", ".."):
        return text.replace(".", "_") or "_"
    raw = text.encode()
    if len(raw) > LEVEL_BYTES:
        mark = hashlib.blake2b(raw, digest_size=4).hexdigest()
        text = raw[: LEVEL_BYTES - 9].decode(errors="ignore") + "~" + mark
    return text


def _odd(c: str) -> bool:
    return c == "/" or ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or c in "\u2028\u2029" or "\ud800" <= c <= "\udfff"
