"""What the actions that send have in common: in whose name, and the message out of its arguments."""

import binascii
from dataclasses import dataclass, field
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import BadArguments, NotAllowed
from gk.outbound.attachment import BINARY, FILES, Attachment
from gk.outbound.draft import Draft
from gk.store.values import Account


@dataclass(frozen=True, slots=True)
class Message:
    """A message as arguments describe it; lists and headers may hold anything yet.

    An attachment is {"name", "content" in base64, "type" like "application/pdf"}; `keep` puts a copy into Sent.
    """

    to: list[str] = field(default_factory=list)
    cc: list[str] = field(default_factory=list)
    bcc: list[str] = field(default_factory=list)
    subject: str = ""
    text: str = ""
    html: str = ""
    sender: str = ""
    reply_to: list[str] = field(default_factory=list)
    headers: dict[str, Any] = field(default_factory=dict)
    bulk: bool = False
    attachments: list[dict[str, Any]] = field(default_factory=list)
    keep: bool = False


def sending(context: Context, address: str) -> Account:
    """The account to send for: the caller's own, or for an administrator the one that is named."""
    if context.account is not None:
        if address and address.lower() != context.account.address:
            raise NotAllowed("only the account's own mail can be sent")
        return context.account
    if "admin" not in context.scopes:
        raise NotAllowed("nobody has logged in")
    if not address:
        raise BadArguments("missing argument account")
    return context.store.accounts.get(address)


def drafted(message: Message) -> Draft:
    """The message, its lists and headers checked to hold text. Raises BadArguments."""
    lists = {"to": message.to, "cc": message.cc, "bcc": message.bcc, "reply_to": message.reply_to}
    for name, values in lists.items():
        if not all(type(value) is str for value in values):
            raise BadArguments(f"the argument {name} must be a list of addresses")
    if not all(type(value) is str for value in message.headers.values()):
        raise BadArguments("the argument headers must hold text")
    return Draft(
        message.to, message.cc, message.bcc, message.subject, message.text, message.html, message.sender,
        message.reply_to, message.headers, message.bulk, _attachments(message.attachments), message.keep,
    )  # fmt: skip


def _attachments(given: list[dict[str, Any]]) -> list[Attachment]:
    if len(given) > FILES:
        raise BadArguments(f"at most {FILES} files can be attached")
    return [_attachment(each) for each in given]


def _attachment(given: Any) -> Attachment:
    """Raises BadArguments, and Refused for a name or type that cannot be sent."""
    if not isinstance(given, dict) or not {"name", "content"} <= given.keys() <= {"name", "content", "type"}:
        raise BadArguments("an attachment is an object with name, content and perhaps type")
    if not all(type(value) is str for value in given.values()):
        raise BadArguments("an attachment holds text, its content in base64")
    try:
        content = binascii.a2b_base64(given["content"].encode("ascii"), strict_mode=True)
    except (ValueError, UnicodeEncodeError):  # binascii.Error is a ValueError
        raise BadArguments("the content of an attachment must be base64, without line ends") from None
    return Attachment(given["name"], content, given.get("type", BINARY))
