"""The parameters of MAIL and RCPT, and the keywords of EHLO: SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531),
DSN (RFC 3461), AUTH (RFC 4954 §5), LIMITS (RFC 9422), REQUIRETLS (RFC 8689)."""

import re
from dataclasses import dataclass

from gk.message.dsn_parameters import ENVID, is_notify, is_orcpt, is_xtext

_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\x00-\x20=\x7f]+))?")  # RFC 5321 §4.1.2
_SIZE = re.compile(r"[0-9]{1,20}")  # RFC 1870 §4; str.isdigit() would take digits of every script

PARAMETERS = 20


class BadParameter(Exception):
    """A parameter cannot be taken; `str()` is the reply."""


@dataclass(frozen=True, slots=True)
class MailOptions:
    """What MAIL says beside the sender. `envid` is xtext as it came, `ret` FULL or HDRS."""

    size: int | None = None
    utf8: bool = False
    envid: str | None = None
    ret: str | None = None
    requiretls: bool = False


@dataclass(frozen=True, slots=True)
class RcptOptions:
    """What RCPT says beside the recipient. `notify` is NEVER or a list with commas, `orcpt` type;xtext as it came."""

    notify: str | None = None
    orcpt: str | None = None


NO_MAIL_OPTIONS, NO_RCPT_OPTIONS = MailOptions(), RcptOptions()


def mail_options(text: str, *, auth: bool, secure: bool = False) -> MailOptions:
    """The parameters of MAIL; raise BadParameter. `auth`: whether AUTH was offered, `secure`: over TLS."""
    size = envid = ret = None
    utf8 = requiretls = False
    for name, value in _parameters(text).items():
        match name, value:
            case "SIZE", str() if _SIZE.fullmatch(value):
                size = int(value)
            case "BODY", str() if value.upper() in ("7BIT", "8BITMIME"):
                pass  # eight bits are taken as they are, announced or not
            case "SMTPUTF8", None:
                utf8 = True
            case "REQUIRETLS", None if secure:  # RFC 8689 §2: not offered, and not taken, in clear
                requiretls = True
            case "RET", str() if value.upper() in ("FULL", "HDRS"):
                ret = value.upper()
            case "ENVID", str() if len(value) <= ENVID and is_xtext(value):
                envid = value
            case "AUTH", str() if auth and (value == "<>" or is_xtext(value)):
                pass  # RFC 4954 §5: whom a relay vouches for; nobody is believed here
            case (("SIZE" | "BODY" | "SMTPUTF8" | "RET" | "ENVID"), _):
                raise BadParameter(f"501 5.5.4 Bad value of {name}")
            case _:
                raise BadParameter("555 5.5.4 Unknown parameter of MAIL")
    return MailOptions(size, utf8, envid, ret, requiretls)


def rcpt_options(text: str) -> RcptOptions:
    """The parameters of RCPT; raise BadParameter."""
    notify = orcpt = None
    for name, value in _parameters(text).items():
        match name, value:
            case "NOTIFY", str() if is_notify(value.upper()):
                notify = value.upper()
            case "ORCPT", str() if is_orcpt(value):
                orcpt = value
            case (("NOTIFY" | "ORCPT"), _):
                raise BadParameter(f"501 5.5.4 Bad value of {name}")
            case _:
                raise BadParameter("555 5.5.4 Unknown parameter of RCPT")
    return RcptOptions(notify, orcpt)


def chunk(argument: str) -> tuple[int, bool] | None:
    """(octets, whether it is the last) of a BDAT argument (RFC 3030 §2), or None when it is none."""
    words = argument.split()
    if not 1 <= len(words) <= 2 or not _SIZE.fullmatch(words[0]):
        return None
    if len(words) == 2 and words[1].upper() != "LAST":
        return None
    return int(words[0]), len(words) == 2


def greeting(hostname: str, size: int, recipients: int, *, starttls: bool, auth: bool, secure: bool = False) -> str:
    """The lines of the answer to EHLO, CRLF between them."""
    keywords = [
        f"{hostname} at your service",
        "PIPELINING",
        f"SIZE {size}",
        "8BITMIME",
        "SMTPUTF8",
        "ENHANCEDSTATUSCODES",
        "CHUNKING",
        "DSN",
        f"LIMITS RCPTMAX={recipients}",
    ]
    if starttls:
        keywords.append("STARTTLS")
    if secure:
        keywords.append("REQUIRETLS")
    if auth:
        keywords.append("AUTH PLAIN LOGIN")
    keywords.append("HELP")
    return "\r\n".join([*(f"250-{keyword}" for keyword in keywords[:-1]), f"250 {keywords[-1]}"])


def _parameters(text: str) -> dict[str, str | None]:
    words = text.split(" ")
    if len(words) > PARAMETERS:
        raise BadParameter("501 5.5.4 Too many parameters")
    found: dict[str, str | None] = {}
    for word in words:
        if not word:
            continue
        parameter = _PARAMETER.fullmatch(word)
        if parameter is None:
            raise BadParameter("501 5.5.4 Bad parameter syntax")
        name = parameter[1].upper()
        if name in found:
            raise BadParameter(f"501 5.5.4 {name} given twice")
        found[name] = parameter[2]
    return found
