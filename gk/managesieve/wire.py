"""Bytes of a ManageSieve client to commands (RFC 5804 §1.2, §4), without a socket; and strings back to bytes.

The same bytes give the same commands however they are cut. A literal is counted before it is kept: one that is too
large is read and dropped where that takes little, so that the client hears why; else the session ends.
"""

import re
from dataclasses import dataclass

ARGUMENTS = 10  # of one command
QUOTED = 1024  # octets of a quoted string that is written; longer ones become literals
DRAIN = 1 << 20  # octets of a refused literal that are read and dropped

_NAME = re.compile(rb"([A-Za-z]{1,20})(?=[ \r\n])")
_ARGUMENT = re.compile(rb'"((?:[^"\\\r\n\0]++|\\["\\])*+)"|([0-9]{1,10})|\{([0-9]{1,10})\+?\}(?=\r?\n\Z)')
_ANNOUNCED = re.compile(rb"()()\{([0-9]{1,10})\+?\}\r?\n\Z")
_PAIR = re.compile(rb'\\(["\\])')


@dataclass(frozen=True, slots=True)
class Command:
    """One command, its name in upper case. An answer to a challenge has the name ""."""

    name: str
    arguments: tuple[bytes | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """What was sent is no command. `fatal`: where the next one begins is not known; `large`: a literal was too long."""

    text: str
    fatal: bool = False
    large: bool = False


class Wire:
    """What a client sends, in pieces; `next` gives commands. `line` and `literal` bound a line and one literal."""

    def __init__(self, line: int, literal: int) -> None:
        self.line, self.literal = line, literal
        self.answering = False  # the next line answers a challenge: it has no name
        self._buffer = bytearray()
        self._looked = 0  # octets of it that hold no line end
        self._name: str | None = None
        self._arguments: list[bytes | int] = []
        self._taken = 0  # octets of the lines of the command so far
        self._wanted = -1  # octets of the literal that is being read
        self._dropping = 0  # octets of one that is not kept
        self._fault: Fault | None = None  # of the command so far
        self._dead: Fault | None = None

    @property
    def waiting(self) -> int:
        """Octets not looked at yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """More of what the client sent."""
        if self._dead is None:
            self._buffer += data

    def drop(self) -> None:
        """Forget everything not answered yet: what came in clear before TLS (RFC 5804 §2.2)."""
        self._buffer.clear()
        self._begin()

    def next(self) -> Command | Fault | None:
        """The next command, or None until more comes."""
        while self._dead is None:
            if self._dropping:
                gone = min(self._dropping, len(self._buffer))
                del self._buffer[:gone]
                self._dropping -= gone
                if self._dropping:
                    return None
            if self._wanted >= 0:
                if len(self._buffer) < self._wanted:
                    return None
                self._arguments.append(bytes(self._buffer[: self._wanted]))
                del self._buffer[: self._wanted]
                self._wanted = -1
            end = self._buffer.find(b"\n", self._looked)
            if (len(self._buffer) if end < 0 else end + 1) + self._taken > self.line:
                return self._die("the line is too long")
            if end < 0:
                self._looked = len(self._buffer)
                return None
            segment = bytes(self._buffer[: end + 1])
            del self._buffer[: end + 1]
            self._looked = 0
            self._taken += len(segment)
            done = self._segment(segment)
            if done is not None:
                return done
        return self._dead

    def _segment(self, segment: bytes) -> Command | Fault | None:
        """Take a line, or the part of one behind a literal; the command where this ends it."""
        at = 0
        first = self._name is None
        if first:
            found = None if self.answering else _NAME.match(segment)
            if found is None and not self.answering:
                self._fault = Fault("a command begins with its name")
            self._name = found[1].decode().upper() if found else ""
            at = found.end() if found else 0
        while True:
            blank = at
            while segment[at : at + 1] == b" ":
                at += 1
            if segment[at:] in (b"\r\n", b"\n"):
                break
            if at == blank and not (self.answering and first and at == 0):
                self._fault = self._fault or Fault("between arguments there is a blank")
            found = _ARGUMENT.match(segment, at)
            if found is None or len(self._arguments) >= ARGUMENTS:
                self._fault = self._fault or Fault("an argument is a string or a number")
                # A literal is announced all the same where the line ends as one: its octets are no commands.
                found = _ANNOUNCED.search(segment, at)
                if found is None:
                    break
            at = found.end()
            if found[3]:
                return self._literal(int(found[3]))
            if found[2]:
                self._arguments.append(int(found[2]))
            else:
                self._arguments.append(_PAIR.sub(rb"\1", found[1]))
        command = self._fault or Command(self._name or "", tuple(self._arguments))
        self._begin()
        return command

    def _literal(self, size: int) -> Fault | None:
        if size > self.literal or self._fault is not None:
            if size > DRAIN:
                return self._die("the literal is too long")
            self._dropping = size
            self._fault = self._fault or Fault("the literal is too long", large=True)
        else:
            self._wanted = size
        return None

    def _begin(self) -> None:
        self._name, self._fault, self._wanted = None, None, -1
        self._arguments = []
        self._taken = self._looked = 0
        self.answering = False

    def _die(self, text: str) -> Fault:
        self._dead = Fault(text, fatal=True)
        self._buffer.clear()
        return self._dead


def string(value: bytes) -> bytes:
    """A string as a server writes it: quoted where it can be, else a literal (RFC 5804 §4)."""
    if len(value) > QUOTED or b"\r" in value or b"\n" in value or b"\0" in value:
        return b"{%d}\r\n%b" % (len(value), value)
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def response(word: str, text: str = "", code: str = "", value: bytes | None = None) -> bytes:
    """OK, NO or BYE with its code, a value of the code, and words for a person (RFC 5804 §1.2, §1.3)."""
    out = word.encode()
    if code:
        out += b" (" + code.encode() + (b" " + string(value) if value is not None else b"") + b")"
    if text:
        out += b" " + string(text.encode("utf-8", "replace"))
    return out + b"\r\n"
