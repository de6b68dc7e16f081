"""mail_classify: into which of some folders each message belongs, by a language model."""

import asyncio
from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.mail_named import places_named
from gk.actions.registry import BadArguments, action
from gk.actions.whose import whose
from gk.ai.batching import FOLDERS, Digest, classify_messages_batch, digest
from gk.ai.view import READ, view
from gk.errors import Refused
from gk.store.content import Content

MOST = 200  # messages of one call: ten calls to a model


@dataclass(frozen=True, slots=True)
class Input:
    ids: list[Any]
    folders: list[Any]
    address: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    folders: dict[str, str]
    without: list[str]


@action("mail_classify", scope="read")
async def mail_classify(context: Context, input: Input) -> Output:
    """Say of messages (G12, INBOX/7), at most 200, into which of up to 50 folders each belongs; nothing is moved.

    `without` names those for which a model named none of the folders, or no model answered. Twenty are asked about in
    one call.
    """
    account = whose(context, input.address)
    folders = input.folders
    if not 0 < len(folders) <= FOLDERS or not all(type(one) is str and one.strip() for one in folders):
        raise BadArguments(f"the argument folders must name 1 to {FOLDERS} folders")
    if not context.models:
        raise Refused("no model is configured")
    messages = list(dict.fromkeys(place.message for place in places_named(context, account, input.ids[: MOST + 1])))
    if len(messages) > MOST:
        raise BadArguments(f"at most {MOST} messages can be classified at once")
    digests = [await _digested(context, message) for message in messages]
    labels = await classify_messages_batch(context.models, account.id, digests, folders)
    named = {f"G{message}": label for message, label in zip(messages, labels, strict=True)}
    return Output(
        {name: label for name, label in named.items() if label},
        [name for name, label in named.items() if not label],
    )  # fmt: skip


async def _digested(context: Context, message: int) -> Digest:
    content = await context.store.mailboxes.content_of(message)
    if content is None:
        raise Refused(f"the message G{message} is gone")
    try:
        return await asyncio.to_thread(_read, content)
    finally:
        content.close()


def _read(content: Content) -> Digest:
    return digest(view(content.read(0, READ)))
