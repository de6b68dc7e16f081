"""Plays a transcript against a server: what the client says, and what the server must answer, line by line.

    # a remark
    S: * OK …
    C: a LOGIN alice@example.test demo-password
    S: a OK

`C:` sends a line, `S:` expects one. An expected line is met by a line that is the same or goes on after a space; `…` in
it stands for anything, and `S: …` alone for any number of lines up to the one expected next. `⟨00⟩` is that byte.
`{…}` or `{…+}` at the end of a sent line is a literal made of the `L:` lines that follow, each with its line end; the
size is filled in, and without `+` the server's continuation is awaited. A `C:` right after them goes on with the line.
`C2:`, `S2:`, `L2:` speak over a second connection, opened at its first use. `T:` starts TLS. `S: (closed)` expects the
end of the connection. `@name` plays a named piece, `@2 name` on the second connection.
"""

import asyncio
import re
import ssl
from collections.abc import Mapping
from pathlib import Path

PATIENCE = 10.0  # seconds for one line
_LINE = re.compile(r"([CSLT])(\d*):(?: (.*))?\Z")
_MACRO = re.compile(r"@(\d*) ?(\w+)\Z")
_BYTE = re.compile(rb"\xe2\x9f\xa8([0-9a-f]{2})\xe2\x9f\xa9")  # ⟨hh⟩
_ANY = "…".encode()


class Mismatch(AssertionError):
    """The server said something else."""


async def play(
    path: Path, host: str, port: int, *, tls: ssl.SSLContext | None = None, macros: Mapping[str, str] | None = None
) -> None:
    """Play the transcript of `path`; `tls` is for `T:` lines, `macros` are the pieces that `@name` plays."""
    steps = list(_steps(path.read_text(encoding="utf-8"), macros or {}))
    lines: dict[str, _Line] = {}
    try:
        for index, (number, kind, which, text) in enumerate(steps):
            if which not in lines:
                lines[which] = await _Line.open(host, port)
            line = lines[which]
            following = next((s for s in steps[index + 1 :] if s[2] == which), None)
            try:
                async with asyncio.timeout(PATIENCE):
                    await _step(line, kind, text, following, tls)
            except TimeoutError:
                raise Mismatch(f"{path.name}:{number}: nothing came for «{text}»") from None
            except Mismatch as error:
                raise Mismatch(f"{path.name}:{number}: {error}") from None
    finally:
        for line in lines.values():
            await line.close()


def _steps(text: str, macros: Mapping[str, str]) -> list[tuple[int, str, str, str]]:
    """(line number, kind, connection, text) of each line."""
    steps = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if macro := _MACRO.match(line):
            steps += [(number, kind, macro[1], said) for _, kind, _, said in _steps(macros[macro[2]], macros)]
        elif found := _LINE.match(line):
            steps.append((number, found[1], found[2], found[3] or ""))
        else:
            raise ValueError(f"line {number} of the transcript is neither C:, S:, L:, T: nor @: {line}")
    return steps


async def _step(
    line: "_Line", kind: str, text: str, following: tuple[int, str, str, str] | None, tls: ssl.SSLContext | None
) -> None:
    match kind:
        case "C":
            await line.say(_bytes(text), literal=following is not None and following[1] == "L")
        case "L":
            await line.add(_bytes(text), following[1] if following else "")
        case "T":
            assert tls is not None, "this transcript needs TLS"
            await line.start_tls(tls)
        case "S" if text == "…":
            line.skipping = True
        case "S":
            await line.expect(text)


def _bytes(text: str) -> bytes:
    return _BYTE.sub(lambda m: bytes.fromhex(m[1].decode()), text.encode())


class _Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._literal = b""  # being gathered
        self._head: bytes | None = None  # the line it belongs to
        self.skipping = False

    @classmethod
    async def open(cls, host: str, port: int) -> "_Line":
        return cls(*await asyncio.open_connection(host, port, limit=1 << 24))

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            pass  # the server was faster

    async def say(self, text: bytes, *, literal: bool) -> None:
        if literal:
            self._head, self._literal = text, b""
        else:
            self._writer.write(text + b"\r\n")
            await self._writer.drain()

    async def add(self, text: bytes, following: str) -> None:
        """A line of a literal; after the last one the literal goes out."""
        self._literal += text + b"\r\n"
        if following == "L":
            return
        assert self._head is not None, "an L: line needs a C: line with {…} before it"
        size = b"%d" % len(self._literal)
        self._writer.write(self._head.replace(b"{" + _ANY, b"{" + size) + b"\r\n")
        if not self._head.endswith(b"+}"):
            reply = await self._reader.readline()
            if not reply.startswith(b"+"):
                raise Mismatch(f"no continuation but {reply!r}")
        self._writer.write(self._literal + (b"" if following == "C" else b"\r\n"))
        self._head = None
        await self._writer.drain()

    async def expect(self, text: str) -> None:
        if text == "(closed)":
            got = await self._reader.readline()
            while self.skipping and got:
                got = await self._reader.readline()
            if got:
                raise Mismatch(f"expected the end, got {_shown(got)}")
            return
        pattern = re.compile(
            b".*?".join(re.escape(_bytes(p)) for p in text.split("…")) + (b"" if text.endswith("…") else b"(?: .*)?"),
            re.DOTALL,
        )
        skipped = []
        while True:
            try:
                got = await self._reader.readline()
            except ConnectionError:
                got = b""
            if not got:
                raise Mismatch(f"expected «{text}», but the connection is closed{_after(skipped)}")
            if pattern.fullmatch(got.removesuffix(b"\n").removesuffix(b"\r")):
                self.skipping = False
                return
            if not self.skipping:
                raise Mismatch(f"expected «{text}», got {_shown(got)}")
            skipped.append(got)
            if re.match(rb"[a-z]\w* (OK|NO|BAD) ", got):  # a tagged answer ends what may be skipped
                raise Mismatch(f"expected «{text}», got{_after(skipped)}")

    async def start_tls(self, context: ssl.SSLContext) -> None:
        await self._writer.start_tls(context)


def _shown(line: bytes) -> str:
    return "«" + line.decode("utf-8", "backslashreplace").rstrip("\r\n") + "»"


def _after(lines: list[bytes]) -> str:
    return "".join("\n    " + _shown(line) for line in lines)
