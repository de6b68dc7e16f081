"""Where TLS is required no password is taken, or even asked for, in clear (RFC 3501 §11.1, RFC 4954 §4)."""

import base64
from collections.abc import Iterator

import pytest

from tests.attacks.wire import Imap, Smtp, imap, smtp, trusting
from tests.server import PASSWORD, Running, prepared

PLAIN = base64.b64encode(f"\0alice@example.test\0{PASSWORD}".encode()).decode()


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that requires TLS on loopback, too."""
    server = prepared(tmp_path_factory.mktemp("strict"))
    text = server.config.read_text()
    assert "require_tls = false" in text
    server.config.write_text(text.replace("require_tls = false", "require_tls = true"))
    server.start()
    try:
        yield server
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize("role", ["mx", "submission"])
@pytest.mark.parametrize(
    "command",
    [
        f"AUTH PLAIN {PLAIN}",
        "AUTH PLAIN",
        "AUTH LOGIN",
        "auth login",
        "AUTH LOGIN YWxpY2VAZXhhbXBsZS50ZXN0",
        "AUTH",
        "AUTH X",
    ],
)
async def test_smtp_takes_no_login_in_clear(strict: Running, role: str, command: str) -> None:
    async with smtp(strict, role, hello=False) as client:
        assert (await client.reply()).startswith("220")
        assert "AUTH" not in await client.say("EHLO client.example.org")
        assert (await client.say(command)).startswith("538 5.7.11" if role == "submission" else "502 5.5.1")
        if role == "submission":
            for line in ("MAIL FROM:<alice@example.test>", "RCPT TO:<x@y.example>", "DATA", "VRFY alice", "EXPN x"):
                assert (await client.say(line)).startswith("530 5.7.0"), line
        await client.start_tls(trusting())
        assert ("AUTH PLAIN" in await client.say("EHLO client.example.org")) is (role == "submission")
        if role == "submission":
            assert (await client.login()).startswith("235")


@pytest.mark.parametrize(
    "command",
    [
        f"LOGIN alice@example.test {PASSWORD}".encode(),
        b'LOGIN "alice@example.test" "x"',
        b"LOGIN {18}",
        b"LOGIN alice@example.test {13}",
        b"LOGIN {18+}\r\nalice@example.test {13+}\r\n" + PASSWORD.encode(),
        f"AUTHENTICATE PLAIN {PLAIN}".encode(),
        b"AUTHENTICATE PLAIN",
        b"AUTHENTICATE LOGIN",
        b"authenticate plain",
    ],
)
async def test_imap_takes_no_login_in_clear(strict: Running, command: bytes) -> None:
    async with imap(strict) as client:
        told = b"".join(await client.ok("CAPABILITY"))
        assert b"LOGINDISABLED" in told and b"AUTH=" not in told
        answers = await client.command(command)
        assert not [answer for answer in answers if answer.startswith(b"+")], answers
        assert answers[-1].partition(b" ")[2].startswith((b"NO [PRIVACYREQUIRED]", b"BAD")), answers
        await client.ok("STARTTLS")
        await client.writer.start_tls(trusting())
        told = b"".join(await client.ok("CAPABILITY"))
        assert b"LOGINDISABLED" not in told and b"AUTH=PLAIN" in told
        await client.ok(f"LOGIN alice@example.test {PASSWORD}")


async def test_with_tls_from_the_first_byte_a_login_needs_nothing_more(strict: Running) -> None:
    async with smtp(strict, "submissions") as sender, imap(strict, "alice", door="tls") as reader:
        assert isinstance(sender, Smtp) and isinstance(reader, Imap)
        assert (await sender.login()).startswith("235")
        await reader.ok("SELECT INBOX")
