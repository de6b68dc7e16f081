"""BODY from BODYSTRUCTURE: the same without extension data (RFC 3501 §7.4.2), made from the stored wire bytes."""

import re

# A bracket, a quoted string, the announcement of a literal, or an atom.
_TOKEN = re.compile(rb' ?([()]|"[^"]*+"|\{(\d+)\}\r\n|[^() "{]++)')
_TEXT, _MESSAGE = b'"text"', b'"message"'


class _List:
    """A bracket being copied: what it is, and how many of its elements are kept."""

    __slots__ = ("basic", "elements", "keep", "kind", "subtype")

    def __init__(self, basic: bool) -> None:
        self.basic = basic  # not a body, but something inside one: copied whole
        self.elements = 0
        self.keep = 7
        self.kind = b""  # of a body: "multipart" once it begins with a bracket, else its type
        self.subtype = b""


def plain_body(structure: bytes) -> bytes:
    """The BODY of a message whose BODYSTRUCTURE this is; one pass, no recursion."""
    out: list[bytes] = []
    open_lists: list[_List] = []
    dropped = 0  # brackets open inside what is left out
    position, end = 0, len(structure)
    while position < end:
        start = position
        token = _TOKEN.match(structure, position)
        if token is None:
            break
        position = token.end()
        if token[2]:
            position += int(token[2])
        text = token[1]
        if dropped:
            dropped += (text == b"(") - (text == b")")
        elif text == b")":
            open_lists.pop()
            out.append(b")")
        elif open_lists and not _kept(open_lists[-1], text):
            dropped = text == b"("
        else:
            out.append(structure[start:position])  # with the space before it
            if text == b"(":
                open_lists.append(_List(basic=bool(open_lists) and not _is_body(open_lists[-1])))
    return b"".join(out)


def _kept(top: _List, text: bytes) -> bool:
    """Count an element of `top`; whether it belongs into BODY."""
    top.elements += 1
    if top.basic:
        return True
    if top.elements == 1:
        top.kind = b"multipart" if text == b"(" else text.lower()
        if top.kind == _TEXT:
            top.keep = 8  # and its lines
        return True
    if top.kind == b"multipart":
        if text == b"(" and not top.subtype:
            return True
        if top.subtype:
            return False
        top.subtype = text
        return True
    if top.elements == 2:
        top.subtype = text.lower()
    if top.elements == 8 and top.kind == _MESSAGE and text == b"(":
        top.keep = 10  # envelope, body and lines of an embedded message
    return top.elements <= top.keep


def _is_body(top: _List) -> bool:
    """Whether the bracket that begins now, an element of `top`, is a body."""
    if top.basic:
        return False
    return top.kind == b"multipart" or (top.kind == _MESSAGE and top.elements == 9)
