"""ban_remove: serve a network again."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.store.bans import Ban


@dataclass(frozen=True, slots=True)
class Input:
    network: str


@action("ban_remove", scope="admin")
async def ban_remove(context: Context, input: Input) -> Ban:
    """Lift the ban of an address or network, and forget what it did; the ban that was is the answer."""
    return await context.bans.remove(input.network)
