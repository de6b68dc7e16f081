"""The IMAP account elsewhere: its URL (RFC 5092, in part), the connection, the login, its folders."""

import imaplib
import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from gk.errors import Refused, Unavailable
from gk.message import utf7
from gk.store.chosen import uid_set
from gk.transfer.answers import fetched, grouped, values
from gk.transfer.values import ALL, USES

PATIENCE = 120.0  # seconds for an answer
LINE = 10_000_000  # bytes of a line of an answer: a SEARCH of a million messages
FOLDERS = 50_000
SET = 7000  # bytes of a set of uids in one command
_LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")
_NAMED = {use.upper(): use for use in (*USES, ALL)} | {"\\SPAM": "\\Junk", "\\ALLMAIL": ALL}
VIRTUAL = {"\\FLAGGED", "\\IMPORTANT", "\\STARRED"}  # what stands in other folders anyway

imaplib._MAXLINE = max(imaplib._MAXLINE, LINE)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Remote:
    """Where the account is, and one folder of it where only that is meant."""

    host: str
    port: int
    user: str
    tls: bool
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """One mailbox the server lists."""

    raw: bytes  # its name as it is said to the server
    levels: tuple[str, ...]
    use: str | None
    subscribed: bool
    virtual: bool


def parse(url: str) -> Remote:
    """`imaps://user%40example.org@host:993/Folder`. Raises Refused."""
    try:
        parts = urlsplit(url)
        tls = parts.scheme.lower() == "imaps"
        user, at, _ = parts.netloc.rpartition("@")
        host, port = parts.hostname or "", parts.port or (993 if tls else 143)
    except ValueError as error:
        raise Refused(f"that is no address of an IMAP account: {error}") from None
    name, colon, _ = user.partition(":")
    if colon:
        raise Refused("a password in the address can be seen by others; leave it out, it is asked for")
    if not at or not name or not host:
        raise Refused("an IMAP account is written imaps://USER@HOST, an @ in the user's name as %40 or as it is")
    return Remote(host, port, unquote(name), tls, unquote(parts.path.strip("/")))


class Connection:
    """A logged-in session; its errors are Refused and Unavailable."""

    def __init__(self, remote: Remote, password: str, insecure: bool = False) -> None:
        """Connect, use TLS where it can be had, log in."""
        self.remote = remote
        loose = insecure or _LOOPBACK.fullmatch(remote.host) is not None
        context = ssl.create_default_context()
        if loose:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        with self._errors():
            self._imap = self._connected(context, loose)
            try:
                self._log_in(password)
            except BaseException:
                self._imap.shutdown()
                raise
        self.delimiter, self.prefix = "/", ""

    def _connected(self, context: ssl.SSLContext, loose: bool) -> imaplib.IMAP4:
        where = self.remote
        if where.tls:
            return imaplib.IMAP4_SSL(where.host, where.port, ssl_context=context, timeout=PATIENCE)
        imap = imaplib.IMAP4(where.host, where.port, timeout=PATIENCE)
        if "STARTTLS" in imap.capabilities:
            imap.starttls(context)
        elif not loose:
            imap.shutdown()
            raise Refused(f"{where.host} offers no TLS on port {where.port}; try imaps://, or --insecure")
        return imap

    def _log_in(self, password: str) -> None:
        imap, user = self._imap, self.remote.user
        try:
            if "AUTH=PLAIN" in imap.capabilities:
                imap.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
            elif "LOGINDISABLED" in imap.capabilities:
                raise Refused(f"{self.remote.host} takes no password this way; try imaps://")
            else:
                imap.login(_quoted(user.encode()).decode(), password)
        except imaplib.IMAP4.abort:
            raise
        except UnicodeEncodeError:
            raise Refused(f"{self.remote.host} takes no password with such characters") from None
        except imaplib.IMAP4.error as error:
            raise Refused(f"{self.remote.host} refused the login: {_plain(error)}") from None
        found = self._ask("CAPABILITY", lambda: imap.capability())
        self._capabilities = (
            frozenset(found[0].decode("latin-1").upper().split()) if found and found[0] else frozenset()
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        host = self.remote.host
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise Refused(
                f"the certificate of {host} cannot be trusted ({error.verify_message}); --insecure does without"
            ) from None
        except imaplib.IMAP4.abort as error:
            raise Unavailable(f"{host} broke off: {_plain(error)}; run it again to go on") from None
        except imaplib.IMAP4.error as error:
            raise Refused(f"{host}: {_plain(error)}") from None
        except OSError as error:
            raise Unavailable(f"{host} port {self.remote.port}: {error.strerror or error}") from None

    def _ask(self, what: str, call: Callable[[], Any]) -> list[Any]:
        """Do a command; its answers. Raises Refused on NO."""
        with self._errors():
            status, data = call()
        if status != "OK":
            raise Refused(
                f"{self.remote.host} refused {what}: {_plain(b' '.join(p for p in data if isinstance(p, bytes)))}"
            )
        return list(data)

    def command(self, name: str, *arguments: str | bytes, literal: bytes | None = None) -> list[Any]:
        """Any command, and the untagged answers of its name."""
        imap = self._imap

        def call() -> Any:
            imap.untagged_responses.pop(name, None)
            if literal is not None:
                imap.literal = literal  # type: ignore[assignment]
            status, data = imap.xatom(name, *arguments)  # type: ignore[arg-type]
            if status != "OK":
                return status, data
            return status, imap.untagged_responses.pop(name, [])

        return self._ask(name, call)

    def has(self, capability: str) -> bool:
        """Whether the server says so, now that it knows who asks."""
        return capability in self._capabilities

    # --- folders

    def folders(self) -> list[Listed]:
        """All that can be selected, superior ones first."""
        self._learn_namespace()
        subscribed = {bytes(name) for name, _, _ in self._names(self.command("LSUB", '""', '"*"'))}
        if self.has("LIST-EXTENDED") and self.has("SPECIAL-USE"):
            found = self._names(self.command("LIST", '""', '"*"', "RETURN", "(SPECIAL-USE)"))
        elif self.has("XLIST") and not self.has("SPECIAL-USE"):
            found = self._names(self.command("XLIST", '""', '"*"'))
        else:
            found = self._names(self.command("LIST", '""', '"*"'))
        if found and not self.has("NAMESPACE"):
            self.delimiter = found[0][1]
        folders = []
        for raw, delimiter, attributes in found[:FOLDERS]:
            if attributes & {"\\NOSELECT", "\\NONEXISTENT"}:
                continue
            levels = self._levels(raw, delimiter)
            use = next((_NAMED[a] for a in sorted(attributes) if a in _NAMED), None)
            virtual = bool(attributes & VIRTUAL)
            folders.append(Listed(raw, levels, use, raw in subscribed, virtual))
        return sorted(folders, key=lambda folder: (folder.levels != ("INBOX",), folder.levels))

    def _learn_namespace(self) -> None:
        """The personal namespace: `INBOX.` of many servers is no part of the names."""
        if self.has("NAMESPACE"):
            read = [value for pieces in grouped(self.command("NAMESPACE")) for value in values(pieces)]
            if read and isinstance(read[0], list) and read[0] and isinstance(read[0][0], list):
                prefix, delimiter = (read[0][0] + [None, None])[:2]
                self.prefix = decoded(prefix) if isinstance(prefix, bytes) else ""
                self.delimiter = delimiter.decode("latin-1") if isinstance(delimiter, bytes) else ""

    def _names(self, answers: Sequence[Any]) -> list[tuple[bytes, str, set[str]]]:
        """(name, delimiter, attributes) of LIST, LSUB and XLIST answers."""
        found = []
        for pieces in grouped(answers):
            read = values(pieces)
            if len(read) >= 3 and isinstance(read[0], list):
                attributes = {a.decode("latin-1").upper() for a in read[0] if isinstance(a, bytes)}
                delimiter = read[1].decode("latin-1") if isinstance(read[1], bytes) else ""
                raw = read[2] if isinstance(read[2], bytes) else b"NIL"
                found.append((raw, delimiter, attributes))
        return found

    def _levels(self, raw: bytes, delimiter: str) -> tuple[str, ...]:
        name = decoded(raw)
        if name.upper() == "INBOX":
            return ("INBOX",)
        if self.prefix and name.startswith(self.prefix) and len(name) > len(self.prefix):
            name = name[len(self.prefix) :]
        levels = tuple(name.split(delimiter)) if delimiter else (name,)
        return ("INBOX", *levels[1:]) if levels[0].upper() == "INBOX" else levels

    def encoded(self, levels: Sequence[str]) -> bytes:
        """A name as it is said to this server; a level with its delimiter in it gets another character."""
        if tuple(levels) == ("INBOX",):
            return b"INBOX"
        delimiter = self.delimiter or "/"
        name = delimiter.join(level.replace(delimiter, "_") for level in levels)
        if not (self.prefix and levels[0] == "INBOX"):
            name = self.prefix + name
        return utf7.encode(name)

    # --- messages

    def select(self, raw: bytes, *, readonly: bool) -> int:
        """Select a mailbox; how many messages it has."""
        imap = self._imap

        def call() -> Any:
            return imap.select(_quoted(raw), readonly)  # type: ignore[arg-type]

        answer = self._ask("SELECT", call)
        return int(answer[0]) if answer and isinstance(answer[0], bytes) and answer[0].isdigit() else 0

    def permanent_flags(self) -> set[str]:
        found = self._imap.untagged_responses.get("PERMANENTFLAGS") or []
        text = b" ".join(piece for piece in found if isinstance(piece, bytes))
        return {word.lower() for word in text.decode("latin-1").strip("()").split()}

    def uids(self) -> list[int]:
        """All uids of the selected mailbox, in order."""
        found = self._ask("SEARCH", lambda: self._imap.uid("SEARCH", "ALL"))
        return sorted({int(word) for piece in found if piece for word in piece.split() if word.isdigit()})

    def fetch(self, uids: Sequence[int], items: str) -> list[dict[bytes, Any]]:
        """The items of these messages, by their names in upper case, UID among them."""
        found = self._ask("FETCH", lambda: self._imap.uid("FETCH", uid_set(uids), f"(UID {items})"))
        read = [fetched(pieces) for pieces in grouped(found)]
        return [items for items in read if isinstance(items.get(b"UID"), bytes) and items[b"UID"].isdigit()]

    def append(self, raw: bytes, flags: str, date: bytes, content: bytes) -> None:
        """Put a message into a mailbox, byte for byte."""
        self.command("APPEND", _quoted(raw), f"({flags})", date.decode(), literal=content)

    def create(self, raw: bytes, use: str | None) -> None:
        arguments: list[str | bytes] = [_quoted(raw)]
        if use and self.has("CREATE-SPECIAL-USE"):
            arguments.append(f"(USE ({use}))")
        self.command("CREATE", *arguments)

    def subscribe(self, raw: bytes) -> None:
        self.command("SUBSCRIBE", _quoted(raw))

    def count(self, raw: bytes) -> int:
        """How many messages a mailbox has; 0 where the server does not say."""
        try:
            read = [values(pieces) for pieces in grouped(self.command("STATUS", _quoted(raw), "(MESSAGES)"))]
        except Refused:
            return 0
        items = read[0][-1] if read and read[0] else None
        return int(items[1]) if isinstance(items, list) and len(items) == 2 and items[1].isdigit() else 0

    def close(self) -> None:
        try:
            self._imap.logout()
        except (OSError, imaplib.IMAP4.error):
            pass  # gone either way


def decoded(raw: bytes) -> str:
    """The name a server means: modified UTF-7, else UTF-8, else whatever its bytes are."""
    try:
        return utf7.decode(raw) if raw.isascii() else raw.decode()
    except (utf7.BadEncoding, UnicodeDecodeError):
        return raw.decode("latin-1")


def _quoted(raw: bytes) -> bytes:
    return b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _plain(error: object) -> str:
    """What a server said, on one line and without control characters."""
    text = error.decode("utf-8", "replace") if isinstance(error, bytes) else str(error)
    if text.startswith(("b'", 'b"')):  # imaplib puts the bytes it got into its errors
        text = text[2:-1]
    return "".join(c if c.isprintable() else " " for c in text)[:200].strip()
