"""Names in the assistant's words, like G12 and R1, and what the user sees in their place, while the words come."""

import re
from collections.abc import Callable

NAME = re.compile(r"\{?\b([GR][1-9][0-9]{0,17})\b\}?")
_UNFINISHED = re.compile(r"\{?(?:[GR][0-9]{0,18})?\}?\Z")


class Naming:
    """Words that come in pieces; a name is not shown before its end is seen."""

    def __init__(self, show: Callable[[str], str], hear: Callable[[str], None]) -> None:
        """`show` gives what stands behind a name, "" for the name itself; `hear` gets text to be shown."""
        self._show, self._hear = show, hear
        self._rest = ""
        self.names: list[str] = []

    def feed(self, text: str) -> None:
        text = self._rest + text
        found = _UNFINISHED.search(text[-24:])
        cut = len(text[:-24]) + found.start() if found else len(text)
        self._rest = text[cut:]
        self._tell(text[:cut])

    def end(self) -> None:
        rest, self._rest = self._rest, ""
        self._tell(rest)

    def _tell(self, text: str) -> None:
        if text:
            self._hear(NAME.sub(lambda found: self._shown(found[1]) or found[0], text))

    def _shown(self, name: str) -> str:
        shown = self._show(name)
        if shown and name not in self.names:
            self.names.append(name)
        return shown
