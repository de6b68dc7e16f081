"""The byte-offset scanner: one pass over a message gives its tree of parts (RFC 2045, RFC 2046, RFC 5322).

`scan` never raises and never recurses. Boundaries are matched as RFC 2046 section 5.1.1 says: a delimiter line begins
with the boundary; the longest boundary that fits wins, the innermost one between equals. Past a limit the rest of the
content is one opaque leaf, shown as application/octet-stream.
"""

from mmap import mmap

from gk.message.fields import describe, make_opaque, read_fields
from gk.message.header import SECTION, Raw, fields, filter_fields, joined, media, unfold
from gk.message.mapped import Mapped
from gk.message.part import Part

__all__ = ["Part", "Raw", "fields", "filter_fields", "scan", "unfold"]

DEPTH = 100  # multiparts and messages inside each other; Dovecot CVE-2020-12100
PARTS = 10_000  # parts of a message
BOUNDARY = 1_000  # octets of a boundary; RFC 2046 section 5.1.1 allows 70
WORK = 16 << 20  # octets searched for boundaries in one message beyond four times its size, all levels together
SKIP = 256  # octets of that work which one delimiter passed over stands for


def scan(raw: Raw) -> Part:
    """The tree of parts of one message; any bytes give a tree."""
    return _Scanner(Mapped(raw) if isinstance(raw, mmap) else raw).run()


class _Level:
    """A multipart or an embedded message whose end has not been reached."""

    __slots__ = ("alike", "closing", "hit", "needle", "part")

    def __init__(self, part: Part, needle: bytes) -> None:
        self.part = part
        self.needle = needle  # LF, two hyphens, boundary; empty for a message
        self.hit = -1  # the LF before its next delimiter; -1 when none is left
        self.closing = False  # whether that delimiter is the end boundary
        self.alike = False  # whether an outer boundary is the beginning of this one


class _Scanner:
    __slots__ = ("count", "raw", "size", "stack", "work")

    def __init__(self, raw: "bytes | Mapped") -> None:
        self.raw = raw
        self.size = len(raw)
        self.stack: list[_Level] = []
        self.work = WORK + 4 * self.size
        self.count = 1

    def run(self) -> Part:
        """Walk the message from its first byte to its last, one delimiter after the other."""
        top = part = self.entity(0, self.size, True, False)
        while True:
            opened = False
            if part.type == b"multipart":
                opened = self.enter(part)
            elif part.type == b"message" and part.is_message:
                child = self.enter_message(part)
                if child is not None:
                    part = child
                    continue
            following = self.advance(None if opened else part)
            if following is None:
                return top
            part = following

    def enter(self, part: Part) -> bool:
        """Open a multipart, unless it has no boundary or is past a limit."""
        named = joined(part.params, b"boundary")
        boundary = named[1].rstrip() if named else b""
        if not boundary or len(boundary) > BOUNDARY:
            return False
        limit = self.limit(len(self.stack))
        if not self.may_open(limit - part.body):
            make_opaque(part)
            return False
        level = _Level(part, b"\n--" + boundary)
        for outer in self.stack:
            if outer.needle and level.needle.startswith(outer.needle):
                level.alike = True
        self.stack.append(level)
        # The line end of the header's last line may be that of a delimiter: there need not be an empty line.
        at = max(part.body - 1, 0)
        if level.alike:
            self.search_again(at)
        else:
            self.search(level, at, limit)
        return True

    def enter_message(self, part: Part) -> Part | None:
        """Open an embedded message and read its header; None when that is past a limit."""
        limit = self.limit(len(self.stack))
        if self.count >= PARTS or not self.may_open(limit - part.body):
            make_opaque(part)
            return None
        child = self.entity(part.body, limit, True, False)
        part.children.append(child)
        self.stack.append(_Level(part, b""))
        self.counted()
        return child

    def may_open(self, octets: int) -> bool:
        """Whether one more level may be searched; its octets are charged to the work of the message."""
        if len(self.stack) >= DEPTH or octets > self.work:
            return False
        self.work -= max(octets, 0)
        return True

    def counted(self) -> None:
        """Count one part more; the last one allowed holds the rest of the message."""
        self.count += 1
        if self.count >= PARTS or self.work <= 0:
            for level in self.stack:
                level.hit = -1

    def limit(self, height: int) -> int:
        """Where content inside the lowest `height` levels must end: their next delimiter, or the message's end."""
        for index in range(height - 1, -1, -1):
            if self.stack[index].hit >= 0:
                return self.stack[index].hit
        return self.size

    def search(self, level: _Level, at: int, limit: int, inner: tuple[bytes, ...] = ()) -> None:
        """Find the level's next delimiter in [at, limit), passing over those that levels inside it own."""
        raw = self.raw
        needle = level.needle
        hit = raw.find(needle, at, limit)
        if inner:
            while hit >= 0 and raw[hit : hit + BOUNDARY + 3].startswith(inner):
                self.work -= SKIP
                hit = raw.find(needle, hit + 1, limit) if self.work > 0 else -1
        level.hit = hit
        if hit >= 0:
            after = hit + len(needle)
            level.closing = raw[after : after + 2] == b"--"

    def search_again(self, at: int) -> None:
        """Find every open level's next delimiter anew: the set of boundaries that begin alike has changed."""
        limit = self.size
        for index, level in enumerate(self.stack):
            if not level.needle:
                continue
            above = (inner.needle for inner in self.stack[index + 1 :])
            inner = tuple(needle for needle in above if needle.startswith(level.needle))
            self.search(level, at, limit, inner)
            self.work -= (level.hit if level.hit >= 0 else limit) - at
            if level.hit >= 0:
                limit = level.hit

    def advance(self, part: Part | None) -> Part | None:
        """Go to the next delimiter, end `part` and what else it ends, open the part behind it.

        `part` is None in a preamble; the answer is None at the end of the message.
        """
        stack = self.stack
        raw = self.raw
        while True:
            index = len(stack) - 1
            while index >= 0 and stack[index].hit < 0:
                index -= 1
            if index < 0:
                if part is not None:
                    self.close(part, self.size)
                while stack:
                    self.close(stack.pop().part, self.size)
                return None
            level = stack[index]
            at = level.hit
            end = at - 1 if at and raw[at - 1 : at] == b"\r" else at
            if part is not None:
                self.close(part, end)
            alike = False
            while len(stack) > index + 1:
                inner = stack.pop()
                alike = alike or inner.alike
                self.close(inner.part, end)
            line_end = raw.find(b"\n", at + len(level.needle), self.size)
            following = line_end + 1 if line_end >= 0 else self.size
            resume = line_end if line_end >= 0 else self.size
            if level.closing or following >= self.size:  # a delimiter that ends the message opens nothing
                stack.pop()
                part = level.part  # what follows up to the next outer delimiter is its epilogue
                if alike or level.alike:
                    self.search_again(resume)
                continue
            if alike:
                self.search_again(resume)
            else:
                self.search(level, resume, self.limit(index))
            child = self.entity(following, self.limit(index + 1), False, level.part.subtype == b"digest")
            level.part.children.append(child)
            self.counted()
            return child

    def close(self, part: Part, end: int) -> None:
        """Set where a part ends, and what only then can be known."""
        body = part.body
        if end < body:  # the empty line behind its header is also the line end of the delimiter
            end = body
        if part.children and part.children[-1].end > end:
            end = part.children[-1].end
        part.end = end
        if part.type == b"text":
            part.lines = self.raw.count(b"\n", body, end)
        elif part.type == b"multipart":
            if not part.children:
                # IMAP cannot show a multipart without parts (RFC 3501 section 9, body-type-mpart): its content is one.
                part.children.append(Part(body, body, end, lines=self.raw.count(b"\n", body, end)))
        elif part.children:
            part.lines = self.raw.count(b"\n", body, end)

    def entity(self, start: int, limit: int, message: bool, digest: bool) -> Part:
        """Read the header that starts at `start`; the part ends later, at `limit` or behind it."""
        body, whole = self.header_end(start, limit)
        found = read_fields(self.raw[start:body])
        part = Part(start, body, body)
        content_type = found.get(b"content-type")
        if content_type is not None:
            named = media(content_type)
            if named is not None:
                part.type, part.subtype, part.params = named
        elif digest:
            part.type, part.subtype, part.params = b"message", b"rfc822", ()  # RFC 2046 section 5.1.5
        if message:
            part.fields = found
        if len(found) > (content_type is not None):
            describe(part, found)
        if not whole:
            make_opaque(part)
        return part

    def header_end(self, start: int, limit: int) -> tuple[int, bool]:
        """Where the content begins, and whether all of the header was within the limit of a header section."""
        raw = self.raw
        stop = limit + 1 if limit < self.size else limit  # the empty line may end with the delimiter's LF
        if start:
            at = start - 1
        elif raw[:2] == b"\r\n":
            return 2, True
        elif raw[:1] == b"\n":
            return 1, True
        else:
            at = 0
        window = 4096
        while True:
            end = min(stop, at + window)
            crlf = raw.find(b"\n\r\n", at, end)
            bare = raw.find(b"\n\n", at, crlf + 1 if crlf >= 0 else end)
            if bare >= 0:
                return bare + 2, True
            if crlf >= 0:
                return crlf + 3, True
            if end == stop:
                break
            if window >= SECTION:
                line_end = raw[start : start + SECTION].rfind(b"\n")
                return start + (line_end + 1 if line_end >= 0 else SECTION), False
            window <<= 4
        if limit < start:
            return start, True
        if limit < self.size and limit > start and raw[limit - 1 : limit] == b"\r":
            limit -= 1
        return limit, True
