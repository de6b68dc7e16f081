"""`gk activity` and `gk status` tell what was done and what waits (activity, status)."""

import signal
import smtplib

from tests.inbound.spam.test_rules import message
from tests.site import ALICE, Site


def test_what_was_done_is_told_by_hour_and_day(site: Site) -> None:
    site.add_alice()
    assert site.click("activity").stdout == "nothing was done\n"
    with site.served() as served:
        with smtplib.SMTP("127.0.0.1", site.ports["mx"], timeout=30) as client:
            client.sendmail("ann@far.test", [ALICE], message("x", From="ann@far.test"))
        assert served.stopped(signal.SIGTERM) == 0
    with site.served():
        for options in ((), ("--days", "3")):
            (period,) = site.json("activity", *options)
            assert period["received"] == 1 and period["success"] is None, "what was counted is kept over a restart"
        assert "received" in site.click("activity").stdout
        status = site.json("status")
        assert status["today"]["received"] == 1 and status["queue"] == 0
        assert "24 h: 1 received" in site.click("status").stdout
    assert "hours is from 1" in site.run("activity", "--hours", "0").stderr
