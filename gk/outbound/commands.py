"""MAIL and RCPT as they go over the wire (RFC 5321 §4.1.1.2, §4.1.1.3): nothing in them begins another command.

What the queue holds was checked when it came in; it is checked again where it leaves. An address that is none is not
sent to; a parameter against its grammar is left out, for the message matters more (RFC 3461 §4).
"""

import re
from collections.abc import Container

from gk.message.address import Address, AddressError, ascii_domain, parse_address
from gk.message.dsn_parameters import ENVID, is_notify, is_orcpt, is_xtext
from gk.store.queued import Claim, ClaimedRecipient

_USUAL = re.compile(r"[A-Za-z0-9_+=-]{1,32}(?:\.[A-Za-z0-9_+=-]{1,31})?@(?:[a-z0-9-]{1,63}\.){1,3}[a-z]{2,63}")


def spelled(address: str, utf8: bool) -> str | None:
    """An address as a server takes it, None where it takes it in no form; "" is the null sender's.

    A domain can be written in ASCII, a local part cannot (RFC 6531 §3.2).
    """
    if not address or _USUAL.fullmatch(address):
        return address
    try:
        parsed = parse_address(address)
        if not utf8 and not parsed.is_ascii:
            parsed = Address(parsed.local, ascii_domain(parsed.domain))
        text = str(parsed)
        parse_address(text)  # what was written must be read as the same
    except AddressError:
        return None
    return text if utf8 or text.isascii() else None


def mail(claim: Claim, sender: str, offers: Container[str], size: int, *, eight: bool, international: bool) -> bytes:
    """MAIL FROM, its sender spelled already; `offers` are the server's extensions in lower case."""
    words = [f"MAIL FROM:<{sender}>"]
    words += [f"SIZE={size}"] if "size" in offers else []
    words += ["BODY=8BITMIME"] if eight else []
    words += ["SMTPUTF8"] if international else []
    words += ["REQUIRETLS"] if claim.requiretls > 0 else []  # RFC 8689 §4.2
    if "dsn" in offers:  # RFC 3461 §5.2.1: passed on as they came
        words += [f"RET={claim.ret}"] if claim.ret in ("FULL", "HDRS") else []
        envid = claim.envid or ""
        words += [f"ENVID={envid}"] if envid and len(envid) <= ENVID and is_xtext(envid) else []
    return " ".join(words).encode()


def rcpt(recipient: ClaimedRecipient, address: str, offers: Container[str]) -> bytes:
    """RCPT TO, its address spelled already."""
    words = [f"RCPT TO:<{address}>"]
    if "dsn" in offers:
        notify, orcpt = recipient.notify or "", recipient.orcpt or ""
        words += [f"NOTIFY={notify}"] if is_notify(notify) else []
        words += [f"ORCPT={_original(orcpt, 'smtputf8' in offers)}"] if is_orcpt(orcpt) else []
    return " ".join(words).encode()


def _original(orcpt: str, utf8: bool) -> str:
    """ORCPT with its letters beyond ASCII as the server takes them (RFC 6533 §3: utf-8-addr-xtext)."""
    if utf8 or orcpt.isascii():
        return orcpt
    return "".join(character if character.isascii() else f"\\x{{{ord(character):X}}}" for character in orcpt)
