"""From an account to a target: mailbox by mailbox, what the target has already left out."""

from collections.abc import Iterator, Sequence

from gk.errors import Refused, Unavailable
from gk.transfer.moving_in import Act, Progress
from gk.transfer.values import Done, Leaving, Missed, Row, Summary, Target

MESSAGES = 100  # asked for at once
BYTES = 8 << 20  # the same


class MovingOut:
    """One export."""

    def __init__(self, act: Act, address: str, target: Target, *, only: Sequence[str], progress: Progress) -> None:
        self._act, self._address, self._target, self._only, self._progress = act, address, target, only, progress
        self._done = self._total = self._messages = self._bytes = 0
        self.summary = Summary(notes=target.notes)

    def run(self) -> Summary:
        """All of it. Raises Refused and Unavailable."""
        listed = self._act("mailbox_list", {"address": self._address})
        mailboxes = [Leaving(**mailbox) for mailbox in listed["mailboxes"]]
        if self._only:
            mailboxes = [self._named(name, mailboxes) for name in self._only]
        self._total = sum(mailbox.size for mailbox in mailboxes)
        self._target.begin(listed["address"], mailboxes)
        for mailbox in mailboxes:
            done = Done(mailbox.name, mailbox.name)
            self.summary.folders.append(done)
            try:
                opened = self._target.open(mailbox)
            except Refused as error:
                done.left_out = mailbox.messages
                self.summary.miss(Missed(mailbox.name, str(error)))
                continue
            if opened:
                self._mailbox(mailbox, done)
                self._target.finish()
            else:
                done.duplicates = mailbox.messages
                self._advance(mailbox.size)
        self._progress(self._total, self._total, self._label())
        return self.summary

    def _named(self, name: str, mailboxes: Sequence[Leaving]) -> Leaving:
        for mailbox in mailboxes:
            if mailbox.name == name or (name.upper() == mailbox.name == "INBOX"):
                return mailbox
        raise Refused(f"there is no mailbox {name}; those there are: {', '.join(m.name for m in mailboxes[:50])}")

    def _mailbox(self, mailbox: Leaving, done: Done) -> None:
        batch: list[Row] = []
        size = 0
        for row in self._rows(mailbox):
            if self._target.has(row):
                done.duplicates += 1
                self._advance(row.size)
                continue
            if batch and (len(batch) == MESSAGES or size + row.size > BYTES):
                self._fetch(mailbox, batch, done)
                batch, size = [], 0
            batch.append(row)
            size += row.size
        self._fetch(mailbox, batch, done)

    def _rows(self, mailbox: Leaving) -> Iterator[Row]:
        last = 0
        while rows := self._act("mail_index", {"address": self._address, "mailbox": mailbox.name, "after": last})[
            "rows"
        ]:
            for uid, number, size, crc, date, zone, flags, identity in rows:
                last = uid
                yield Row(uid, number, size, crc, date, zone, frozenset(flags.split()), identity)

    def _fetch(self, mailbox: Leaving, batch: list[Row], done: Done) -> None:
        if not batch:
            return
        pieces: list[bytes] = []
        arguments = {"address": self._address, "mailbox": mailbox.name, "uids": [row.uid for row in batch]}
        try:
            sizes = self._act("mail_content", arguments, take=pieces.append)["sizes"]
        except Unavailable as error:  # one of them is damaged
            if len(batch) > 1:
                for row in batch:
                    self._fetch(mailbox, [row], done)
                return
            done.left_out += 1
            self.summary.miss(Missed(f"{mailbox.name} uid {batch[0].uid}", str(error)))
            return
        content, start = b"".join(pieces), 0
        found: list[tuple[Row, bytes]] = []
        for row, size in zip(batch, sizes, strict=True):
            if size is not None:  # else it was expunged meanwhile
                found.append((row, content[start : start + size]))
                start += size
        refused = self._target.put(found)
        for uid, why in refused.items():
            if not why:
                done.duplicates += 1
                continue
            done.left_out += 1
            self.summary.miss(Missed(f"{mailbox.name} uid {uid}", why))
        written = [row.size for row, _ in found if row.uid not in refused]
        done.messages += len(written)
        done.bytes += sum(written)
        self._messages += len(written)
        self._bytes += sum(written)
        self._advance(sum(row.size for row in batch))

    def _advance(self, size: int) -> None:
        self._done += size
        self._progress(min(self._done, self._total), self._total, self._label())

    def _label(self) -> str:
        return f"{self._messages:,} messages, {self._bytes / 1e6:,.1f} MB"
