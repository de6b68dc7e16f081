"""Where a message goes for one user: the tag of its address, the user's rules, then the active script (RFC 5228).

A rule or script that fails files to INBOX and tells the user; it never loses mail. What was judged to be junk goes to
Junk: only rules and scripts that ask for the verdict are asked about it, and then nothing is sent to anybody.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from gk import metrics
from gk.accounts.aliases import TAG, Directory
from gk.errors import GkError, Refused, Unavailable
from gk.inbound.answers import Answers
from gk.inbound.forwarding import forward
from gk.inbound.incoming import Incoming, Message
from gk.inbound.notices import Notices
from gk.inbound.placing import Copy, Placed, as_junk
from gk.inbound.programs import SCRIPT, Programs
from gk.inbound.surroundings import Around, environment
from gk.inbound.verdict import Finding, Verdict, forged
from gk.message.address import Address, AddressError, parse_address
from gk.message.header import Raw
from gk.sieve.edit import Edits, edited
from gk.sieve.errors import SieveError
from gk.sieve.mail import Mail
from gk.sieve.outcome import INBOX, Filing, Outcome, Redirect, Vacation
from gk.sieve.rules import absence
from gk.sieve.rules.value import RuleError
from gk.store import scripts, values
from gk.store.db import Store
from gk.store.spool import SpoolFile
from gk.store.values import Account, Flags, Recipient

log = logging.getLogger(__name__)

WORDS = 200  # characters of a rejection in SMTP
FINDINGS = 50  # of one run that are kept to be asked for

_SYSTEM = {
    "\\seen": values.SEEN, "\\answered": values.ANSWERED, "\\flagged": values.FLAGGED, "\\deleted": values.DELETED,
    "\\draft": values.DRAFT,
}  # fmt: skip
_NOT_REPLY = re.compile(r"[^ -~]+")

Later = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Case:
    """One message for one user; `home` is where it goes where nothing else is said."""

    account: Account
    home: Recipient
    mail: Mail
    message: Message
    verdict: Verdict

    @property
    def junk(self) -> bool:
        return self.verdict.action == "junk"


class Rules:
    """Places messages as users say; one object for all accounts."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        answers: Answers,
        notices: Notices,
        hostname: str,
        *,
        tag_to_folder: bool = True,
    ) -> None:
        self._store, self._directory, self._answers, self._notices = store, directory, answers, notices
        self._hostname, self._tag_to_folder = hostname, tag_to_folder
        self._programs = Programs(store.limits.script_bytes)

    async def place(self, recipient: Recipient, verdict: Verdict, incoming: Incoming, message: Message) -> Placed:
        """What becomes of the message for this recipient; raises only where the store can take nothing now."""
        junk = verdict.action == "junk"
        home = as_junk(recipient) if junk else self._by_tag(recipient)
        filing = self._store.scripts.filing(recipient.account)
        if not filing.rules and filing.script is None and (filing.absence is None or junk):
            return Placed((home,))
        account = self._store.accounts.by_id(recipient.account)
        content = message.content
        mapped: Raw = content.map() if isinstance(content, SpoolFile) else content
        try:
            mail = Mail(mapped, sender=incoming.sender, recipient=_parsed(recipient.address))
            return await self._decided(_Case(account, home, mail, message, verdict), filing, incoming)
        except (SieveError, RuleError) as error:  # of an older version, or not ours: all is compiled before it is kept
            return self._failed(account, home, SCRIPT, str(error))
        except (Unavailable, MemoryError):
            raise
        except Exception:  # whatever a stranger and a script made of it together: a message is not lost for that
            log.exception("event=rules_failed id=%s", incoming.id)
            return self._failed(account, home, "your rules", "they could not be asked about a message")
        finally:
            if not isinstance(mapped, bytes):
                mapped.close()

    async def _decided(self, case: _Case, filing: scripts.Filing, incoming: Incoming) -> Placed:
        """Run what the user has, and turn what it decided into places."""
        found = await self._programs.of(case.account.id, filing)
        if case.junk:
            found = tuple(each for each in found if each[1].asks_verdict)
        around = Around(self._store, case.account.id, environment(self._hostname, incoming.client, case.verdict))
        outcome = await self._programs.run(found, case.mail, around)
        findings = _findings(outcome)
        if outcome.error is not None:
            return self._failed(case.account, case.home, outcome.program, outcome.error, findings)
        metrics.rules.labels("ok").inc()
        if outcome.reject is not None:
            words = _NOT_REPLY.sub(" ", outcome.reject.reason)[:WORDS].strip() or "refused by the recipient"
            instead = self._refused(case, outcome.reject.reason)
            return Placed(refusal=words, instead=replace(instead, findings=findings))
        placed = await self._placed(case, outcome, filing.absence, around.now)
        return replace(placed, findings=findings)

    # --- from decisions to places -----------------------------------------------------------------------------------

    async def _placed(self, case: _Case, outcome: Outcome, away: Any, now: int) -> Placed:
        account = case.account
        mailboxes: list[Recipient] = []
        copies: list[Copy] = []
        later: list[Later] = []
        for filing in outcome.filings:
            to = _flagged(await self._mailbox(case, filing, later), filing.flags)
            if filing.edits:
                copies.append(Copy(await _edited(case, filing.edits), (to,)))
            else:
                mailboxes.append(to)
        forwards = []
        for redirect in outcome.redirects:
            near, elsewhere = self._redirected(case, redirect)
            mailboxes += near
            if elsewhere:
                via = case.mail.recipient or parse_address(account.address)
                content = await _edited(case, redirect.edits, top=False) if redirect.edits else None
                forwards.append(forward(via, *elsewhere, account=account.id, content=content))
        if outcome.remembered:
            ids = [(item.handle, item.id, item.seconds, item.renew) for item in outcome.remembered]
            later.append(partial(self._store.scripts.remember, account.id, ids))
        vacation = outcome.vacation
        if vacation is None and away is not None and (mailboxes or copies or forwards):
            vacation = absence.from_plain(away).vacation(now)
        if vacation is not None:
            later += self._answered(case, vacation)
        return Placed(mailboxes, forwards, copies, later)

    def _answered(self, case: _Case, vacation: Vacation) -> list[Later]:
        """What answers the sender, where that may be; it is written now, as long as the message is at hand."""
        account, sender = case.account, case.mail.sender
        if sender is None or case.junk or forged(case.verdict.results):
            return []
        reason = self._answers.why_not(account, vacation, case.mail)
        if reason:
            log.info("event=not_answered account=%d reason=%r", account.id, reason)
            return []
        try:
            written = self._answers.write(account, vacation, case.mail)
        except Refused as error:
            return [self._telling(account, "your answer", str(error))]
        return [partial(self._answers.answer, account, vacation, written, sender)]

    async def _mailbox(self, case: _Case, filing: Filing, later: list[Later]) -> Recipient:
        """Where one filing goes: the mailbox, made where that is asked for; home where it cannot be had."""
        if filing.mailbox == INBOX and not filing.special_use:
            return case.home
        mailboxes, account = self._store.mailboxes, case.account.id
        found = mailboxes.with_use(account, filing.special_use) if filing.special_use else None
        found = found or mailboxes.find(account, filing.mailbox)
        if found is None and filing.create:
            try:
                found = await mailboxes.create(account, filing.mailbox)
                await mailboxes.subscribe(account, filing.mailbox, True)
            except GkError:
                found = mailboxes.find(account, filing.mailbox)  # another message made it, or it cannot be
        if found is None:
            what = f'the mailbox "{filing.mailbox[:200]}" is not there, or cannot be'
            later.append(self._telling(case.account, "a mailbox", what))
            return case.home
        return replace(case.home, mailbox=found.id, use="")

    def _redirected(self, case: _Case, redirect: Redirect) -> tuple[list[Recipient], tuple[str, ...]]:
        """(mailboxes here, addresses elsewhere) behind a redirection; other users' rules are not asked."""
        if case.junk:  # is not spread under our name
            return [case.home], ()
        address = parse_address(redirect.address)
        near = self._directory.resolve(address)
        if near is None:
            return [], (redirect.address,)
        away = self._directory.away(address)
        try:
            for one in near:
                self._store.accounts.check_room(one.account, 1, case.mail.size)
        except GkError:
            near = []
        return (near, away) if near or away else ([case.home], ())

    def _by_tag(self, recipient: Recipient) -> Recipient:
        """The existing mailbox that the tag of the address names (RFC 5233), none with a use of its own."""
        local = recipient.address.rpartition("@")[0]
        if not self._tag_to_folder or TAG not in local[1:]:
            return recipient
        found = self._store.mailboxes.find_folded(recipient.account, local.partition(TAG)[2])
        return replace(recipient, mailbox=found.id) if found is not None and found.special_use is None else recipient

    def _refused(self, case: _Case, words: str) -> Placed:
        """What is done where others take what this user refuses: its sender is told, where it is the sender.

        Nobody is told about mail of unknown origin (RFC 5429 §2.1.2): it is kept.
        """
        sender, size = case.mail.sender, case.mail.header_size
        if sender is None or case.junk or not _authentic(case.verdict):
            return Placed((case.home,))
        header = bytes(case.mail.raw[:size])
        return Placed(later=(partial(self._answers.refuse, case.account, sender, case.home.address, words, header),))

    # --- what went wrong --------------------------------------------------------------------------------------------

    def _failed(
        self, account: Account, home: Recipient, about: str, what: str, findings: Sequence[Finding] = ()
    ) -> Placed:
        """RFC 5228 §2.10.6: the message is kept, and its owner told."""
        metrics.rules.labels("error").inc()
        return Placed((home,), later=(self._telling(account, about, what),), findings=findings)

    def _telling(self, account: Account, about: str, what: str) -> Later:
        """What tells the user that a rule or script did not do what it says."""
        text = (
            f"{about}: {what}\n\nThe message was kept in your INBOX, and so will others be until this is mended.\n"
            "This notice comes once a day at most.\n"
        )
        return partial(self._notices.tell, account, about, "A rule for your mail did not work", text)


def _parsed(text: str) -> Address | None:
    try:
        return parse_address(text)
    except AddressError:
        return None


def _flagged(to: Recipient, words: Sequence[str]) -> Recipient:
    """The same place with the flags of a filing on top."""
    if not words:
        return to
    system, keywords = to.flags.system, set(to.flags.keywords)
    for word in words:
        bit = _SYSTEM.get(word.lower())
        if bit is None:
            keywords.add(word)
        else:
            system |= bit
    return replace(to, flags=Flags(system, frozenset(keywords)))


async def _edited(case: _Case, edits: Edits, *, top: bool = True) -> bytes | SpoolFile:
    """The message with the header as a script left it; without what we wrote above it where `top` is not wanted."""
    size, content = case.mail.header_size, case.message.content
    header = edited(bytes(case.mail.raw[:size]), edits)
    if not top:  # which no script can have removed: it stands below what was added
        added = sum(map(len, edits.first))
        header = header[:added] + header[added + case.message.above :]
    return await content.copied(header, size) if isinstance(content, SpoolFile) else header + content[size:]


def _authentic(verdict: Verdict) -> bool:
    """Whether the sender is who it says, as far as that was found out."""
    return any("pass" in verdict.results.get(method, ()) for method in ("dmarc", "spf", "auth"))


def _findings(outcome: Outcome) -> tuple[Finding, ...]:
    """What decided, for whoever asks why: the tests that held and the actions, and the error."""
    found = [
        Finding("rules", f"{step.program}, line {step.line}: {step.text}") for step in outcome.trace if step.result
    ]
    if outcome.error is not None:
        found.append(Finding("rules", f"{outcome.program}: {outcome.error}"))
    return tuple(found[-FINDINGS:])
