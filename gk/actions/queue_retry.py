"""queue_retry: try a queued message now."""

from gk.actions.context import Context
from gk.actions.queue_item import Done, QueueItem
from gk.actions.registry import action


@action("queue_retry", scope="admin")
async def queue_retry(context: Context, input: QueueItem) -> Done:
    """Try a queued message again at once."""
    await context.store.outgoing.retry(input.id)
    return Done(input.id)
