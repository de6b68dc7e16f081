"""Running a script on a message in one line, with surroundings that are a few values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gk.message.address import parse_address
from gk.sieve.errors import SieveError
from gk.sieve.mail import Mail
from gk.sieve.outcome import Outcome
from gk.sieve.script import compile

MAIL = (
    b"Received: from a.example by b.example; Tue, 14 Nov 2023 23:30:00 +0100\r\n"
    b"Received: from c.example by a.example; Tue, 14 Nov 2023 22:00:00 +0000\r\n"
    b'From: "Ann, Accounts" <Ann+news@Example.ORG>\r\n'
    b"To: bob@example.net, =?utf-8?q?Andr=C3=A9?= <andre@example.net>\r\n"
    b"Cc: team: carl@example.net, dora@example.net;\r\n"
    b"Subject: [Lists] Hello =?utf-8?q?Andr=C3=A9?=\r\n"
    b"Date: Tue, 14 Nov 2023 14:30:00 -0800\r\n"
    b"Message-ID: <1@example.org>\r\n"
    b"X-Empty:\r\n"
    b"X-Many: one\r\n"
    b"X-Many: two\r\n"
    b"X-Many: three\r\n"
    b"X-Spam-Score: 12\r\n"
    b"\r\n"
    b"The body of it.\r\n"
)
FROM, TO = "ann@example.org", "bob+lists@example.net"


@dataclass
class Around:
    """What a script asks: two mailboxes, a clock, what was seen before."""

    now: int = 1_700_000_000  # Tue, 14 Nov 2023 22:13:20 UTC
    zone: int = 60
    mailboxes: frozenset[str] = frozenset({"INBOX", "Lists"})
    uses: Mapping[str, str] = field(default_factory=lambda: {"Junk": "\\Junk"})
    environment: Mapping[str, str] = field(default_factory=lambda: {"name": "GK", "domain": "example.net"})
    seen: frozenset[tuple[str, str]] = frozenset()

    def mailbox_exists(self, name: str) -> bool:
        return name in self.mailboxes

    def special_use_exists(self, name: str | None, uses: tuple[str, ...]) -> bool:
        if name is None:
            return all(use in self.uses.values() for use in uses)
        return all(self.uses.get(name) == use for use in uses)

    def is_duplicate(self, handle: str, id: str) -> bool:
        return (handle, id) in self.seen


def run(
    script: str, mail: bytes = MAIL, *, sender: str = FROM, recipient: str = TO, around: Around | None = None
) -> Outcome:
    """The outcome of a script."""
    source = parse_address(sender) if sender else None
    letter = Mail(mail, sender=source, recipient=parse_address(recipient))
    return compile(script.encode()).run(letter, around or Around())


def holds(test: str, require: str = "", mail: bytes = MAIL, **more: object) -> bool:
    """Whether a test is true; `require` names extensions, blanks between."""
    names = ", ".join(f'"{name}"' for name in [*require.split(), "imap4flags"])
    outcome = run(f'require [{names}]; if {test} {{ addflag "yes"; }}', mail, **more)  # type: ignore[arg-type]
    assert outcome.error is None, outcome.error
    return outcome.filings[0].flags == ("yes",)


def refused(script: str) -> str:
    """What compiling it says."""
    try:
        compile(script.encode("utf-8", "surrogateescape"))
    except SieveError as error:
        return str(error)
    raise AssertionError("the script was taken")
