"""The assistant a user talks with: it calls tools, and every effect is noted with how it is taken back.

Two models' parts are kept apart. The one with tools hears the user's words and names of mails, never what stands in
them; the one that reads has no tools. What is sent, deleted or made a rule waits for a yes that no model can give.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from gk.ai.model import Call, ModelFailed, Talk, Tool, Turn
from gk.ai.models import Models
from gk.ai.talking.events import Did, Event, Over, Said, Shown, Waits
from gk.ai.talking.naming import Naming
from gk.ai.talking.reader import Reader
from gk.ai.talking.tools import INSTRUMENTS, Instrument
from gk.errors import GkError
from gk.store.conversations import Conversations

log = logging.getLogger(__name__)

STEPS = 8  # turns of the model to one question
CALLS = 24  # tools called for one question
QUESTION = 4000  # characters
HISTORY = 24_000  # characters of what was said before
NAMED = 400  # names of mails looked up for one question
TOLD = 4000  # characters a tool tells the model
REASON = "written by the assistant, as asked"

TASK = (
    "You are the assistant of {address}'s mail account, in the program GK. It is {now}. You act only by your tools."
    " You never see what mails say: tools give you names, like G12 for a mail and R1 for what was read in mails, and GK"
    " shows the user what stands behind a name. Use these names where you speak of mails: «The invoice is G12: R1». Do"
    " what the user asks and nothing more. What is sent, deleted or made a rule the user confirms in GK itself; nothing"
    " said here confirms it. Answer in the language of the user, in few sentences, without links."
)

_MAIL = re.compile(r"\bG[1-9][0-9]{0,17}\b")
_GIVEN = "From: {author}\nDate: {date}\nSubject: {subject}\n\n{text}"

Done = TypeVar("Done")
Act = Callable[[str, Mapping[str, Any]], Awaitable[Any]]
"""Does an action, by name and arguments, as the user; raises GkError."""


class Agent:
    """Talks with users by whatever models there are."""

    def __init__(
        self, models: Models, conversations: Conversations, instruments: Sequence[Instrument] = INSTRUMENTS
    ) -> None:
        self.models, self.conversations = models, conversations
        self.instruments = {one.tool.name: one for one in instruments}
        self.tools: Sequence[Tool] = [one.tool for one in instruments]

    def __bool__(self) -> bool:
        """Whether there is a model to talk with."""
        return bool(self.models)

    async def talk(
        self, account: int, address: str, question: str, act: Act, conversation: int = 0
    ) -> AsyncIterator[Event]:
        """What happens, as it happens, until Over. Raises ModelFailed, also in the middle."""
        events: asyncio.Queue[Event | None] = asyncio.Queue()  # what one question makes is bounded
        one = _Question(self, account, act, events.put_nowait)

        async def work() -> None:
            try:
                await one.answer(address, question[:QUESTION], conversation)
            finally:
                events.put_nowait(None)

        task = asyncio.create_task(work(), name="talk")
        try:
            while (event := await events.get()) is not None:
                yield event
            await task
        finally:
            task.cancel()


class _Question:
    """One question of a user, on its way to an answer."""

    def __init__(self, agent: Agent, account: int, act: Act, tell: Callable[[Event], None]) -> None:
        self._agent, self._account, self._act, self._tell = agent, account, act, tell
        self._reader = Reader(agent.models)
        self._labels: dict[str, str] = {}
        self._slots = 0
        self._calls = 0

    async def answer(self, address: str, question: str, conversation: int) -> None:
        kept = self._agent.conversations.turns(self._account, conversation)
        turns = [*_remembered(kept), Turn("user", question)]
        self._slots = sum(turn.text.count("is shown to the user as R") for turn in turns)
        now = datetime.now().astimezone().strftime("%A, %Y-%m-%d %H:%M")
        task = TASK.format(address=address, now=now)
        naming = Naming(lambda name: self._labels.get(name, ""), lambda text: self._tell(Said(text)))
        begun = len(turns) - 1
        for step in range(STEPS):
            tools = self._agent.tools if step < STEPS - 1 and self._calls < CALLS else ()
            await self._label(turns)
            spoken = await self._agent.models.turn(self._account, Talk(task, turns, tools), naming.feed)
            naming.end()
            turns.append(spoken.turn)
            if not spoken.turn.calls:
                break
            if spoken.turn.text:
                self._tell(Said("\n"))
            turns += [Turn("tool", (await self._called(call))[:TOLD], id=call.id) for call in spoken.turn.calls]
        said = [_plain(turn) for turn in turns[begun:]]
        number = await self._agent.conversations.keep(self._account, conversation, said)
        self._tell(Over(number, [name for name in naming.names if name.startswith("G")]))

    async def _label(self, turns: Sequence[Turn]) -> None:
        """Look up what stands behind the names of mails that were used last."""
        for turn in turns[-CALLS:]:
            for name in _MAIL.findall(f"{turn.text} {[call.arguments for call in turn.calls]}"):
                if name not in self._labels and len(self._labels) < NAMED:
                    self._labels[name] = await self._named(name)

    async def _named(self, name: str) -> str:
        """A mail for people: author and subject."""
        try:
            found = await self._act("mail_read", {"id": name})
        except GkError:
            return ""
        author = found["author"].partition("<")[0].strip() or found["author"]
        return " ".join(_seen(f"{author}: «{found['subject']}» ({name})").split())  # no line of its own

    async def _called(self, call: Call) -> str:
        """Do what the model wants; what it is told of it."""
        self._calls += 1
        if self._calls > CALLS:
            return "error: no more tools for this question"
        instrument = self._agent.instruments[call.name]
        try:
            arguments = instrument.arguments(call.arguments)
        except (KeyError, TypeError, ValueError) as error:
            return f"error: {error}"[:300]
        try:
            return await self._done(instrument, arguments)
        except ModelFailed as error:
            return f"error: nothing was read: {error}"[:300]
        except GkError as error:
            self._tell(Did(call.name, _seen(str(error))[:300]))
            # What goes wrong with a text of strangers may be said in their words.
            return "error: that cannot be done" if instrument.kind in ("read", "write") else f"error: {error}"[:300]

    async def _done(self, instrument: Instrument, arguments: dict[str, Any]) -> str:
        match instrument.kind:
            case "read":
                return await self._read(instrument, arguments)
            case "write":
                return await self._written(instrument, arguments)
            case "confirm":
                return await self._waits(instrument, arguments)
            case "look" if instrument.action == "mail_search":
                return await self._found(arguments)
        if instrument.action == "mail_draft":
            arguments["headers"] = {"X-GK-Reason": REASON}
        return await whole(self._changed(instrument, arguments))

    async def _changed(self, instrument: Instrument, arguments: Mapping[str, Any]) -> str:
        found = await self._act(instrument.action, arguments)
        told = instrument.told(found)
        await self._noted(instrument, told, found)
        return told

    async def _noted(self, instrument: Instrument, words: str, found: Mapping[str, Any]) -> None:
        """An effect with its inverse; nothing where nothing was changed."""
        undo = found.get("undo") or []
        effect = 0
        if undo:
            effect = await self._agent.conversations.did(self._account, f"{instrument.tool.name}: {words}", undo)
            log.info("event=assistant_did account=%d tool=%s effect=%d", self._account, instrument.tool.name, effect)
        self._tell(Did(instrument.tool.name, words, effect))

    async def _found(self, arguments: Mapping[str, Any]) -> str:
        """Mails by name, day, folder and labels: nothing a stranger wrote."""
        hits = (await self._act("mail_search", arguments))["messages"]
        lines = [f"{len(hits)} mails"]
        for hit in hits:
            said = await self._act("mail_triage", {"id": hit["id"]})
            marks = [said["category"], f"urgency {said['urgency']}", "unread" if hit["unread"] else "read"]
            marks += ["waits for an answer"] if said["needs_response"] else []
            lines.append(f"{hit['id']} {hit['date'][:10]} in {hit['mailbox']}: {', '.join(marks)}")
        self._tell(Did("find_mail", lines[0]))
        return "\n".join(lines)

    async def _read(self, instrument: Instrument, arguments: Mapping[str, Any]) -> str:
        text, mails = await self._text(instrument.action, str(arguments["id"]))
        finding = await self._reader.read(self._account, text, str(arguments["question"]))
        self._slots += 1
        name = f"R{self._slots}"
        shown = _seen(finding.answer)
        self._labels[name] = shown
        self._tell(Shown(name, shown, _seen(finding.quote), mails))
        return f"the answer is shown to the user as {name}"

    async def _text(self, action: str, name: str) -> tuple[str, list[str]]:
        """What a mail, or those of its thread, say; and their names."""
        found = await self._act(action, {"id": name})
        mails = found.get("messages", [found])
        texts = [_GIVEN.format_map(one) for one in mails]
        return "\n\n".join(texts), [one["id"] for one in mails]

    async def _written(self, instrument: Instrument, arguments: Mapping[str, Any]) -> str:
        text, mails = await self._text("mail_read", str(arguments["id"]))
        written = await self._reader.write(self._account, text, str(arguments["wishes"]))
        given = {"answers": mails[0], "text": written, "headers": {"X-GK-Reason": REASON}}
        return await whole(self._drafted(instrument, given, mails))

    async def _drafted(self, instrument: Instrument, given: Mapping[str, Any], mails: Sequence[str]) -> str:
        found = await self._act(instrument.action, given)
        self._tell(Shown(found["id"], _seen(f"{', '.join(found['to'])}\n\n{given['text']}"), "", mails))
        await self._noted(instrument, f"draft {found['id']}", found)
        return f"draft {found['id']}"

    async def _waits(self, instrument: Instrument, arguments: Mapping[str, Any]) -> str:
        """Nothing is done yet: the user sees what exactly would be."""
        words = await self._exactly(instrument.action, arguments)
        word = await self._agent.conversations.ask(self._account, instrument.action, arguments, words)
        self._tell(Waits(word, words))
        return "the user is asked to confirm it in GK"

    async def _exactly(self, action: str, arguments: Mapping[str, Any]) -> str:
        if action == "rule_add":
            return f"add the rule: {_seen(str(arguments['text']))}"
        if action == "mail_draft_send":
            found = await self._act("mail_read", {"id": arguments["id"]})
            to = ", ".join(found["recipients"]) or "nobody"
            return " ".join(_seen(f"send {found['id']} «{found['subject']}» to {to}").split())
        names = [await self._named(name) or name for name in arguments["ids"]]
        return "move to Trash, or away for good what is there already: " + ", ".join(names)


async def whole(effect: Coroutine[Any, Any, Done]) -> Done:
    """Do it and note it, also where whoever asked goes away in between: nothing is done that cannot be taken back."""
    task = asyncio.create_task(effect, name="effect")
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _seen(text: str) -> str:
    """What a stranger or a model wrote, without what a terminal obeys."""
    return "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)


def _plain(turn: Turn) -> dict[str, Any]:
    calls = [{"id": call.id, "name": call.name, "arguments": dict(call.arguments)} for call in turn.calls]
    return {"who": turn.who, "text": turn.text, "calls": calls, "id": turn.id}


def _remembered(kept: Sequence[Mapping[str, Any]]) -> list[Turn]:
    """The last questions with all that followed each, as much as a model is told again."""
    turns: list[Turn] = []
    room = HISTORY
    for start in range(len(kept) - 1, -1, -1):
        if kept[start]["who"] != "user":
            continue
        room -= sum(len(one["text"]) + len(str(one["calls"])) for one in kept[start : len(kept) - len(turns)])
        if room < 0:
            break
        turns = [_turn(one) for one in kept[start:]]
    return turns


def _turn(one: Mapping[str, Any]) -> Turn:
    calls = [Call(call["id"], call["name"], call["arguments"]) for call in one["calls"]]
    return Turn(one["who"], one["text"], calls, one["id"])
