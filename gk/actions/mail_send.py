"""mail_send: one message, written and sent. The name `send_email` is kept for the same tool at the MCP door."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.mail_sending import Message, drafted, sending
from gk.actions.registry import action
from gk.outbound.batch import Result


@dataclass(frozen=True, slots=True)
class Input(Message):
    account: str = ""


@action("mail_send", scope="send")
async def mail_send(context: Context, input: Input) -> Result:
    """Send a message with a text, an HTML form or both, from an account or one of its aliases.

    The answer says whether it is queued, with its queue id, delivered on this server, or suppressed; a message that
    is refused is an error. `bulk` is for one of many: it has one recipient, and tells how to unsubscribe. Each of
    `attachments` is an object with name, content in base64, and type, like "application/pdf"; `keep` puts a copy into
    the account's Sent mailbox.
    """
    account = sending(context, input.account)
    return await context.batch.one(account, drafted(input))
