"""`gk spam train`, `gk spam status` and `gk spam forget`, with a server and without one (spam_status, spam_forget)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gk.cli.door import act
from gk.config import load
from gk.errors import Refused
from tests.inbound.spam.test_rules import message
from tests.site import ALICE, Site


@pytest.fixture(params=["alone", "served"])
def place(site: Site, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A site without a server, and the same with one."""
    site.add_alice()
    if request.param == "alone":
        yield site
    else:
        with site.served():
            yield site


@pytest.fixture
def sorted_mail(tmp_path: Path) -> Path:
    """Junk as files, wanted mail as an mbox and a Maildir."""
    (tmp_path / "mail" / "junk").mkdir(parents=True)
    for n in range(60):
        (tmp_path / "mail" / "junk" / f"{n}.eml").write_bytes(message(f"cheap watches {n}"))
    letters = b"".join(b"From x@y Tue Nov  3 10:00:00 2026\n" + message(f"minutes {n}") + b"\n" for n in range(7))
    (tmp_path / "mail" / "wanted.mbox").write_bytes(letters.replace(b"\r\n", b"\n"))
    for folder in ("cur", "new", "tmp"):
        (tmp_path / "mail" / "Maildir" / folder).mkdir(parents=True)
    for n in range(3):
        (tmp_path / "mail" / "Maildir" / "cur" / f"{n}:2,S").write_bytes(message(f"office {n}"))
    return tmp_path / "mail"


def test_sorted_mail_is_learnt_shown_and_forgotten(place: Site, sorted_mail: Path) -> None:
    given = [
        "--junk", str(sorted_mail / "junk"), "--wanted", str(sorted_mail / "wanted.mbox"),
        "--wanted", str(sorted_mail / "Maildir"),
    ]  # fmt: skip
    assert place.click("spam", "train", *given).stdout == "known to all accounts: 60 junk, 10 wanted\n"
    assert place.click("spam", "status").stdout.splitlines() == [
        "address             junk  wanted  speaks",
        "(all)               60    10",
        f"{ALICE}  0     0       yes",
    ]
    assert place.json("spam", "forget", "--all") == {"junk": 60, "wanted": 10}
    assert place.json("spam", "status")["base"] == {"junk": 0, "wanted": 0}
    assert place.click("spam", "forget", ALICE).stdout == "forgotten: 0 junk, 0 wanted\n"


def test_what_cannot_be_is_refused(site: Site) -> None:
    site.add_alice()
    assert "name some mail" in site.run("spam", "train").stderr
    assert "name an address" in site.run("spam", "forget").stderr
    assert "name an address" in site.run("spam", "forget", ALICE, "--all").stderr
    for wrong, said in (
        ({"kind": "odd", "messages": 1, "signs": {}}, "junk or wanted"),
        ({"kind": "junk", "messages": 0, "signs": {}}, "at most"),
        ({"kind": "junk", "messages": 1, "signs": {"x": 1}}, "no sign"),
        ({"kind": "junk", "messages": 1, "signs": {"1048576": 1}}, "no sign"),
        ({"kind": "junk", "messages": 1, "signs": {"1": 2}}, "a sign is in 1 to 1"),
    ):
        with pytest.raises(Refused, match=said):
            act(load(site.path), "spam_train", wrong)
