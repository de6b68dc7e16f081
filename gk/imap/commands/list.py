"""LIST (RFC 3501 §6.3.8), extended (RFC 5258), with STATUS (RFC 5819) and special uses (RFC 6154)."""

from collections.abc import Iterable
from dataclasses import dataclass

from gk.imap.commands.status import status_items, status_line
from gk.imap.conversation import Conversation
from gk.imap.grammar import BadSyntax, Cursor
from gk.imap.patterns import Pattern
from gk.imap.registry import command
from gk.imap.reply import Reply, ok
from gk.imap.session import LOGGED_IN
from gk.store.values import DELIMITER, Mailbox

_SELECT = frozenset({b"SUBSCRIBED", b"REMOTE", b"RECURSIVEMATCH", b"SPECIAL-USE"})
_RETURN = frozenset({b"SUBSCRIBED", b"CHILDREN", b"SPECIAL-USE"})


@dataclass(frozen=True, slots=True)
class _Request:
    """What one LIST asks for."""

    extended: bool
    select: frozenset[bytes]
    give: frozenset[bytes]  # what to return beside the names
    status: tuple[bytes, ...]
    patterns: tuple[Pattern, ...]
    empty: bool  # LIST "" "": only the delimiter is wanted


@command("LIST", when=LOGGED_IN, capability=("CHILDREN", "SPECIAL-USE", "LIST-EXTENDED", "LIST-STATUS"))
async def list_(c: Conversation, args: Cursor) -> Reply:
    request = _parse(args, c.limits.list_patterns, utf8=c.session.utf8)
    if request.empty:
        c.tell(b'* LIST (\\Noselect) "/" ""\r\n')
        return ok("the delimiter")
    if b"HIGHESTMODSEQ" in request.status:
        c.enable_condstore()
    answer = _Names(c, request)
    for name in await answer.matching():
        c.tell(answer.line(name))
        await c.breathe()
    return ok("those are they")


def _parse(args: Cursor, limit: int, *, utf8: bool) -> _Request:
    args.space()
    select: frozenset[bytes] = frozenset()
    extended = args.at(b"(")
    if extended:
        select = frozenset(args.listed(args.word, 20))
        args.space()
        if select - _SELECT:
            raise BadSyntax("an unknown selection option")
        if b"RECURSIVEMATCH" in select and not select & {b"SUBSCRIBED", b"SPECIAL-USE"}:
            raise BadSyntax("RECURSIVEMATCH needs something to match")  # RFC 5258 §3
    reference = args.astring()
    args.space()
    if args.at(b"("):
        texts, extended = args.listed(args.pattern, limit), True
    else:
        texts = [args.pattern()]
    give: set[bytes] = set()
    status: list[bytes] = []
    if args.at(b" "):
        args.space()
        if args.more():
            extended = True
            _return(args, give, status)
    args.end()
    patterns = tuple(Pattern(reference, text, utf8=utf8) for text in texts)
    return _Request(extended, select, frozenset(give), tuple(status), patterns, texts == [b""] and not extended)


def _return(args: Cursor, give: set[bytes], status: list[bytes]) -> None:
    def option() -> None:
        word = args.word()
        if word == b"STATUS":
            args.space()
            status.extend(status_items(args))
        elif word in _RETURN:
            give.add(word)
        else:
            raise BadSyntax("an unknown return option")

    if args.word() != b"RETURN":
        raise BadSyntax("RETURN is expected")
    args.space()
    args.listed(option, 20)


class _Names:
    """An account's names, and which of them answer a request."""

    def __init__(self, c: Conversation, request: _Request) -> None:
        self._c, self._request = c, request
        self._boxes = {box.name: box for box in c.store.mailboxes.list(c.account.id)}
        self._subscribed = c.store.mailboxes.subscribed(c.account.id)
        self._parents = superiors(self._boxes)
        self._chosen = {name for name in self._all() if self._is_chosen(name)}
        self._above_chosen: set[str] = set()

    def _all(self) -> set[str]:
        """Names with a mailbox, superiors without one, and names that are only subscribed to."""
        if b"SUBSCRIBED" in self._request.select:
            return self._boxes.keys() | self._subscribed
        return self._boxes.keys() | self._parents

    def _is_chosen(self, name: str) -> bool:
        select = self._request.select
        if b"SUBSCRIBED" in select and name not in self._subscribed:
            return False
        return b"SPECIAL-USE" not in select or _use(self._boxes.get(name)) is not None

    def _matches(self, name: str) -> bool:
        return any(pattern.matches(name) for pattern in self._request.patterns)

    async def matching(self) -> list[str]:
        """The names that answer, INBOX first; patterns may be many, so others have their turn between the names."""
        met, others = await self._divided(self._chosen)
        if b"RECURSIVEMATCH" in self._request.select:
            # RFC 5258 §3: told for the sake of inferiors that the patterns themselves do not reach
            self._above_chosen = superiors(others)
            met += (await self._divided(self._above_chosen - self._chosen))[0]
        return sorted(met, key=lambda name: (name != "INBOX", name))

    async def _divided(self, names: Iterable[str]) -> tuple[list[str], list[str]]:
        """The names that match, and those that do not."""
        found: tuple[list[str], list[str]] = ([], [])
        for name in names:
            found[not self._matches(name)].append(name)
            await self._c.breathe()
        return found

    def line(self, name: str) -> bytes:
        """The responses for a name that matches."""
        request = self._request
        box = self._boxes.get(name)
        attributes = []
        if box is None:
            attributes.append("\\NonExistent" if request.extended else "\\Noselect")
        attributes.append("\\HasChildren" if name in self._parents else "\\HasNoChildren")
        if name in self._subscribed and b"SUBSCRIBED" in request.give | request.select:
            attributes.append("\\Subscribed")
        if (use := _use(box)) is not None:
            attributes.append(use)
        more = b""
        if b"RECURSIVEMATCH" in request.select and name in self._above_chosen:
            more = b' ("CHILDINFO" ("SUBSCRIBED"))' if b"SUBSCRIBED" in request.select else b' ("CHILDINFO" ())'
        line = b'* LIST (%b) "/" %b%b\r\n' % (" ".join(attributes).encode(), self._c.spelled(name), more)
        if request.status and box is not None and name in self._chosen:
            line += status_line(self._c, box, request.status)
        return line


def list_line(c: Conversation, box: Mailbox) -> bytes:
    """The LIST response that names a mailbox in SELECT's answer (RFC 9051 §6.3.2)."""
    below = c.store.mailboxes.has_children(box)
    attributes = ["\\HasChildren" if below else "\\HasNoChildren"]
    if box.special_use is not None:
        attributes.append(box.special_use)
    return b'* LIST (%b) "/" %b\r\n' % (" ".join(attributes).encode(), c.spelled(box.name))


def _use(box: Mailbox | None) -> str | None:
    return None if box is None else box.special_use


def superiors(names: Iterable[str]) -> set[str]:
    """All names above these."""
    found: set[str] = set()
    for name in names:
        superior = name.rpartition(DELIMITER)[0]
        while superior and superior not in found:
            found.add(superior)
            superior = superior.rpartition(DELIMITER)[0]
    return found
