"""Header fields: finding, unfolding, choosing and splitting them (RFC 5322 section 2.2, RFC 2045 section 5.1)."""

import re
from functools import lru_cache
from mmap import mmap
from urllib.parse import unquote_to_bytes

SECTION = 1 << 20  # octets of a header section that are read; Postfix 100 KiB, Dovecot 10 MiB
FIELD = 256 << 10  # octets of one field that are read
FIELDS = 2_000  # fields of a section that are read
PARAMETERS = 128  # parameters of one field; Dovecot CVE-2026-27859
TOKEN = 127  # octets of a type, subtype, disposition or encoding; RFC 6838 section 4.2

Raw = bytes | mmap
Params = tuple[tuple[bytes, bytes], ...]

_TYPE = re.compile(rb"[ \t\r\n]*+([^\s/;]++)[ \t\r\n]*+/[ \t\r\n]*+([^\s/;]++)")
# A semicolon or, where it was forgotten, the blank before `name=`. An unquoted value runs to the next of these, for
# the sake of file names with blanks that someone forgot to quote.
_PARAMETER = re.compile(
    rb'(?:;|(?<=\S)\s)\s*+([^\s=;"]++)\s*+=\s*+'
    rb'(?:"((?:[^"\\]++|\\.)*+)"?+|([^;\s]*+(?:\s++(?![^\s=;"]++\s*+=)[^;\s]++)*+))',
    re.DOTALL,
)
_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_COMMENTED = re.compile(rb'"(?:[^"\\]++|\\.)*+"?+|[^()"\\]++|\\.?|[()]', re.DOTALL)
_TRAILING_COMMENT = re.compile(rb"([^\s()]++)\s*+\([^()]*+\)?+\s*+\Z")


def without_line_end(raw: bytes, start: int, end: int) -> int:
    """`end`, or the offset before the CRLF or LF that raw[start:end] ends with."""
    if end > start and raw[end - 1] == 10:
        end -= 1
        if end > start and raw[end - 1] == 13:
            end -= 1
    return end


def unfold(value: bytes) -> bytes:
    """A raw field value on one line: folding line ends removed (RFC 5322 section 2.2.3), outer blanks stripped."""
    if b"\n" in value:
        value = value.replace(b"\r\n", b"").replace(b"\n", b"")
    return value.strip(b" \t\r\n")


def fields(raw: Raw, start: int, end: int) -> list[tuple[bytes, int, int]]:
    """The fields of the header at raw[start:end]: (name in lower case, start, end) of each raw value.

    A value runs from behind the colon to before its last line end, folds included.
    Lines without a colon are skipped; the empty line ends the header (RFC 5322 section 2.1).
    """
    end = min(end, start + SECTION)
    header = raw[start:end]
    found: list[tuple[bytes, int, int]] = []
    at = 0
    size = len(header)
    while at < size and len(found) < FIELDS:
        stop = _field_end(header, at, size)
        first = header.find(b"\n", at, stop)
        colon = header.find(b":", at, first if first >= 0 else stop)
        value_end = without_line_end(header, at, stop)
        if value_end == at:
            break  # the empty line
        if colon >= 0:
            found.append((header[at:colon].strip().lower(), start + colon + 1, start + value_end))
        at = stop
    return found


def _field_end(header: bytes, at: int, size: int) -> int:
    """Where the field that starts at `at` ends: behind the line end that no blank follows."""
    stop = at
    while True:
        stop = header.find(b"\n", stop) + 1
        if stop == 0 or stop >= size:
            return size
        if header[stop] not in b" \t" or (stop - at <= 2 and header[at:stop] in (b"\n", b"\r\n")):
            return stop


def filter_fields(header: bytes, names: set[bytes], negate: bool) -> bytes:
    """The fields of `header` whose lower-case name is in `names` (or is not, when `negate`), as they stand.

    The answer of BODY[HEADER.FIELDS (...)] and .NOT: fields byte for byte and the empty line (RFC 3501 section 6.4.5).
    """
    kept: list[bytes] = []
    keep = negate  # a fold that continues nothing is none of the names
    for line in header.split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            if keep:
                kept.append(line)
            continue
        if line in (b"", b"\r"):
            break
        keep = (line.partition(b":")[0].strip().lower() in names) is not negate
        if keep:
            kept.append(line)
    if not kept:
        return b"\r\n"
    text = b"\n".join(kept)
    return text + b"\n\r\n" if text[-1] == 13 else text + b"\r\n\r\n"


def uncomment(value: bytes) -> bytes:
    """`value` without its comments, nested ones included (RFC 5322 section 3.2.2); quoted strings stay whole."""
    if b"(" not in value:
        return value
    kept: list[bytes] = []
    depth = 0
    for piece in _COMMENTED.findall(value):
        if piece == b"(":
            depth += 1
        elif piece == b")":
            depth = max(0, depth - 1)
        elif depth == 0:
            kept.append(piece)
        elif piece[:1] == b'"' and b")" in piece:
            # Inside a comment a quote is text (RFC 5322 section 3.2.2): its brackets count.
            depth = max(0, depth + piece.count(b"(") - piece.count(b")"))
    return b" ".join(kept) if len(kept) > 1 else b"".join(kept)


def media(value: bytes) -> tuple[bytes, bytes, Params] | None:
    """Type, subtype (lower case) and parameters of a Content-Type value, None when it names no type (RFC 2045 5.2)."""
    if len(value) <= _REMEMBERED and b"oundary" not in value:
        return _remembered(value)
    return _media(value)


def _media(value: bytes) -> tuple[bytes, bytes, Params] | None:
    found = _TYPE.match(value)
    if found is None or b"(" in found[0]:
        head, semicolon, rest = value.partition(b";")
        value = uncomment(head) + semicolon + rest
        found = _TYPE.match(value)
        if found is None:
            return None
    if len(found[1]) > TOKEN or len(found[2]) > TOKEN:
        return None
    return found[1].lower(), found[2].lower(), parameters(value, found.end())


_REMEMBERED = 100  # octets of a value worth remembering: `text/plain; charset=utf-8` comes with nearly every message
_remembered = lru_cache(maxsize=1024)(_media)


def disposition(value: bytes) -> tuple[bytes, Params] | None:
    """Kind (lower case) and parameters of a Content-Disposition value (RFC 2183), None when there is no kind."""
    head = value.partition(b";")[0]
    if b"=" in head:
        # Seen in the wild: `Content-Disposition: filename=x`; RFC 2183 section 2.8 reads an unknown kind so.
        named = parameters(b";" + value, 0)
        return (b"attachment", named) if named else None
    kind = token(head)
    return (kind, parameters(value, len(head))) if kind else None


def token(value: bytes) -> bytes:
    """A value that is one token, in lower case, without comments; empty when it is too long to be one."""
    text = uncomment(value).strip(b' \t\r\n";').lower()
    return text if len(text) <= TOKEN else b""


def parameters(value: bytes, at: int) -> Params:
    """The `; name=value` pairs of `value` from `at` on, names in lower case, quoting removed, at most 128."""
    if b"=" not in value:
        return ()
    found: list[tuple[bytes, bytes]] = []
    for match in _PARAMETER.finditer(value, at):
        name, quoted, word = match.groups()
        if quoted is not None:
            text = _PAIR.sub(rb"\1", quoted) if b"\\" in quoted else quoted
        else:
            text = word
            if b"(" in text and (commented := _TRAILING_COMMENT.match(text)):
                text = commented[1]
        found.append((name.lower(), text))
        if len(found) == PARAMETERS:
            break
    return tuple(found)


def joined(params: Params, name: bytes) -> tuple[bytes | None, bytes] | None:
    """(charset, value) of a parameter, its RFC 2231 pieces put together and percent-decoded; None when absent.

    The charset is None where the parameter does not name one. The extended form wins over the plain one, as
    RFC 6266 section 4.3 has it, so that a filter and a reader see the same file name.
    """
    plain: bytes | None = None
    pieces: dict[int, tuple[bool, bytes]] = {}
    star = name + b"*"
    for key, value in params:
        if key == name:
            if plain is None:
                plain = value
        elif key.startswith(star):
            place = key[len(star) :]
            encoded = not place or place[-1:] == b"*"
            place = place.removesuffix(b"*")
            if not place:
                pieces.setdefault(-1, (True, value))
            elif len(place) <= 3 and place.isdigit():
                pieces.setdefault(int(place), (encoded, value))
    if not pieces:
        return None if plain is None else (None, plain)
    if -1 in pieces:
        return _extended([pieces[-1]])
    ordered: list[tuple[bool, bytes]] = []
    while len(ordered) in pieces:  # RFC 2231 section 3: from 0 on, without gaps
        ordered.append(pieces[len(ordered)])
    if ordered:
        return _extended(ordered)
    return None if plain is None else (None, plain)


def _extended(pieces: list[tuple[bool, bytes]]) -> tuple[bytes | None, bytes]:
    """RFC 2231 section 4: charset'language'text in the first piece, percent-encoding in the starred ones."""
    charset: bytes | None = None
    texts: list[bytes] = []
    for index, (encoded, value) in enumerate(pieces):
        if encoded and index == 0 and value.count(b"'") >= 2:
            charset, _, value = value.split(b"'", 2)
        texts.append(unquote_to_bytes(value) if encoded else value)
    return charset or None, b"".join(texts)
