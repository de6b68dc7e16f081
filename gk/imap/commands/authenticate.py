"""AUTHENTICATE with PLAIN and LOGIN (RFC 3501 §6.2.2), initial response included (RFC 4959)."""

import base64

from gk.accounts.sasl import MECHANISMS, Credentials, Exchange, SaslError, decode
from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.registry import announce, command
from gk.imap.reply import Reply, bad, no
from gk.imap.session import FRESH, Session, State


def _offered(session: Session) -> bool:
    return session.state is State.FRESH and session.may_log_in


for _mechanism in MECHANISMS:
    announce(f"AUTH={_mechanism}", _offered)
announce("SASL-IR", lambda session: session.state is State.FRESH)


@command("AUTHENTICATE", when=FRESH)
async def authenticate(c: Conversation, args: Cursor) -> Reply:
    args.space()
    mechanism = MECHANISMS.get(args.word().decode("ascii"))
    initial = None
    if args.skip(b" "):
        initial = args.base64()
    args.end()
    if not c.session.may_log_in:
        return no("start TLS first", "PRIVACYREQUIRED")
    if mechanism is None:
        return no("that mechanism is not offered", "CANNOT")
    try:
        credentials = await _exchange(c, mechanism(None if initial is None else decode(initial)))
    except SaslError as error:
        return bad(str(error))
    return bad("cancelled") if credentials is None else await c.check(credentials.login, credentials.password)


async def _exchange(c: Conversation, exchange: Exchange) -> Credentials | None:
    """Carry challenges and answers; None when the client gives up with `*`."""
    try:
        challenge = next(exchange)
        while True:
            c.write_now(b"+ %b\r\n" % base64.b64encode(challenge))
            line = await c.line()
            if line == b"*":
                return None
            challenge = exchange.send(decode(line))
    except StopIteration as done:
        credentials: Credentials = done.value
        return credentials
