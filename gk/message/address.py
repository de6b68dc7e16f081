"""Addresses: the paths of SMTP (RFC 5321 section 4.1.2, RFC 6531) and the lists of header fields (RFC 5322 3.4)."""

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address

from gk.message.mailboxes import Group, Mailbox, parse_list

__all__ = [
    "Address",
    "AddressError",
    "Group",
    "Mailbox",
    "ascii_domain",
    "parse_address",
    "parse_list",
    "parse_path",
    "split_path",
]

LOCAL = 64  # octets, RFC 5321 section 4.5.3.1.1
DOMAIN = 255  # octets, RFC 5321 section 4.5.3.1.2
PATH = 256  # octets with the angle brackets, RFC 5321 section 4.5.3.1.3
LABEL = 63  # octets, RFC 1035 section 2.3.4

_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\x80-\U0010ffff"
_DOT_STRING = re.compile(rf"[{_ATEXT}]++(?:\.[{_ATEXT}]++)*+")
_QUOTED = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e\x80-\U0010ffff]|\\[\x20-\x7e])*+)"')
_PAIR = re.compile(r"\\(.)")
_NAME = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*")
_IPV4 = re.compile(r"\[(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\]", re.ASCII)
_PLAIN = re.compile(rb"<([A-Za-z0-9_+=-]{1,32}(?:\.[A-Za-z0-9_+=-]{1,31})?)@((?:[a-z0-9]{1,63}\.){1,3}[a-z]{2,63})>")
_SPLIT = re.compile(rb'[ \t]*+(<(?:[^"<>\\]++|"(?:[^"\\]++|\\.)*+"|\\.)*+>)[ \t]*+', re.DOTALL)


class AddressError(ValueError):
    """The text is no address; the message says why, in words fit for a log."""


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox: `local` unquoted, `domain` in lower case, an IP literal in its brackets, "" for bare Postmaster."""

    local: str
    domain: str

    def __str__(self) -> str:
        local = self.local
        if not _DOT_STRING.fullmatch(local):
            local = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return f"{local}@{self.domain}" if self.domain else local

    @property
    def key(self) -> str:
        """What two spellings of one mailbox share: lower case, the domain as A-labels (RFC 5891)."""
        text = str(self)
        if text.isascii():
            return text.lower()
        local, at, domain = text.rpartition("@")
        return unicodedata.normalize("NFC", local).lower() + at + ascii_domain(domain)

    @property
    def is_ascii(self) -> bool:
        """Whether it can be sent without SMTPUTF8 as it stands."""
        return self.local.isascii() and self.domain.isascii()


def parse_path(raw: bytes, *, null: bool = False, utf8: bool = False) -> Address | None:
    """The path of MAIL FROM or RCPT TO, angle brackets included (RFC 5321 section 4.1.2).

    `<>` is None where `null` allows it. `utf8` allows RFC 6531 addresses. Raises AddressError for anything else,
    source routes included (RFC 5321 section 3.6.1: ignored or refused; a route is never followed here).
    """
    plain = _PLAIN.fullmatch(raw)
    if plain is not None and len(raw) <= PATH:
        return Address(plain[1].decode(), plain[2].decode())
    if raw == b"<>":
        if null:
            return None
        raise AddressError("empty path")
    if len(raw) > PATH:
        raise AddressError("path longer than 256 octets")
    if raw[:1] != b"<" or raw[-1:] != b">":
        raise AddressError("path without angle brackets")
    if not utf8 and not raw.isascii():
        raise AddressError("address is not ASCII")
    try:
        text = raw[1:-1].decode("utf-8")
    except UnicodeDecodeError:
        raise AddressError("address is not UTF-8") from None
    if text.startswith("@"):
        raise AddressError("source route")
    if text.lower() == "postmaster":
        return Address(text, "")  # RFC 5321 section 4.1.1.3
    return _mailbox(text)


def parse_address(text: str) -> Address:
    """An address as a person writes it in a file or on a command line: local@domain, nothing around it."""
    text = text.strip()
    if len(text) > PATH:
        raise AddressError("address longer than 256 characters")
    return _mailbox(text)


def split_path(argument: bytes) -> tuple[bytes, bytes]:
    """(path with its brackets, what follows) of the argument of MAIL FROM: or RCPT TO:, quotes respected."""
    found = _SPLIT.match(argument)
    if found is None:
        raise AddressError("path without angle brackets")
    rest = argument[found.end() :]
    if rest and argument[found.end() - 1 : found.end()] == b">":
        raise AddressError("text behind the path")
    return found[1], rest


def ascii_domain(domain: str) -> str:
    """A domain in lower case, each U-label as its A-label (RFC 5891 section 4.4); AddressError when one has none."""
    labels: list[str] = []
    for label in unicodedata.normalize("NFC", domain.lower()).split("."):
        if label.isascii():
            labels.append(label)
        elif len(label) > LABEL or not _is_u_label(label):
            raise AddressError("label is no U-label")
        else:
            labels.append("xn--" + label.encode("punycode").decode("ascii"))
    return ".".join(labels)


def _mailbox(text: str) -> Address:
    if not text.isascii():
        _check_characters(text)
    if text.startswith('"'):
        quoted = _QUOTED.match(text)
        if quoted is None:
            raise AddressError("unbalanced quote")
        local, wire, rest = _PAIR.sub(r"\1", quoted[1]), quoted[0], text[quoted.end() :]
    else:
        wire, at, rest = text.partition("@")
        rest = at + rest
        local = wire
        if not _DOT_STRING.fullmatch(local):
            raise AddressError("local part against the grammar")
    if not rest.startswith("@"):
        raise AddressError("no domain")
    if len(_octets(wire)) > LOCAL:
        raise AddressError("local part longer than 64 octets")
    return Address(local, _domain(rest[1:]))


def _octets(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise AddressError("lone surrogate") from None


def _check_characters(text: str) -> None:
    _octets(text)
    for character in text:
        if character > "\x7f" and unicodedata.category(character) in ("Cc", "Cf", "Co", "Zl", "Zp", "Zs"):
            if character in "\u200c\u200d":  # joiners spell words (RFC 5892 appendix A)
                continue
            raise AddressError("invisible character")


def _domain(text: str) -> str:
    if not text or len(_octets(text)) > DOMAIN:
        raise AddressError("domain empty or longer than 255 octets")
    if text.startswith("["):
        return _literal(text)
    text = text.lower()
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    labels = text if text.isascii() else ascii_domain(text)
    if not _NAME.fullmatch(labels) or len(labels) > DOMAIN or max(map(len, labels.split("."))) > LABEL:
        raise AddressError("domain against the grammar")
    return text


def _literal(text: str) -> str:
    """An address literal (RFC 5321 section 4.1.3), in its canonical spelling."""
    four = _IPV4.fullmatch(text)
    if four is not None:
        numbers = [int(number) for number in four.groups()]
        if max(numbers) <= 255:
            return "[{}.{}.{}.{}]".format(*numbers)
    elif text[:6].lower() == "[ipv6:" and text.endswith("]") and "%" not in text:
        try:
            return f"[IPv6:{IPv6Address(text[6:-1])}]"
        except AddressValueError:
            pass
    raise AddressError("address literal against the grammar")


def _is_u_label(label: str) -> bool:
    """Letters, digits, marks and hyphens (RFC 5892 section 2.1 LetterDigits), no compatibility forms."""
    if unicodedata.normalize("NFKC", label) != label:
        return False
    return all(
        character in "-\u200c\u200d\u00b7\u0375\u05f3\u05f4\u30fb"
        or unicodedata.category(character) in ("Ll", "Lo", "Lm", "Mn", "Mc", "Nd")
        for character in label
    )
