"""`gk ban list`, `add` and `remove` (ban_list, ban_add, ban_remove), with a server and without one."""

import smtplib
from collections.abc import Iterator

import pytest

from tests.site import Site


@pytest.fixture(params=["alone", "served"])
def place(site: Site, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A site without a server, and the same with one."""
    site.add_alice()
    if request.param == "alone":
        yield site
    else:
        with site.served():
            yield site


def test_bans_are_set_shown_and_lifted(place: Site) -> None:
    assert place.click("ban", "list").stdout == "nobody is banned\n"
    assert "203.0.113.0/24 is banned until " in place.click("ban", "add", "203.0.113.9/24").stdout
    place.click("ban", "add", "2001:db8::7", "--minutes", "30", "--reason", "noise")
    shown = place.json("ban", "list")
    assert [(ban["network"], ban["until"] - ban["added"], ban["reason"]) for ban in shown] == [
        ("203.0.113.0/24", 86_400, "added by hand"),
        ("2001:db8::/64", 1800, "noise"),
    ]
    assert place.click("ban", "remove", "203.0.113.0/24").stdout == "203.0.113.0/24 is served again\n"
    lines = place.click("ban", "list").stdout.splitlines()
    assert len(lines) == 2 and lines[1].startswith("2001:db8::/64")


def test_what_cannot_be_banned_is_refused(site: Site) -> None:
    site.add_alice()
    for arguments, said in (
        (["127.0.0.1"], "is never banned"),
        (["0.0.0.0/0"], "at most"),
        (["nobody"], "no address or network"),
        (["192.0.2.1", "--minutes", "0"], "a ban lasts"),
        (["192.0.2.1", "--reason", "x" * 201], "a reason is one line"),
    ):
        assert said in site.run("ban", "add", *arguments).stderr
    assert "is not banned" in site.run("ban", "remove", "192.0.2.1").stderr


def test_bans_survive_a_restart_and_the_server_does_not_ban_its_own_machine(site: Site) -> None:
    site.add_alice()
    with site.served():
        site.click("ban", "add", "192.0.2.1")
        for _ in range(8):  # more than bans.errors in all, from loopback
            with smtplib.SMTP("127.0.0.1", site.ports["mx"], timeout=30) as client:
                for _ in range(9):
                    assert client.docmd("XYZZY")[0] == 500
        assert [ban["network"] for ban in site.json("ban", "list")] == ["192.0.2.1/32"]
    with site.served():
        assert [ban["network"] for ban in site.json("ban", "list")] == ["192.0.2.1/32"]
