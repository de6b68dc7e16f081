"""`gk search` and `gk ask` show what the actions found."""

import asyncio

from tests.actions.test_ask_model import call
from tests.cli.test_ai import talker
from tests.cli.test_reports import _deliver
from tests.inbound.spam.test_rules import message
from tests.site import ALICE, Site


def test_mail_is_searched_and_asked_about(site: Site) -> None:
    site.add_alice()
    assert site.click("search", ALICE).stdout == "nothing was found\n"
    roof = message("the roof", Subject="Roof", From="Ann <ann@far.test>")
    asyncio.run(_deliver(site.data, roof, message("x", Subject="X")))
    rows = site.click("search", ALICE, "roof").stdout.splitlines()
    assert rows[0].split() == ["id", "date", "new", "from", "subject", "mailbox"]
    assert "Ann <ann@far.test>" in rows[1] and "Roof" in rows[1] and len(rows) == 2
    assert [one["subject"] for one in site.json("search", ALICE, "--from", "ann", "--limit", "5")["messages"]] == [
        "Roof"
    ]
    assert site.click("ask", ALICE, "who", "wrote", "today?").stdout.strip() in ("Ann, Bob.", "Bob, Ann.")
    assert site.json("ask", ALICE, "aide")["intent"] == "help"
    assert "is no day" in site.run("search", ALICE, "--since", "soon").stderr


def test_the_assistant_acts_waits_for_a_yes_and_takes_back(site: Site) -> None:
    steps = [
        call("move_mail", ids=["G1"], folder="Archive"), call("delete_mail", ids=["G1"]), {"content": "Moved G1."},
    ]  # fmt: skip
    site.add_alice()
    asyncio.run(_deliver(site.data, message("the roof", Subject="Roof", From="Ann <ann@far.test>")))
    with talker(steps) as url:
        site.append(f'[[ai.models]]\nurl = "{url}"\nmodel = "m"\n')
        told = site.click("ask", "archive", "and", "delete", "it").stdout
    assert told.startswith("Moved Ann: «Roof» (G1).\n- move_mail: 1 moved to Archive (take back: gk ask --effect 1)\n")
    word = told.partition("--confirm ")[2].split()[0]
    assert "1  " in site.click("ask", "--effects").stdout
    assert site.click("ask", "--confirm", word).stdout.startswith("done: move to Trash")
    assert site.click("search", ALICE, "--in", "Trash", "roof").stdout.count("Roof") == 1
    assert "taken back: move to Trash" in site.click("ask", "--undo").stdout
    assert site.click("search", ALICE, "--in", "Archive", "roof").stdout.count("Roof") == 1
    assert "taken back: move_mail" in site.click("ask", "--as", ALICE, "--effect", "1").stdout
    assert site.click("search", ALICE, "--in", "INBOX", "roof").stdout.count("Roof") == 1
    assert "nothing waits" in site.run("ask", "--confirm", word).stderr
    assert "ask something" in site.run("ask").stderr
