"""Lists of tags, `name=value` between semicolons, as DKIM, DMARC and others have them (RFC 6376 §3.2)."""

LENGTH = 8 << 10  # characters of a list that are read
TAGS = 64  # of one list


class BadTags(ValueError):
    """The text is no list of tags; the message says why."""


def tags(text: str) -> dict[str, str]:
    """The values by name, in their order, blanks around them removed. Raises BadTags."""
    if len(text) > LENGTH:
        raise BadTags("it is too long")
    found: dict[str, str] = {}
    for item in text.split(";"):
        name, equals, value = item.partition("=")
        name = name.strip()
        if not name and not equals and not item.strip():
            continue  # the end, or two semicolons
        if not equals or not name:
            raise BadTags("a tag has no value")
        if name in found:
            raise BadTags("a tag is there twice")
        if len(found) == TAGS:
            raise BadTags("it has too many tags")
        found[name] = value.strip()
    return found
