"""ai_models: the language models, and how they do."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.ai.models import Health


@dataclass(frozen=True, slots=True)
class Input:
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    models: list[Health]


@action("ai_models", scope="admin")
async def ai_models(context: Context, input: Input) -> Output:
    """List the language models in the order they are asked, with how each does.

    `state` is unasked, answers, fails or left alone; `reason` is why the last call failed; `seconds` is what the last
    answer took. `probe` looks first whether each is there, without asking it anything.
    """
    if input.probe:
        await context.models.probe()
    return Output(context.models.health())
