"""The parameters of delivery status notifications in MAIL and RCPT (RFC 3461 §4, §5.4; RFC 6533 §3), in and out."""

import re

ENVID = 100  # characters, RFC 3461 §5.4
ORCPT = 500  # characters, RFC 3461 §5.4

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")  # RFC 3461 §4
_HEXCHAR = re.compile(r"\+([0-9A-F]{2})")
_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_NOTIFY = ("SUCCESS", "FAILURE", "DELAY")


def is_notify(value: str) -> bool:
    """NEVER alone, or each of SUCCESS, FAILURE, DELAY at most once (RFC 3461 §4.1)."""
    words = value.split(",")
    return words == ["NEVER"] or (all(word in _NOTIFY for word in words) and len(set(words)) == len(words))


def is_orcpt(value: str) -> bool:
    """`addr-type;xtext` (RFC 3461 §4.2); RFC 6533 §3 allows UTF-8 under the type utf-8."""
    kind, semicolon, address = value.partition(";")
    if not (semicolon and address and len(value) <= ORCPT and _TYPE.fullmatch(kind)):
        return False
    if kind.lower() == "utf-8" and not address.isascii():
        return address.isprintable() and not {" ", "="} & {*address}  # esmtp-value, RFC 5321 §4.1.2
    return is_xtext(address)


def is_xtext(value: str) -> bool:
    """xtext (RFC 3461 §4) that hides no control character: it ends in a header field of a report."""
    if not _XTEXT.fullmatch(value):
        return False
    return all(0x20 <= int(code, 16) < 0x7F for code in _HEXCHAR.findall(value))
