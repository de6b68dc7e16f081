"""ask_undo: what the assistant did, taken back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gk.actions.ask import acting
from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.whose import whose
from gk.ai.talking.agent import Act
from gk.errors import GkError, Refused


@dataclass(frozen=True, slots=True)
class Input:
    effect: int = 0
    address: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    undone: str
    problems: list[str]


@action("ask_undo", scope="change")
async def ask_undo(context: Context, input: Input) -> Output:
    """Take back an effect of the assistant by its number, or with 0 the last one that can be taken back.

    What somebody moved or removed since stays as it is, and is among `problems`.
    """
    account = whose(context, input.address)
    conversations = context.store.conversations
    for effect in conversations.effects(account.id, 1000):
        if input.effect not in (0, effect.id) or (not input.effect and (effect.undone or not effect.undo)):
            continue
        if not effect.undo:
            raise Refused(f"nothing takes that back: {effect.words}")
        if not await conversations.undone(account.id, effect.id):
            raise Refused(f"that is taken back already: {effect.words}")
        act, problems = acting(context, account), []
        for step in effect.undo:
            problems += await _taken_back(act, step["action"], step["arguments"])
        return Output(effect.words, problems)
    raise Refused("the assistant did nothing that can be taken back")


async def _taken_back(act: Act, name: str, arguments: Mapping[str, Any]) -> list[str]:
    """Do one step, of its messages those that are still there; the problems."""
    try:
        await act(name, arguments)
    except GkError as error:
        ids = arguments.get("ids", [])
        if len(ids) < 2:
            return [str(error)]
    else:
        return []
    problems = []
    for id_ in ids:  # one that is gone holds up no other
        try:
            await act(name, {**arguments, "ids": [id_]})
        except GkError as error:
            problems.append(str(error))
    return problems
