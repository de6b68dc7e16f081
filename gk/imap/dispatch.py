"""One event of the client after the other: find the command, run it, translate what it raises, answer.

What a command may not do is decided here once: wrong state, too many commands before login, too many bad ones.
"""

import logging

from gk.errors import GkError
from gk.imap import registry, reply
from gk.imap.conversation import BANNED, Conversation, TooManySessions
from gk.imap.grammar import BadMailboxName, BadSyntax, Cursor
from gk.imap.search_keys import BadCharset
from gk.imap.session import FRESH, Session
from gk.imap.wire import Command, Continue, Event, Fault, Literal, Wire
from gk.net.client import Ended

log = logging.getLogger(__name__)


class Dispatch:
    """Takes the events of one connection."""

    __slots__ = ("_bad", "_commands", "_conversation")

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._bad = self._commands = 0

    async def take(self, event: Event, wire: Wire) -> None:
        """Answer one event; raise Ended when it was the last."""
        conversation = self._conversation
        match event:
            case Continue(data=data):
                if not conversation.session.may_log_in and _name(data) == b"LOGIN":
                    wire.abandon()  # the password must not come in clear
                    await self._command(data)
                else:
                    conversation.write_now(b"+ OK\r\n")
            case Fault(tag=tag, text=text, fatal=fatal):
                conversation.tag = tag
                conversation.answer(reply.bad(text))
                if fatal:
                    raise Ended(text)
                self._count_bad()
            case Command(data=data) | Literal(data=data):
                conversation.literal = event if isinstance(event, Literal) else None
                await self._command(data)
                wire.abandon()

    async def _command(self, data: bytes) -> None:
        """Run one command and answer it."""
        conversation, session = self._conversation, self._conversation.session
        conversation.tag = b"*"
        self._commands += 1
        if session.state is FRESH and self._commands > conversation.limits.login_commands:
            conversation.blamed()
            raise Ended("too many commands before login")
        cursor = Cursor(data, utf8=session.utf8)
        command: registry.Command | None = None
        answer: reply.Reply | None
        try:
            conversation.tag = cursor.tag()
            cursor.space()
            command = _find(cursor)
            if not session.state & command.when:
                raise BadSyntax(_not_now(command, session))
            answer = await command.run(conversation, cursor)
        except (BadSyntax, GkError) as error:
            answer = translate(error)
        except (Ended, ConnectionError):
            raise
        except Exception:  # the one net under a command: the session goes on
            log.exception("event=imap_command_failed command=%s", command.name if command else "?")
            answer = reply.no("something went wrong here; the log of the server tells more", "SERVERBUG")
        if answer is not None:
            await conversation.finish(answer, expunges=command is None or command.expunges)
            if answer.status == "BAD":
                self._count_bad()
            elif answer.status == "NO" and conversation.banned:
                raise Ended(BANNED)
        await conversation.breathe()  # a pipeline may be long
        await conversation.drained()

    def _count_bad(self) -> None:
        self._bad += 1
        if self._conversation.blamed():
            raise Ended(BANNED)
        if self._bad >= self._conversation.limits.bad_commands:
            raise Ended("too many bad commands")


def translate(error: BadSyntax | GkError) -> reply.Reply:
    """What a command raised, in IMAP's words (response codes of RFC 5530)."""
    match error:
        case BadMailboxName():
            return reply.no(str(error), "CANNOT")
        case BadCharset():
            return reply.no(str(error), "BADCHARSET (UTF-8 US-ASCII ISO-8859-1)")
        case BadSyntax():
            return reply.bad(str(error))
        case TooManySessions():
            return reply.no(str(error), "LIMIT")
    return reply.refusal(error)


def _find(cursor: Cursor) -> registry.Command:
    name = cursor.word()
    if name == b"UID":
        cursor.space()
        name += b" " + cursor.word()
    command = registry.find(name)
    if command is None:
        raise BadSyntax("an unknown command")
    return command


def _name(data: bytes) -> bytes:
    """The command's name in an unfinished command."""
    try:
        cursor = Cursor(data)
        cursor.tag()
        cursor.space()
        return cursor.word()
    except BadSyntax:
        return b""


def _not_now(command: registry.Command, session: Session) -> str:
    if session.state is FRESH:
        return "log in first"
    return "no mailbox is selected" if command.when & ~FRESH else "not after login"
