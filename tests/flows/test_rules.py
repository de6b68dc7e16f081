"""Rules and scripts in the whole server: put by ManageSieve as users' programs do, obeyed by real mail."""

import asyncio
import smtplib
import subprocess
from pathlib import Path

import pytest

from tests.flows.conftest import ALICE, BOB, PASSWORD, House, mail
from tests.peers import need

SCRIPT = """\
require ["fileinto", "mailbox", "imap4flags", "reject", "copy"];
if header :contains "subject" "invoice" { fileinto :create :flags "\\\\Flagged" "Money/In"; stop; }
if header :contains "subject" "ad" { reject "No advertisements, please"; stop; }
if header :contains "subject" "copy" { redirect :copy "alice@far.test"; }
"""


async def sieve_connect(gk: House, *arguments: str, user: str = ALICE) -> str:
    """What sieve-connect, Debian's client, says; it starts TLS and logs in."""
    program = need("sieve-connect")

    def work() -> str:
        done = subprocess.run(
            [program, "--server", "127.0.0.1", "--port", str(gk.ports["managesieve"]), "--user", user, "--notlsverify",
             "--passwordfd", "0", *arguments],
            input=PASSWORD + "\n", capture_output=True, text=True, timeout=60, check=False, cwd=gk.path.parent,
        )  # fmt: skip
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout

    return await asyncio.to_thread(work)


@pytest.mark.peer
async def test_a_script_put_by_sieve_connect_files_real_mail(gk: House, tmp_path: Path) -> None:
    (tmp_path / "main.sieve").write_text(SCRIPT)
    await sieve_connect(gk, "--localsieve", "main.sieve", "--remotesieve", "main", "--upload")
    assert '"main"' in await sieve_connect(gk, "--list")
    await gk.bring(mail("invoice 0", sender="zoe@far.test"), ALICE)
    assert len(await gk.inbox()) == 1  # it is not active yet
    await sieve_connect(gk, "--remotesieve", "main", "--activate")
    far = await gk.stranger("far.test")
    for subject in ("invoice 1", "copy", "hello"):
        await gk.bring(mail(subject, sender="zoe@far.test"), ALICE)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        await gk.bring(mail("ad", sender="zoe@far.test"), ALICE)
    assert (refused.value.smtp_code, refused.value.smtp_error) == (550, b"5.7.1 No advertisements, please")
    assert len(await gk.inbox(ALICE, "Money/In")) == 1
    assert len(await gk.inbox()) == 3
    assert (await far.message()).rcpt == ["<alice@far.test>"]
    await sieve_connect(gk, "--remotesieve", "main", "--localsieve", "back.sieve", "--download")
    assert (tmp_path / "back.sieve").read_text() == SCRIPT
    await sieve_connect(gk, "--deactivate")
    await sieve_connect(gk, "--remotesieve", "main", "--delete")
    assert await sieve_connect(gk, "--list") == ""
    assert await sieve_connect(gk, "--list", user=BOB) == ""


async def test_a_rule_decides_about_mail_from_elsewhere_and_from_users_here(gk: House) -> None:
    await gk.act("rule_add", address=ALICE, text='if from contains "bob@" then file "Bob", flag seen, stop')
    await gk.act("rule_add", address=ALICE, text='if subject is odd then file "Odd"')
    await gk.submit(mail("odd", sender=BOB), ALICE, sender=BOB)
    await gk.bring(mail("odd", sender="zoe@far.test"), ALICE, BOB)
    assert len(await gk.inbox(ALICE, "Bob")) == 1
    assert len(await gk.inbox(ALICE, "Odd")) == 1
    assert await gk.inbox(ALICE) == []
    assert len(await gk.inbox(BOB)) == 1
    why = await gk.act("mail_why", id="Bob/1", address=ALICE)
    assert why["findings"][0]["text"] == 'rule 1, line 2: header :contains "from" "bob@"'


async def test_a_tag_leads_into_its_folder(gk: House) -> None:
    await gk.act("mailbox_add", address=ALICE, mailbox="lists")
    await gk.bring(mail("x", sender="zoe@far.test"), "alice+Lists@example.test")
    assert len(await gk.inbox(ALICE, "lists")) == 1


async def test_a_script_that_fails_leaves_the_mail_in_the_inbox_and_a_notice_beside_it(gk: House) -> None:
    account = gk.rooms.store.accounts.get(ALICE)
    await gk.rooms.store.scripts.put(account.id, "main", 'require "reject"; reject "No"; keep;')
    await gk.rooms.store.scripts.activate(account.id, "main")
    for _ in range(3):
        await gk.bring(mail("x", sender="zoe@far.test"), ALICE)
    inbox = await gk.inbox()
    assert len(inbox) == 4
    assert sum(b"Subject: A rule for your mail did not work" in raw for raw in inbox) == 1
