"""IMAP BODY and BODYSTRUCTURE (RFC 3501 section 7.4.2, RFC 9051), as the bytes that go on the wire."""

from collections.abc import Callable
from functools import lru_cache

from gk.message.envelope import envelope
from gk.message.header import Params, Raw
from gk.message.nstring import quote
from gk.message.part import Part
from gk.message.table import dump, load

__all__ = ["body", "bodystructure", "dump", "load"]


def bodystructure(raw: Raw, part: Part) -> bytes:
    """The extensible form: with MD5, disposition, language and location."""
    return _render(raw, part, True)


def body(raw: Raw, part: Part) -> bytes:
    """The form without extension data."""
    return _render(raw, part, False)


def _render(raw: Raw, top: Part, extended: bool) -> bytes:
    """Render the tree: text in the order it stands on the wire, parts still to render on a stack, no recursion."""
    if not top.children:
        return _leaf(top, extended)
    out: list[bytes] = []
    todo: list[Part | bytes] = [top]
    while todo:
        item = todo.pop()
        if isinstance(item, bytes):
            out.append(item)
        elif not item.children:
            out.append(_leaf(item, extended))
        elif item.type == b"multipart":
            out.append(b"(")
            todo.append(_multipart_tail(item, extended))
            todo.extend(reversed(item.children))
        else:
            child = item.children[0]
            out.append(b"(%b %b " % (_fields(item), envelope(raw, child)))
            todo.append(b" %d%b)" % (item.lines, _extension(item) if extended else b""))
            todo.append(child)
    return b"".join(out)


def _leaf(part: Part, extended: bool) -> bytes:
    if part.type == b"text":
        return b"(%b %d%b)" % (_fields(part), part.lines, _extension(part) if extended else b"")
    return b"(%b%b)" % (_fields(part), _extension(part) if extended else b"")


def _fields(part: Part) -> bytes:
    """Type, subtype and body-fields: parameters, id, description, encoding, size in octets."""
    params = part.params
    short = not params or (len(params) == 1 and len(params[0][0]) + len(params[0][1]) <= _SHORT)
    kind = _remembered if short else _kind
    return b"%b %b %b %b %d" % (
        kind(part.type, part.subtype, params),
        b"NIL" if part.id is None else quote(part.id),
        b"NIL" if part.description is None else quote(part.description),
        _string(part.encoding),
        part.end - part.body,
    )


def _kind(type_: bytes, subtype: bytes, params: Params) -> bytes:
    return b"%b %b %b" % (_string(type_), _string(subtype), _params(params))


_SHORT = 40  # octets of a lone parameter, a charset nearly always, with which a type is worth remembering
_remembered = lru_cache(maxsize=512)(_kind)


def _multipart_tail(part: Part, extended: bool) -> bytes:
    if not extended:
        return b" %b)" % _string(part.subtype)
    return b" %b %b %b)" % (_string(part.subtype), _params(part.params), _placing(part))


def _extension(part: Part) -> bytes:
    if part.md5 is None and part.disposition is None and not part.language and part.location is None:
        return b" NIL NIL NIL NIL"
    return b" %b %b" % (quote(part.md5), _placing(part))


def _placing(part: Part) -> bytes:
    """Disposition, language and location."""
    if part.disposition is None:
        disposition = b"NIL"
    else:
        disposition = b"(%b %b)" % (_string(part.disposition), _params(part.disposition_params))
    language = b"(" + b" ".join(map(quote, part.language)) + b")" if part.language else b"NIL"
    return b"%b %b %b" % (disposition, language, b"NIL" if part.location is None else quote(part.location))


def _params(params: Params) -> bytes:
    if not params:
        return b"NIL"
    return b"(" + b" ".join([_string(name) + b" " + _string(value) for name, value in params]) + b")"


_string: Callable[[bytes], bytes] = quote
