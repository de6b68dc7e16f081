"""What GK relies on in aiosmtpd beyond its documentation: a new release must be looked at before it is used."""

import inspect
from importlib.metadata import version

from aiosmtpd import smtp

from gk.smtp.session import Session
from tests.smtp.conftest import House


def test_the_release_is_the_one_that_was_read() -> None:
    assert version("aiosmtpd") == "1.4.6"


def test_the_names_that_are_used_or_replaced_exist() -> None:
    replaced = {
        "connection_made", "connection_lost", "eof_received", "push", "_handle_client", "_create_envelope",
        "_set_rset_state", "smtp_EHLO", "smtp_HELO", "smtp_MAIL", "smtp_RCPT", "smtp_DATA", "smtp_RSET", "smtp_NOOP",
        "smtp_QUIT", "smtp_VRFY", "smtp_EXPN", "smtp_HELP", "smtp_AUTH", "smtp_STARTTLS",
    }  # fmt: skip
    for name in replaced:
        assert getattr(smtp.SMTP, name) is not getattr(Session, name), name
    for name in ("_call_handler_hook", "_syntax_available"):
        assert getattr(smtp.SMTP, name) is getattr(Session, name), name
    assert list(inspect.signature(smtp.SMTP._call_handler_hook).parameters) == ["self", "command", "args"]


def test_every_command_of_the_library_is_ours() -> None:
    for name in dir(smtp.SMTP):
        if name.startswith("smtp_"):
            assert name in vars(Session) or name in vars(Session.__mro__[1]), name


async def test_a_session_has_what_the_constructor_of_the_library_would_have_given_it(smtp: House) -> None:
    template = smtp.servers["mx"].template
    assert {"loop", "session", "envelope", "transport", "event_handler", "hostname", "_handle_hooks"} <= set(template)
    assert set(template["_handle_hooks"]) == {"MAIL", "RCPT", "DATA"}
    assert "_closed" not in template
