"""ask: what a user says to the assistant, in any words where there is a model, else in those that patterns know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gk.actions import registry
from gk.actions.answering import HELP, MORE, NOT_UNDERSTOOD, answered
from gk.actions.context import Context
from gk.actions.mail_named import message_named
from gk.actions.registry import action
from gk.actions.searching import plain
from gk.actions.whose import whose
from gk.ai.intents import understood
from gk.ai.model import ModelFailed
from gk.ai.talking.agent import Act, Agent
from gk.ai.talking.events import Did, Event, Over, Said, Shown, Waits
from gk.errors import LimitReached
from gk.store.values import Account

QUESTION = 4000  # characters


@dataclass(frozen=True, slots=True)
class Input:
    question: str
    address: str = ""
    about: str = ""
    conversation: int = 0


@dataclass(frozen=True, slots=True)
class Output:
    answer: str
    intent: str
    language: str
    messages: list[dict[str, Any]]
    conversation: int = 0
    did: list[dict[str, Any]] = field(default_factory=list)
    shown: list[dict[str, Any]] = field(default_factory=list)
    waits: list[dict[str, Any]] = field(default_factory=list)


@action("ask", scope="read")
async def ask(context: Context, input: Input) -> Output:
    """Ask the assistant about mail, or have it do something; in English or French, with a model in any words.

    Without a model questions are answered from the store by patterns, nothing is changed, and `messages` are those the
    answer speaks of; what is not understood is said to be. With one, `did` is what it did, each effect with its number
    for ask_undo, `shown` what was read in mails, and `waits` what is to be confirmed with ask_confirm. `about` names
    the message (G12, INBOX/7) that "this" means; `conversation` goes on with an earlier one. Pieces of the answer come
    beside it. Times are those of the server's clock.
    """
    if len(input.question) > QUESTION:
        raise LimitReached(f"a question has at most {QUESTION} characters")
    account = whose(context, input.address)
    intent = understood(input.question, datetime.now().astimezone())
    agent = Agent(context.models, context.store.conversations)
    if agent and (intent is None or intent.kind != "help"):
        found = _Heard()
        question = input.question
        if input.about:  # by a name of ours: what else could stand there, a folder's, is no word to the model
            question += f"\n(This is G{message_named(context, account.address, input.about)[0]}.)"
        try:
            async for event in agent.talk(
                account.id, account.address, question, acting(context, account), input.conversation
            ):
                found.take(event)
                if isinstance(event, Said):
                    await context.attached.give(event.text.encode())
            return found.output()
        except ModelFailed as error:
            if found:
                end = f"\n({error})"
                await context.attached.give(end.encode())
                return found.output(end)
    if intent is None:
        return Output("\n".join(NOT_UNDERSTOOD[fr] + HELP[fr] + MORE[fr] for fr in (False, True)), "", "", [])
    answer, hits = await answered(context, account, intent, input.about)
    return Output(answer, intent.kind, "fr" if intent.french else "en", await plain(context.store, hits))


def acting(context: Context, account: Account) -> Act:
    """Actions as the user, whoever asked: nothing of administrators, and of no other account."""
    user = context.as_user(account)

    async def act(name: str, arguments: Mapping[str, Any]) -> Any:
        return await registry.run(name, arguments, user)

    return act


class _Heard:
    """What came of a question so far."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._did: list[dict[str, Any]] = []
        self._shown: list[dict[str, Any]] = []
        self._waits: list[dict[str, Any]] = []
        self._mails: list[str] = []
        self._conversation = 0

    def __bool__(self) -> bool:
        return bool(self._said or self._did or self._shown or self._waits)

    def take(self, event: Event) -> None:
        match event:
            case Said(text):
                self._said.append(text)
            case Did():
                self._did.append(registry.plain(event))
            case Shown():
                self._shown.append(registry.plain(event))
            case Waits():
                self._waits.append(registry.plain(event))
            case Over(conversation, mails):
                self._conversation, self._mails = conversation, list(mails)

    def output(self, end: str = "") -> Output:
        mails: list[dict[str, Any]] = [{"id": name} for name in self._mails]
        return Output(
            ("".join(self._said) + end).strip(), "assistant", "", mails, self._conversation, self._did, self._shown,
            self._waits,
        )  # fmt: skip
