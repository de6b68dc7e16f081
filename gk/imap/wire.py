"""The client's bytes become commands and literals (RFC 3501 §2.2, LITERAL+ of RFC 7888).

Nothing here parses a command or does I/O: `feed` takes bytes as they come, `command` gives what is complete. Every
bound is counted before anything is parsed, and feeding byte by byte gives the same events as feeding at once. The
message literals of APPEND are not collected: they are announced (`Literal`) and read piece by piece (`content`).
"""

import re
from dataclasses import dataclass

_LITERAL = re.compile(rb"(~?)\{(\d{1,19})(\+?)\}\Z")
_BRACKETS = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[()]', re.DOTALL
)  # an open quote runs to the end: linear
_TAG = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\+]{1,64}(?= |\Z)")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a client may send before it is parsed; bytes and counts."""

    line: int  # text of one command, literals apart
    literals: int  # all literals of one command, or of all commands before login
    literal_count: int
    nesting: int
    message: int = 0  # one literal of APPEND; 0: none may be sent
    drain: int = 0  # a refused non-synchronising literal up to this is read and dropped, a larger one ends the session


@dataclass(frozen=True, slots=True)
class Command:
    """A whole command, its literals in place as `{n}CRLF` and content; or what follows the last message literal."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Continue:
    """A synchronising literal within bounds: the client waits for `+`. `data` is the command so far."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Literal:
    """A message literal begins; `data` is the text before it. Answer with `accept` or `abandon`."""

    data: bytes
    size: int
    synchronising: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """A bound was crossed. A fatal one ends the session."""

    tag: bytes
    text: str
    fatal: bool


Event = Command | Continue | Literal | Fault


class Wire:
    """One connection's input. `bounds` is replaced at login."""

    __slots__ = (
        "_buffer", "_command", "_count", "_dead", "_depth", "_discarding", "_drop", "_message", "_need", "_pending",
        "_scanned", "_size", "_stream", "_synchronising", "_text", "_total", "bounds", "per_session",
    )  # fmt: skip

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.per_session = True  # literals are counted over all commands (before login)
        self._buffer = bytearray()
        self._dead = False
        self._total = 0
        self._reset()
        self._scanned = 0

    def _reset(self) -> None:
        self._command = bytearray()  # the command so far
        self._text = self._count = self._depth = 0
        if not self.per_session:
            self._total = 0
        self._need = 0  # bytes of a literal still to be collected
        self._drop = 0  # bytes of a refused literal still to be dropped
        self._stream = 0  # bytes of an accepted message literal still to be read
        self._size = 0  # size of the announced message literal
        self._synchronising = False
        self._pending = False  # a message literal was announced and not yet answered
        self._message = False  # this command has message literals
        self._discarding = False  # the rest of this command is dropped

    @property
    def waiting(self) -> int:
        """Bytes received and not looked at yet."""
        return len(self._buffer)

    @property
    def lines_waiting(self) -> int:
        """Line ends among them: no fewer than the commands that wait."""
        return self._buffer.count(b"\n")

    def feed(self, data: bytes) -> None:
        """Take bytes from the client."""
        if not self._dead:
            self._buffer += data

    def drop(self) -> None:
        """Forget everything received: what came before TLS must not be acted on after it."""
        self._buffer.clear()
        self._scanned = 0
        self._reset()

    def command(self) -> Event | None:
        """The next event, or None until more bytes are fed."""
        while not self._dead:
            if self._need or self._drop:
                if not self._collect():
                    return None
                continue
            assert not self._pending and not self._stream, "a message literal is being read"
            line = self._line(self.bounds.line - self._text)
            if line is None or isinstance(line, Fault):
                return line
            event = self._discarded(line) if self._discarding else self._fragment(line)
            if event is not None:
                return event
        return None

    def line(self) -> bytes | Fault | None:
        """One raw line, for AUTHENTICATE and IDLE, which are answered by no command."""
        return None if self._dead else self._line(self.bounds.line)

    def accept(self) -> None:
        """The announced message literal may come."""
        self._pending, self._stream = False, self._size

    def abandon(self) -> None:
        """Nothing more of the command in hand is wanted, if there is one; its tagged answer is the server's business.

        What the client sends of it without waiting is read and dropped.
        """
        if self._pending:
            if self._synchronising:  # the client reads the tagged answer and sends nothing of it
                self._reset()
                return
            self._stream = self._size
        elif not self._message:
            self._reset()
            return
        self._discarding, self._drop, self._text = True, self._stream, 0
        self._pending, self._stream = False, 0

    def content(self) -> bytes | None:
        """The next piece of the accepted message literal: b"" once it is complete, None until more bytes are fed."""
        if not self._stream:
            return b""
        piece = bytes(memoryview(self._buffer)[: self._stream])
        if not piece:
            return None
        del self._buffer[: len(piece)]
        self._scanned = 0
        self._stream -= len(piece)
        return piece

    def _collect(self) -> bool:
        """Move what is there of a literal; True once it is complete."""
        size = min(self._need or self._drop, len(self._buffer))
        if self._need:
            self._command += memoryview(self._buffer)[:size]
            self._need -= size
        else:
            self._drop -= size
        del self._buffer[:size]
        self._scanned = 0
        return not (self._need or self._drop)

    def _line(self, room: int) -> bytes | Fault | None:
        """One line without its end (CRLF, or LF as typed by hand), or None; a Fault when it is longer than `room`."""
        end = self._buffer.find(b"\n", self._scanned)
        length = len(self._buffer) if end < 0 else end
        if length and self._buffer[length - 1] == 0x0D:
            length -= 1
        if length > room:
            self._command += self._buffer[: max(room, 0)]
            return self._fatal(self._tag(), "the line is too long")
        if end < 0:
            self._scanned = len(self._buffer)
            return None
        line = bytes(memoryview(self._buffer)[:length])
        del self._buffer[: end + 1]
        self._scanned = 0
        return line

    def _fragment(self, line: bytes) -> Event | None:
        """A line of a command; after it the command is complete or a literal follows."""
        self._text += len(line)
        if b"(" in line and self._nested(line):
            return self._over(line, "parentheses are nested too deeply")
        literal = _LITERAL.search(line) if line.endswith(b"}") else None
        if literal is None:
            self._command += line
            command = Command(bytes(self._command))
            self._reset()
            return command
        size, synchronising = int(literal[2]), not literal[3]
        if self._is_message(line, literal.start()):
            return self._announce(line, literal)
        self._count += 1
        self._total += size
        if self._total > self.bounds.literals or self._count > self.bounds.literal_count:
            return self._over(line, "the literals are too large")
        self._command += line + b"\r\n"
        self._need = size
        return Continue(bytes(self._command)) if synchronising else None

    def _is_message(self, line: bytes, start: int) -> bool:
        """Every literal of APPEND but its first argument is a message (RFC 3501 §6.3.11, RFC 3502)."""
        if self._message:
            return True
        if not self.bounds.message:
            return False
        words = (self._command[:128] + line[:start]).split(b" ", 3)
        return len(words) > 2 and words[1].upper() == b"APPEND" and words[2] != b"" and len(words) > 3

    def _announce(self, line: bytes, literal: re.Match[bytes]) -> Literal | Fault:
        self._size, self._synchronising = int(literal[2]), not literal[3]
        self._command += line[: literal.start()] + literal[1]
        event = Literal(bytes(self._command), self._size, self._synchronising)
        self._message = self._pending = True
        if not event.synchronising and self._size > self.bounds.drain:
            return self._fatal(self._tag(), "the literal is too large")
        self._command = bytearray()
        return event

    def _discarded(self, line: bytes) -> Fault | None:
        """A line of a command already answered; a literal it announces is dropped too."""
        literal = _LITERAL.search(line)
        if literal is None or not literal[3]:
            self._reset()
            return None
        return self._drain(int(literal[2]), b"*")

    def _over(self, line: bytes, text: str) -> Fault:
        """This line crosses a bound: nothing of the command is kept."""
        tag = self._tag(bytes(self._command[:66] + line[:66]))
        literal = _LITERAL.search(line)
        if literal is None or not literal[3]:
            self._reset()
            return Fault(tag, text, fatal=False)
        return self._drain(int(literal[2]), tag) or Fault(tag, text, fatal=False)

    def _drain(self, size: int, tag: bytes) -> Fault | None:
        if size > self.bounds.drain:  # RFC 7888 §4: then the connection may be closed
            return self._fatal(tag, "the literal is too large")
        self._command = bytearray()
        self._text = 0
        self._discarding, self._drop = True, size
        return None

    def _nested(self, line: bytes) -> bool:
        for bracket in _BRACKETS.findall(line):
            if bracket == b"(":
                self._depth += 1
                if self._depth > self.bounds.nesting:
                    return True
            elif bracket == b")":
                self._depth -= 1
        return False

    def _tag(self, start: bytes | None = None) -> bytes:
        tag = _TAG.match(bytes(self._command[:66]) if start is None else start)
        return tag[0] if tag else b"*"

    def _fatal(self, tag: bytes, text: str) -> Fault:
        self._dead = True
        self._buffer.clear()
        self._reset()
        return Fault(tag, text, fatal=True)
