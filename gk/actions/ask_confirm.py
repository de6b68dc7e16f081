"""ask_confirm: the user's yes to something the assistant wants to do."""

from dataclasses import dataclass
from typing import Any

from gk.actions.ask import acting
from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.whose import whose
from gk.ai.talking.agent import whole
from gk.errors import Refused
from gk.store.conversations import Asked
from gk.store.values import Account


@dataclass(frozen=True, slots=True)
class Input:
    word: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    done: str
    effect: int
    result: dict[str, Any]


@action("ask_confirm", scope="send")
async def ask_confirm(context: Context, input: Input) -> Output:
    """Do what waits for a yes, exactly as it was shown: one action with its arguments, within ten minutes and once.

    `effect` is its number for ask_undo, 0 where nothing takes it back.
    """
    account = whose(context, input.address)
    asked = await context.store.conversations.confirmed(account.id, input.word)
    if asked is None:
        raise Refused("nothing waits for that word any more: it holds once, for ten minutes")
    return await whole(_done(context, account, asked))


async def _done(context: Context, account: Account, asked: Asked) -> Output:
    result = await acting(context, account)(asked.action, asked.arguments)
    effect = await context.store.conversations.did(account.id, asked.words, result.get("undo") or [])
    return Output(asked.words, effect, result)
