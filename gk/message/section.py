"""Where a section of a message lies (RFC 3501 section 6.4.5, `section-spec`)."""

from gk.message.part import Part


def resolve(part: Part, path: tuple[int, ...], text: str) -> tuple[int, int] | None:
    """The byte range (start, end) of BODY[path.text] in the message whose tree is `part`; None when there is none.

    `text` is "", "HEADER", "TEXT" or "MIME" in upper case; MIME needs a path. HEADER.FIELDS is HEADER filtered.
    """
    if not path:
        return _of_message(part, text)
    found = find(part, path)
    if found is None:
        return None
    if text == "":
        return found.body, found.end
    if text == "MIME":
        return found.start, found.body
    if found.is_message and found.children:
        return _of_message(found.children[0], text) if text in ("HEADER", "TEXT") else None
    return None


def find(part: Part, path: tuple[int, ...]) -> Part | None:
    """The part with that number; part 1 of a message without parts is its own content."""
    container = part
    found: Part | None = None
    for number in path:
        if found is not None:
            if found.is_multipart:
                container = found
            elif found.children:
                container = found.children[0]  # numbers inside message/rfc822 count its message's parts
            else:
                return None
        if container.is_multipart and container.children:
            if not 1 <= number <= len(container.children):
                return None
            found = container.children[number - 1]
        elif number == 1:
            found = container
        else:
            return None
    return found


def _of_message(message: Part, text: str) -> tuple[int, int] | None:
    match text:
        case "":
            return message.start, message.end
        case "HEADER":
            return message.start, message.body
        case "TEXT":
            return message.body, message.end
    return None
