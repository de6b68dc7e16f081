"""mail_send_batch: many messages in one call."""

from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.mail_sending import Message, drafted, sending
from gk.actions.registry import BadArguments, action, bind
from gk.errors import Refused
from gk.outbound.batch import MESSAGES, Result
from gk.outbound.draft import Draft


@dataclass(frozen=True, slots=True)
class Input:
    messages: list[dict[str, Any]]
    account: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    results: list[Result]


@action("mail_send_batch", scope="send")
async def mail_send_batch(context: Context, input: Input) -> Output:
    """Send up to 1,000 messages of an account, several at once, and tell of each, in order, what became of it.

    Each message has the arguments of mail_send but the account. A result is queued, delivered, refused with the
    reason, or suppressed; one message that is refused stops no other.
    """
    account = sending(context, input.account)
    if len(input.messages) > MESSAGES:
        raise BadArguments(f"at most {MESSAGES} messages can be sent at once")
    read: list[Draft | str] = []
    for message in input.messages:
        try:
            read.append(_draft(message))
        except Refused as error:
            read.append(str(error))
    sent = iter(await context.batch.send(account, [message for message in read if isinstance(message, Draft)]))
    return Output([next(sent) if isinstance(each, Draft) else Result("refused", reason=each) for each in read])


def _draft(message: Any) -> Draft:
    if not isinstance(message, dict):
        raise BadArguments("a message is an object with to, subject, text and so on")
    bound: Message = bind(Message, message)
    return drafted(bound)
