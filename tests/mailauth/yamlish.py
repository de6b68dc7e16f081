"""A reader of the YAML that public test suites are written in: blocks, flows, quotes, folded texts, anchors.

Not all of YAML, and every scalar is a string.
"""

import re
from typing import Any

_KEY = re.compile(
    r"""(?:"((?:[^"\\]|\\.)*)"|'((?:[^']|'')*)'|([^\s#'"\[\]{}&*!|>%@`-][^#]*?|-[^\s][^#]*?)|(%[^:]*?))\s*:(?:\s+|$)"""
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", '"': '"', "\\": "\\", "/": "/", " ": " "}


def documents(text: str) -> list[Any]:
    """The documents of a file."""
    parts = re.split(r"(?m)^---[ \t]*$\n?", text)
    return [Reader(part).value(0) for part in parts if re.search(r"(?m)^[^#\s]", part)]


class Reader:
    """One document, line by line."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.at = 0
        self.anchors: dict[str, Any] = {}

    def skip(self) -> None:
        while self.at < len(self.lines) and re.match(r"\s*(#.*)?$", self.lines[self.at]):
            self.at += 1

    def indent(self) -> int:
        self.skip()
        if self.at >= len(self.lines):
            return -1
        line = self.lines[self.at]
        return len(line) - len(line.lstrip(" "))

    def value(self, least: int) -> Any:
        """The block that begins on this line, if it is indented enough."""
        depth = self.indent()
        if depth < least:
            return None
        text = self.lines[self.at].strip()
        if text == "-" or text.startswith("- "):
            return self.sequence(depth)
        if _KEY.match(text):
            return self.mapping(depth)
        self.at += 1
        return self.scalar(text, depth)

    def sequence(self, depth: int) -> list[Any]:
        found = []
        while self.indent() == depth and re.match(r"-(\s|$)", self.lines[self.at].strip()):
            line = self.lines[self.at]
            rest = line[depth + 1 :]
            if not rest.strip() or rest.strip().startswith("#"):
                self.at += 1
                found.append(self.value(depth + 1))
                continue
            self.lines[self.at] = " " * (depth + 1) + rest
            inner = self.indent()
            if _KEY.match(rest.strip()) and rest.strip()[0] not in "[{":
                found.append(self.mapping(inner))
            else:
                self.at += 1
                found.append(self.scalar(rest.strip(), depth))
        return found

    def mapping(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.indent() == depth:
            match = _KEY.match(self.lines[self.at].strip())
            assert match, self.lines[self.at]
            double, single, plain, odd = match.groups()
            name = _unescaped(double) if double is not None else single or plain or odd
            rest = self.lines[self.at].strip()[match.end() :].strip()
            self.at += 1
            found[name] = self.member(rest, depth)
        return found

    def member(self, rest: str, depth: int) -> Any:
        anchor = re.match(r"&(\S+)\s*", rest)
        if anchor:
            found = self.anchors[anchor[1]] = self.member(rest[anchor.end() :], depth)
            return found
        if not rest or rest.startswith("#"):
            inner = self.indent()
            listed = inner == depth and self.lines[self.at].strip().startswith("-")
            return self.value(depth if listed else depth + 1)
        return self.scalar(rest, depth)

    def scalar(self, text: str, depth: int) -> Any:
        if text.startswith("*"):
            return self.anchors[text[1:].strip()]
        if re.match(r"[|>][-+]?$", text):
            return self.block(text, depth)
        if text[0] in "\"'":
            return self.quoted(text)
        if text[0] in "[{":
            while text.count("[") > text.count("]") or text.count("{") > text.count("}"):
                text += " " + self.lines[self.at].strip()
                self.at += 1
            return Flow(text).value()
        text = re.sub(r"\s+#.*$", "", text)
        while self.indent() > depth:  # a plain scalar goes on
            text += " " + re.sub(r"\s+#.*$", "", self.lines[self.at].strip())
            self.at += 1
        return text

    def block(self, style: str, depth: int) -> str:
        taken = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.strip() and len(line) - len(line.lstrip(" ")) <= depth:
                break
            taken.append(line)
            self.at += 1
        inner = min((len(line) - len(line.lstrip(" ")) for line in taken if line.strip()), default=0)
        text = "\n".join(line[inner:] for line in taken).rstrip("\n")
        if style[0] == ">":
            text = re.sub(r"(?<!\n)\n(?!\n)", " ", text)
        return text if style.endswith("-") else text + "\n"

    def quoted(self, text: str) -> str:
        quote = text[0]
        whole = r'"(?:[^"\\]|\\.)*"' if quote == '"' else r"'(?:[^']|'')*'"
        lines = [text]
        while not (found := re.match(whole, "\n".join(lines), re.DOTALL)):
            lines.append(self.lines[self.at].strip())
            self.at += 1
        inside = found[0][1:-1]
        if quote == '"':
            inside = re.sub(r"\\\n", "", inside)
        inside = re.sub(r"\n+", lambda m: " " if len(m[0]) == 1 else "\n" * (len(m[0]) - 1), inside)
        return _unescaped(inside) if quote == '"' else inside.replace("''", "'")


class Flow:
    """A value in brackets."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def blank(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def value(self) -> Any:
        self.blank()
        match self.text[self.at]:
            case "[":
                return self.members("]")
            case "{":
                found: dict[str, Any] = {}
                for item in self.members("}"):
                    name, value = item if isinstance(item, tuple) else (item, None)
                    found[name] = value
                return found
            case '"' | "'" as quote:
                whole = r'"(?:[^"\\]|\\.)*"' if quote == '"' else r"'(?:[^']|'')*'"
                match = re.compile(whole, re.DOTALL).match(self.text, self.at)
                assert match
                self.at = match.end()
                inside = match[0][1:-1]
                return _unescaped(inside) if quote == '"' else inside.replace("''", "'")
        match = re.compile(r"(?:[^,\[\]{}:]|:(?!\s))*").match(self.text, self.at)
        assert match
        self.at = match.end()
        return match[0].strip()

    def members(self, end: str) -> list[Any]:
        self.at += 1
        found: list[Any] = []
        while True:
            self.blank()
            if self.text[self.at] == end:
                self.at += 1
                return found
            item = self.value()
            self.blank()
            if self.text[self.at] == ":":
                self.at += 1
                item = (item, self.value())
                self.blank()
            found.append(item)
            if self.text[self.at] == ",":
                self.at += 1


def _unescaped(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if code[0] in "xu" else _ESCAPES[code]

    return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", one, text)
