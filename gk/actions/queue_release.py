"""queue_release: let a held message go."""

from gk.actions.context import Context
from gk.actions.queue_item import Done, QueueItem
from gk.actions.registry import action


@action("queue_release", scope="admin")
async def queue_release(context: Context, input: QueueItem) -> Done:
    """Let a held message be sent."""
    await context.store.outgoing.hold(input.id, False)
    return Done(input.id)
