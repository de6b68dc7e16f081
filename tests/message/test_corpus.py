"""Mail and vectors that nobody here wrote: every message is read, and what others understood is compared.

Expected values come from a parser with other aims: it decodes nested messages, keeps comments in names and reads some
headers more freely. Where ours differs on purpose the difference is listed by file, with the clause.
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gk.message.address import Group, Mailbox, parse_list
from gk.message.date import parse_date
from gk.message.header import disposition, joined, media, unfold
from gk.message.parsed import parse
from gk.message.part import Part
from gk.message.scan import scan
from gk.message.searched import searchable
from gk.message.structure import body, dump, load
from gk.message.text import decode_words, file_name, file_names, parameter, to_text, transfer_decode, walk
from gk.message.thread import base_subject, message_ids
from tests.corpus import corpus_path
from tests.message.messages import read_list


def messages(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.suffix not in (".json", ".ref", ".yml")
        and not path.name.startswith(("COPYING", "LICENSE"))
    ]


@pytest.mark.parametrize("folder", ["mime", "spam-ham"])
def test_every_message_is_read_and_rendered(folder: str) -> None:
    paths = messages(corpus_path(folder))
    assert paths
    for path in paths:
        raw = path.read_bytes()
        found = parse(raw)
        assert len(read_list(found.envelope)) == 10, path.name
        assert read_list(found.bodystructure), path.name
        assert read_list(body(raw, found.tree)), path.name
        assert dump(load(found.parts)) == found.parts, path.name
        assert len(searchable(raw, found.tree, body=True, header=True, limit=65_536)) <= 65_536
        assert all(isinstance(name, str) for name in file_names(found.tree))
        assert base_subject(base_subject(found.subject)) == base_subject(found.subject)
        for part in walk(found.tree):
            assert 0 <= part.start <= part.body <= part.end <= len(raw), path.name


def test_nearly_every_real_message_has_a_date_an_author_and_an_id() -> None:
    found = [parse(path.read_bytes()) for path in messages(corpus_path("spam-ham"))]
    with_date = [item for item in found if item.date]
    assert sum(parse_date(item.date) is not None for item in with_date) == len(with_date)
    assert sum(item.message_id is not None for item in found) > len(found) * 0.95
    assert sum(b'"MISSING_DOMAIN"' not in item.envelope for item in found) > len(found) * 0.95


# file -> what differs, and why
RFC_5322_3_4 = {"from", "to"}  # section 3.4: a word alone is a local part (and RFC 3501 7.4.2), a comment is no name
OTHER_BYTES = {"file", "to", "subject"}  # 8-bit headers, which the expected values lost; RFC 6532 and Windows-1252 here
DIFFERENT: dict[str, set[str]] = {
    "legacy/016": OTHER_BYTES,
    "legacy/017": OTHER_BYTES,
    "legacy/022": OTHER_BYTES,
    "legacy/049": {"end", "text"},  # mbox: there the last empty line is left out
    "malformed/000": {"children"},  # RFC 2046 5.1.1: each delimiter line begins a part
    "malformed/004": {
        "start",
        "text",
    },  # RFC 2046 5.1.1: what follows the boundary in its line is part of the delimiter
    "malformed/007": {"children", "start", "end", "text"},  # RFC 2046 5.1.2: a delimiter ends a header, too
    "malformed/008": {"children"},  # RFC 2046 5.1.2: an outer boundary ends what is inside
    "malformed/011": {"children", "end", "text"},  # the same
    "malformed/016": {"children"},  # the same
    "malformed/021": {"end", "text"},  # a multipart without its first boundary has no text part
    "rfc/000": RFC_5322_3_4 | {"text"},  # RFC 2045 6.8: octets outside base64 are skipped, not shown
    "rfc/001": RFC_5322_3_4,
    "rfc/004": RFC_5322_3_4,
    "rfc/008": {
        "subject",
        "from",
        "to",
        "date",
        "type",
        "start",
        "children",
    },  # RFC 2046 5.2.1: no encoding of messages
    "rfc/009": RFC_5322_3_4,
    "thirdparty/002": {"text"},  # RFC 2045 6.8: padding ends the data
    "thirdparty/005": {"end", "text"},  # RFC 2046 5.1.1: a delimiter begins a line
    "thirdparty/015": {"children", "end", "subject", "from", "date", "file", "start", "text"},  # RFC 2046 5.1.2
}


class Comparison:
    """One message beside its expected tree."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.different: dict[str, list[tuple[object, object]]] = {}

    def same(self, what: str, expected: object, ours: object) -> None:
        if expected != ours:
            self.different.setdefault(what, []).append((expected, ours))

    def message(self, tree: dict[str, Any], part: Part) -> None:
        top = tree["parts"][0]
        found = part.fields or {}
        subject = found.get(b"subject")
        self.same("subject", text_value(header(top, "subject")), decode_words(subject) if subject else None)
        for name, key in (("from", b"from"), ("to", b"to"), ("cc", b"cc"), ("reply_to", b"reply-to")):
            value = header(top, name)
            expected = expected_addresses(value["Address"]) if isinstance(value, dict) else None
            self.same(name, expected, our_addresses(found[key]) or None if key in found else None)
        date = header(top, "date")
        expected_date = epoch(date["DateTime"]) if isinstance(date, dict) and "DateTime" in date else None
        self.same("date", expected_date, parse_date(found[b"date"]) if b"date" in found else None)
        self.part(tree["parts"], 0, part)

    def part(self, entries: list[dict[str, Any]], index: int, part: Part) -> None:
        entry = entries[index]
        kind = header(entry, "content_type")
        if isinstance(kind, dict):
            named = kind["ContentType"]
            expected = (named["c_type"].lower().encode(), (named["c_subtype"] or "").lower().encode())
            self.same("type", expected, (part.type, part.subtype))
        self.same("file", expected_file(entry), file_name(part))
        self.same("start", (entry["offset_header"], entry["offset_body"]), (part.start, part.body))
        content: dict[str, Any] = entry["body"]
        if "Multipart" in content:
            self.same("children", len(content["Multipart"]), len(part.children))
            for child, ours in zip(content["Multipart"], part.children, strict=False):
                self.part(entries, child, ours)
            return
        self.same("end", entry["offset_end"], part.end)
        if "Message" in content:
            self.same("message", 1, len(part.children))
            self.message(content["Message"], part.children[0])
            return
        octets = transfer_decode(self.raw[part.body : part.end], part.encoding)
        text = content.get("Text", content.get("Html"))
        if text is None:
            (listed,) = content.values()
            self.same("octets", bytes(listed), octets)
            return
        charset = joined(part.params, b"charset")
        ours = to_text(octets, charset[1] if charset else None)
        self.same("text", text.replace("\r\n", "\n"), ours.replace("\r\n", "\n"))


def header(entry: dict[str, Any], name: str) -> Any:
    return next((item["value"] for item in entry["headers"] if item["name"] == name), None)


def text_value(value: Any) -> str | None:
    return value.get("Text") if isinstance(value, dict) else None


def expected_addresses(value: dict[str, Any]) -> list[object]:
    """(name, address) pairs, or (group name, pairs); a nameless group is a plain list."""
    if "List" in value:
        return [(item["name"], item["address"]) for item in value["List"]]
    found: list[object] = []
    for group in value["Group"]:
        pairs = [(item["name"], item["address"]) for item in group["addresses"]]
        found.extend(pairs if group["name"] is None else [(group["name"], pairs)])
    return found


def our_addresses(value: bytes) -> list[object]:
    def pair(mailbox: Mailbox) -> tuple[str | None, str | None]:
        address = mailbox.local + b"@" + mailbox.domain if mailbox.domain else mailbox.local
        return (decode_words(mailbox.name) if mailbox.name else None, decode_words(address) or None)

    return [
        (decode_words(item.name), [pair(member) for member in item.members]) if isinstance(item, Group) else pair(item)
        for item in parse_list(value)
    ]


def expected_file(entry: dict[str, Any]) -> str | None:
    for field, wanted in (("content_disposition", "filename"), ("content_type", "name")):
        value = header(entry, field)
        if isinstance(value, dict):
            for attribute in value["ContentType"]["attributes"] or ():
                if attribute["name"] == wanted:
                    return str(attribute["value"])
    return None


def epoch(value: dict[str, Any]) -> int | None:
    offset = (value["tz_hour"] * 3600 + value["tz_minute"] * 60) * (-1 if value["tz_before_gmt"] else 1)
    parts = [value[name] for name in ("year", "month", "day", "hour", "minute", "second")]
    try:
        return int(datetime(*parts, tzinfo=UTC).timestamp()) - offset
    except ValueError:
        return None


def test_the_trees_are_those_that_others_found() -> None:
    folder = corpus_path("mime", "mail-parser")
    different: dict[str, dict[str, list[tuple[object, object]]]] = {}
    names = []
    for path in sorted(folder.rglob("*.json")):
        name = f"{path.parent.name}/{path.stem}"
        names.append(name)
        # The offsets were taken from copies with bare LF.
        comparison = Comparison(path.with_suffix(".eml").read_bytes().replace(b"\r\n", b"\n"))
        comparison.message(json.loads(path.read_text()), scan(comparison.raw))
        rest = {what: pairs for what, pairs in comparison.different.items() if what not in DIFFERENT.get(name, ())}
        if rest:
            different[name] = rest
    assert not different
    assert len(names) >= len(DIFFERENT)


def fields(name: str) -> list[tuple[int, str, Any]]:
    vectors = json.loads(corpus_path("mime", "fields", f"{name}.json").read_text())
    return [(index, item["header"], item["expected"]) for index, item in enumerate(vectors)]


# header text -> the clause by which ours differs
ADDRESSES_DIFFERENT = {
    "Pete(A nice": "RFC 5322 3.2.2: a comment is no part of the name",
    "A Group(Some people)": "the same",
    "(Empty list)(start)": "the same",
    "John Doe <jdoe@machine(comment)": "the same; RFC 5322 4.4: blanks in a domain mean nothing",
    "Name (comment)": "the same",
    "Nathaniel Borenstein <nsb@thumper.bellcore.com>\n": "the same",
    "Mary Smith <@node.test": "RFC 5321 appendix C: source routes are dropped",
    "test@test.com\ninvalid": "RFC 5322 2.2: the second line is another field, found by the scanner",
    "<a@b.com> =?utf-8?q?Doe?=": "RFC 5322 3.4: a name stands before its address",
}


def test_address_fields_are_read_as_others_read_them() -> None:
    for _, value, expected in fields("address"):
        if not any(value.startswith(known) for known in ADDRESSES_DIFFERENT):
            ours = our_addresses(value.encode()) or None
            assert ours == (expected_addresses(expected) if expected else None), value


DATES_DIFFERENT = {
    "20 11 (some": "RFC 5322 3.3: months have names",
    " 4 8 15 16 23 42": "the same",
    "Tue, 1 Jul 2003 ((invalid)": "RFC 5322 2.2.3: a field given here is unfolded already",
    "by 2002:aa7": "a Received field, of which the date is the last part",
}


def test_dates_are_read_as_others_read_them() -> None:
    for _, value, expected in fields("date"):
        if not any(value.startswith(known) for known in DATES_DIFFERENT):
            assert parse_date(value.encode()) == (epoch(expected) if expected else None), value


CONTENT_TYPES_DIFFERENT = {
    # index in the file: the clause
    31: "RFC 2231 4.1: only the first piece names a charset",
    34: "RFC 2047 6.2: blanks between encoded words are no text",
    49: "RFC 2045 5.1: an empty value is a value",
    55: "RFC 5322 2.2: blanks at the end of a field are no text",
    56: "the same",
    59: "RFC 2231 3: pieces count from 0 without gaps",
    61: "the same",
    76: "RFC 2045 5.1: no slash in a subtype",
    77: "the same",
    78: "the same",
}


def test_content_types_are_read_as_others_read_them() -> None:
    for index, value, expected in fields("content_type"):
        line = unfold(value.encode())
        if index in CONTENT_TYPES_DIFFERENT or not expected:
            media(line)
            continue
        if not expected.get("c_subtype"):
            # No type at all, or a disposition; RFC 2045 5.2 makes the former plain text.
            assert media(line) is None, value
            disposition(line)
            continue
        named = media(line)
        assert named is not None, value
        assert named[0].decode() == expected["c_type"].lower(), value
        assert named[1].decode() == expected["c_subtype"].lower(), value
        for name, text in expected.get("attributes") or ():
            if not name.endswith("-language"):  # RFC 2231 5: the language is not kept
                assert parameter(named[2], name) == text, value


def test_ids_are_read_as_others_read_them() -> None:
    for _, value, expected in fields("id"):
        line = value.partition("\n\n")[0]  # the empty line ends the header
        ours = [item[1:-1].decode() for item in message_ids(line.encode())]
        wanted = ["".join(item.split()) for item in expected or ()]  # RFC 5322 4.5.4: blanks in an id mean nothing
        assert ours == wanted, value


def test_unstructured_text_is_decoded_as_others_decode_it() -> None:
    for _, value, expected in fields("unstructured"):
        lines = value.split("\n")
        end = next((index for index, line in enumerate(lines) if index and line[:1] not in (" ", "\t")), len(lines))
        ours = decode_words(unfold("\n".join(lines[:end]).encode()))
        # They add and drop blanks where RFC 2047 6.2 and RFC 5322 2.2.3 keep what is written.
        assert "".join(ours.split()) == "".join((expected or "").split()), value


def reference(path: Path) -> tuple[str, dict[str, dict[str, str]]]:
    """A MIME-tools reference, a Perl hash: the message's file name, and what it says of `Msg` and each `Part_n_m`."""
    text = path.read_text()
    named = re.search(r'"Message" => "testmsgs/([^"]+)"', text)
    assert named is not None
    found: dict[str, dict[str, str]] = {}
    for block in re.finditer(r'"(Msg|Part_[0-9_]+)" => \{(.*?)\n  \}', text, re.DOTALL):
        pairs = re.findall(r'"(\w+)" => (?:qq\{(.*?)\}|"((?:[^"\\]|\\.)*)"|(\d+)),?\n', block[2] + "\n")
        found[block[1]] = {key: perl(qq or quoted or number) for key, qq, quoted, number in pairs}
    return named[1], found


def perl(text: str) -> str:
    text = re.sub(r"\\x\{([0-9a-f]+)\}", lambda match: chr(int(match[1], 16)), text)
    return re.sub(r"\\(.)", r"\1", text)


def numbered(part: Part, name: str) -> Part:
    """The part a reference names: children counted from 1, an embedded message being the one child of its part."""
    for number in name.split("_")[1:]:
        part = part.children[int(number) - 1]
    return part


# (reference, part) -> what differs, and why
REFERENCES_DIFFERENT = {
    ("multi-nested2", "Part_5_1"): {"Size"},  # one more than multi-nested3 says of the same octets; RFC 2046 5.1.1
}


def test_old_nasty_mail_has_the_parts_that_mime_tools_found() -> None:
    folder = corpus_path("mime", "mime-tools")
    checked = 0
    for path in sorted(folder.glob("*.ref")):
        file, blocks = reference(path)
        if not (folder / file).exists():
            continue
        raw = (folder / file).read_bytes()
        top = scan(raw)
        for name, expected in blocks.items():
            part = numbered(top, name)
            octets = transfer_decode(raw[part.body : part.end], part.encoding)
            named = joined(part.params, b"charset")
            ours = {
                "Type": f"{part.type.decode()}/{part.subtype.decode()}",
                "Encoding": part.encoding.decode(),
                "Charset": named[1].decode().lower() if named else None,
                "Filename": file_name(part),
                "Size": str(len(octets)),
                "Boundary": parameter(part.params, "boundary"),
                "Disposition": part.disposition.decode() if part.disposition else None,
            }
            known = REFERENCES_DIFFERENT.get((path.stem, name), set())
            wanted = {key: value for key, value in expected.items() if key in ours and key not in known}
            if "Charset" in wanted:
                wanted["Charset"] = wanted["Charset"].lower()
            assert wanted == {key: ours[key] for key in wanted}, (path.name, name)
            checked += 1
    assert checked > 20
