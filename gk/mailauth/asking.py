"""Questions to the DNS whose answers are shown to people: what does not exist is empty, and everything is bounded."""

from collections.abc import Sequence

from gk.net.dns import Lookups, NoSuchName

RECORDS = 50  # of one name that are looked at
TEXT = 8 << 10  # characters of a record that are read; nobody's is longer who means well
SHOWN = 200  # characters of a stranger's record that are shown


class Asking:
    """A resolver for whom a name that does not exist has no records. Raises DnsFailed."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups

    async def texts(self, name: str) -> list[str]:
        """The TXT records of a name; octets outside ASCII as escapes."""
        try:
            found = await self._lookups.texts(name)
        except NoSuchName:
            return []
        return [text[:TEXT].decode("ascii", "backslashreplace") for text in found[:RECORDS]]

    async def versioned(self, name: str, version: str) -> list[str]:
        """The TXT records of one kind: those that begin with `version`, alone or before a blank or semicolon."""
        return [t for t in await self.texts(name) if t.partition(";")[0].partition(" ")[0].lower() == version.lower()]

    async def records(self, name: str, kind: str) -> list[str]:
        """The records of a name in the form of zone files, in lower case."""
        try:
            found = await self._lookups.records(name, kind)
        except NoSuchName:
            return []
        return [text[:TEXT].lower() for text in found[:RECORDS]]

    async def exchangers(self, domain: str) -> list[tuple[int, str]]:
        """(preference, host without its final dot) of the mail servers of a domain, best first."""
        try:
            found = await self._lookups.mx(domain)
        except NoSuchName:
            return []
        return sorted((preference, host.lower().rstrip(".")) for preference, host in found[:RECORDS])

    async def addresses(self, host: str) -> list[str]:
        """The addresses of a host."""
        try:
            return (await self._lookups.addresses(host))[:RECORDS]
        except NoSuchName:
            return []


def shown(texts: Sequence[str]) -> tuple[str, ...]:
    """Strangers' records, short enough to be read."""
    return tuple(text if len(text) <= SHOWN else text[:SHOWN] + "…" for text in texts)
