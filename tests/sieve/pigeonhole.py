"""Pigeonhole, the Sieve of Dovecot, as a second opinion: what its `sieve-test` would do."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gk.sieve.outcome import Outcome
from tests.peers import need
from tests.sieve.running import FROM, TO

NOBODY = 65534
CONF = """
mail_uid = {uid}
mail_gid = {uid}
first_valid_uid = 1
mail_home = {root}
mail_location = maildir:{root}/mail
log_path = /dev/stderr
ssl = no
plugin {{
  recipient_delimiter = +
  sieve_extensions = +editheader +vacation-seconds
}}
"""
_STORE = re.compile(r"^ \* store message in folder: (.*)$")
_FLAGS = re.compile(r"^ +\+ add IMAP flags: (.*)$")
_REDIRECT = re.compile(r"^ \* redirect message to: <(.*)>$")
_REJECT = re.compile(r"^ \* reject message with reason: (.*)$")


@dataclass(frozen=True)
class Decided:
    """What two implementations can agree on: flags are in lower case and sorted."""

    filed: tuple[tuple[str, tuple[str, ...]], ...] = ()
    redirects: tuple[str, ...] = ()
    rejected: str | None = None
    vacation: bool = False


class Pigeonhole:
    """`sieve-test` in a directory of its own."""

    def __init__(self, root: Path) -> None:
        self._program, self._root = need("sieve-test", "dovecot-sieve"), root
        (root / "dovecot.conf").write_text(CONF.format(uid=NOBODY, root=root))
        if os.geteuid() == 0:
            shutil.chown(root, NOBODY, NOBODY)

    def run(self, script: str, mail: bytes, sender: str = FROM, recipient: str = TO) -> Decided | None:
        """What it would do; None where it refuses the script."""
        if os.geteuid() == 0:
            for path in (self._root, *self._root.parents[:3]):
                path.chmod(0o755)  # each time: another run of tests that begins meanwhile closes them again
        (self._root / "s.sieve").write_bytes(script.encode())
        (self._root / "m.eml").write_bytes(mail)
        done = subprocess.run(
            [self._program, "-C", "-c", self._root / "dovecot.conf", "-f", sender, "-a", recipient, "-r", recipient,
             self._root / "s.sieve", self._root / "m.eml"],
            capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        told = done.stderr.decode()
        if done.returncode and "failed to compile" in told:
            return None
        assert done.returncode == 0, told
        return _read(done.stdout.decode())


def _read(printed: str) -> Decided:
    filed: list[tuple[str, tuple[str, ...]]] = []
    redirects: list[str] = []
    rejected, vacation = None, False
    for line in printed.splitlines():
        if found := _STORE.match(line):
            filed.append((found[1], ()))
        elif found := _FLAGS.match(line):
            filed[-1] = (filed[-1][0], tuple(sorted(found[1].lower().split())))
        elif found := _REDIRECT.match(line):
            redirects.append(found[1])
        elif found := _REJECT.match(line):
            rejected = found[1]
        elif line == " * send vacation message:":
            vacation = True
    return Decided(tuple(sorted(filed)), tuple(sorted(redirects)), rejected, vacation)


def decided(outcome: Outcome) -> Decided:
    """The same of ours."""
    filed = sorted((f.mailbox, tuple(sorted(flag.lower() for flag in f.flags))) for f in outcome.filings)
    redirects = sorted(redirect.address for redirect in outcome.redirects)
    reason = outcome.reject.reason if outcome.reject is not None else None
    return Decided(tuple(filed), tuple(redirects), reason, outcome.vacation is not None)
