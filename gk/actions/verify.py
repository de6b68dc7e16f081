"""verify: does the index agree with the files?"""

import asyncio
from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.store.directory import connect_reader
from gk.store.verify import Problem
from gk.store.verify import verify as look

SETTLING = 30.0  # seconds the filer has to come to rest before the look


@dataclass(frozen=True, slots=True)
class Input:
    content: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    problems: list[Problem]


@action("verify", scope="admin")
async def verify(context: Context, input: Input) -> Output:
    """Compare index and message files; with `content` also read every message against its checksum."""
    store = context.store
    try:
        await asyncio.wait_for(store.filer.rest(), SETTLING)
    except TimeoutError:
        pass  # under load it never rests: what is on its way is known as such
    problems = await asyncio.to_thread(_look, context, input.content)
    if problems:  # what was between two places at the first look is not at the second
        again = await asyncio.to_thread(_look, context, input.content)
        problems = [problem for problem in problems if problem in again]
    return Output(problems)


def _look(context: Context, content: bool) -> list[Problem]:
    db = connect_reader(context.store.data)
    try:
        return look(db, context.store.data, content=content)
    finally:
        db.close()
