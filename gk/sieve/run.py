"""One run of a script: its variables, flags, matches, the header as edited so far, its decisions, its budget."""

from gk.sieve.edit import NO_EDITS, Edits, edited
from gk.sieve.errors import RunError
from gk.sieve.mail import Field, Mail
from gk.sieve.outcome import INBOX, Filing, Redirect, Reject, Remembered, Surroundings, Traced, Vacation

BUDGET = 100_000  # units of work: a step, a comparison of up to 1 KiB; about a microsecond each
ACTIONS = 50  # of one run
REDIRECTS = 5
EDITS = 50  # fields added
TRACED = 1_000  # steps remembered
UNIT = 1024  # characters compared for one unit


class Run:
    """What changes while a script runs."""

    def __init__(self, mail: Mail, around: Surroundings, budget: int = BUDGET) -> None:
        self.mail, self.around = mail, around
        self.left = budget
        self.variables: dict[str, str] = {}
        self.matches: list[str] = []
        self.flags: tuple[str, ...] = ()
        self.keeps = True  # the implicit keep (RFC 5228 §2.10.2)
        self.stopped = False
        self.at = 0  # the step that is made
        self.program = ""  # the name of the script it is in
        self._answers = 0  # vacations of that script
        self.actions = 0
        self.filings: dict[tuple[str, str, Edits], Filing] = {}
        self.redirects: dict[str, Redirect] = {}
        self.reject: Reject | None = None
        self.vacation: Vacation | None = None
        self.remembered: list[Remembered] = []
        self.trace: list[Traced] = []
        self.edits = NO_EDITS
        self._fields: tuple[Field, ...] | None = None
        self._named: dict[str, list[Field]] | None = None

    def enter(self, program: str) -> None:
        """Begin with a script: its variables are its own."""
        self.program, self.at, self._answers = program, 0, 0
        self.variables = {}
        self.matches = []

    def spend(self, units: int) -> None:
        """Charge work to the budget; raises RunError when it is used up."""
        self.left -= units
        if self.left < 0:
            raise RunError("the script does too much")

    # --- the header ---------------------------------------------------------------------------------------------------

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields as edited so far, in their order."""
        return self.mail.fields if self._fields is None else self._fields

    def named(self, name: str) -> list[Field]:
        """The fields of that name, in lower case, in their order."""
        if self._named is None:
            found: dict[str, list[Field]] = {}
            for field in self.fields:
                found.setdefault(field.name, []).append(field)
            self._named = found
        return self._named.get(name, [])

    def set_fields(self, fields: tuple[Field, ...], edits: Edits) -> None:
        """Go on with another header."""
        self._fields, self._named, self.edits = fields, None, edits

    def size(self) -> int:
        """Octets of the message as edited so far."""
        if not self.edits:
            return self.mail.size
        header = self.mail.header_size
        self.spend(1 + header // UNIT)
        return self.mail.size - header + len(edited(bytes(self.mail.raw[:header]), self.edits))

    # --- decisions ----------------------------------------------------------------------------------------------------

    def act(self) -> None:
        """Count one action."""
        self.actions += 1
        if self.actions > ACTIONS:
            raise RunError(f"more than {ACTIONS} actions")

    def file(self, mailbox: str, flags: tuple[str, ...] | None, create: bool, special_use: str, copy: bool) -> None:
        """Store the message; into one mailbox once (RFC 5228 §2.10.3). `flags` None are those of the run."""
        self.act()
        if mailbox.upper() == INBOX:
            mailbox = INBOX
        given = self.flags if flags is None else flags
        key = (mailbox, special_use, self.edits)
        before = self.filings.get(key)
        if before is not None:
            given = tuple(dict.fromkeys(before.flags + given))
            create = create or before.create
        self.filings[key] = Filing(mailbox, given, create, special_use, self.edits)
        if not copy:
            self.keeps = False

    def answer(self, vacation: Vacation) -> None:
        """Answer the sender: once in a script (RFC 5230 §4.7); of several scripts the first one does."""
        self.act()
        self._answers += 1
        if self._answers > 1:
            raise RunError("a second vacation")
        if self.vacation is None:
            self.vacation = vacation

    def redirect(self, address: str, copy: bool) -> None:
        """Send the message on."""
        self.act()
        if address not in self.redirects and len(self.redirects) >= REDIRECTS:
            raise RunError(f"more than {REDIRECTS} redirects")
        self.redirects[address] = Redirect(address, self.edits)
        if not copy:
            self.keeps = False

    def finish(self) -> None:
        """What holds at the end only: the implicit keep, and what does not go together."""
        if self.keeps and self.reject is None:
            self.file(INBOX, None, False, "", False)
        if self.reject is not None and (self.filings or self.redirects or self.vacation):
            # RFC 5429 §2.4: refused mail is neither stored, nor sent on, nor answered.
            raise RunError("a rejection cannot stand together with other actions")
