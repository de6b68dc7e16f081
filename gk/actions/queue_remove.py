"""queue_remove: take a message out of the queue."""

from gk.actions.context import Context
from gk.actions.queue_item import Done, QueueItem
from gk.actions.registry import action


@action("queue_remove", scope="admin")
async def queue_remove(context: Context, input: QueueItem) -> Done:
    """Take a message out of the queue; it is not sent and nobody is told."""
    await context.store.outgoing.remove(input.id)
    return Done(input.id)
