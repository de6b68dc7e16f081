"""Which mailbox of the account a folder of a source becomes: the one of the same use, else the one of its name."""

from collections.abc import Mapping, Sequence

from gk.transfer.naming import clean, guessed
from gk.transfer.values import ALL, Folder, Leaving


class Plan:
    """Decides once for each folder; what cannot be called the same is noted."""

    def __init__(self, folders: Sequence[Folder], mailboxes: Sequence[Leaving], into: str, notes: list[str]) -> None:
        self._notes = notes
        self._into = clean(into.split("/")) if into else ""
        self._alone = len(folders) == 1
        self._uses: dict[str, str] = {m.special_use: m.name for m in mailboxes if m.special_use}
        self._given: Mapping[Folder, str] = {} if into else guessed(folders)
        self._decided: dict[tuple[str, ...], str] = {}
        self.make: dict[str, str] = {}
        """The use of mailboxes that are to be made with one."""

    def target(self, folder: Folder) -> str:
        """The name of the mailbox the folder's messages go to."""
        decided = self._decided.get(folder.levels)
        if decided is None:
            decided = self._decided[folder.levels] = self._decide(folder)
        return decided

    def _decide(self, folder: Folder) -> str:
        if self._into:
            if self._alone or folder.levels == ("INBOX",):
                return self._into
            return self._noted(folder, clean([*self._into.split("/"), *folder.levels]), self._into + "/")
        use = "\\Archive" if folder.use == ALL else folder.use or self._given.get(folder)
        if use:
            if use not in self._uses:
                self._uses[use] = name = clean(folder.levels)
                self.make[name] = use
            return self._uses[use]
        for depth in range(len(folder.levels) - 1, 0, -1):
            if above := self._decided.get(folder.levels[:depth]):
                return self._noted(folder, clean([*above.split("/"), *folder.levels[depth:]]), "")
        return self._noted(folder, clean(folder.levels), "")

    def _noted(self, folder: Folder, name: str, above: str) -> str:
        if name != above + folder.name:
            self._notes.append(f"{folder.name!r} is called {name!r} here")
        return name
