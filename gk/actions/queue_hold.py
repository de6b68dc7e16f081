"""queue_hold: keep a queued message back."""

from gk.actions.context import Context
from gk.actions.queue_item import Done, QueueItem
from gk.actions.registry import action


@action("queue_hold", scope="admin")
async def queue_hold(context: Context, input: QueueItem) -> Done:
    """Keep a queued message from being sent until it is released."""
    await context.store.outgoing.hold(input.id, True)
    return Done(input.id)
