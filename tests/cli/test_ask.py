"""`gk search` and `gk ask` show what the actions found."""

import asyncio

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
