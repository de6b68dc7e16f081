"""The judge: what the author's domain asks for is done as far as the configuration says, and why is told."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gk.config import Judge as Rules
from gk.inbound.incoming import Incoming, Message
from gk.inbound.judge import Judge
from gk.inbound.trace import Client
from gk.inbound.verdict import UNJUDGED, Verdict
from gk.mailauth.arc import Sealer
from gk.mailauth.authentic import Authenticator
from gk.mailauth.verifying import Verifying
from gk.message.address import parse_address
from gk.service import supervise
from tests.mailauth.signed import TEXT, Author
from tests.mailauth.table import Table

TOP = b"Received: from us\r\n"


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory) -> Author:
    return Author(tmp_path_factory.mktemp("keys"))


@pytest.fixture
async def verifying() -> AsyncIterator[Verifying]:
    service = Verifying()
    async with supervise(service):
        yield service


@pytest.fixture
def names(author: Author) -> Table:
    found = Table()
    for name, record in author.published.items():
        found.txt(name, record)
    found.txt("a.test", "v=spf1 ip4:192.0.2.1 -all")
    found.txt("_dmarc.a.test", "v=DMARC1; p=reject")
    found.txt("_dmarc.q.test", "v=DMARC1; p=quarantine")
    return found


async def judged(
    names: Table,
    verifying: Verifying,
    message: bytes,
    address: str = "192.0.2.9",
    sender: str = "x@b.test",
    **rules: Any,
) -> Verdict:
    judge = Judge(Authenticator(names, verifying, "mail.test", 5), Rules(**rules), "mail.test")
    client = Client("mx.b.test", address, True, None, False)
    incoming = Incoming("id", client, parse_address(sender), False, [])
    return await judge.judge(incoming, Message(TOP + message, len(TOP)))


def of(domain: str) -> bytes:
    return TEXT.replace(b"ann@a.test", b"ann@" + domain.encode())


async def test_a_forgery_is_refused_or_junk_as_its_domain_asks(names: Table, verifying: Verifying) -> None:
    refused = await judged(names, verifying, TEXT)
    assert (refused.action, refused.reply[:9]) == ("refuse", "550 5.7.1")
    assert "dis=reject" in refused.fields.decode()
    assert (await judged(names, verifying, of("q.test"))).action == "junk"
    assert (await judged(names, verifying, of("c.test"))).action == "accept"


async def test_what_is_authentic_is_accepted(names: Table, verifying: Verifying, author: Author) -> None:
    for message, address, sender in (
        (author.sign(), "192.0.2.9", "x@b.test"),
        (TEXT, "192.0.2.1", "ann@a.test"),
    ):
        verdict = await judged(names, verifying, message, address, sender)
        assert (verdict.action, verdict.results["dmarc"]) == ("accept", ("pass",))
        assert verdict.fields.startswith(b"Authentication-Results: mail.test;\r\n\tspf=")


@pytest.mark.parametrize(
    ("rules", "forged", "milder"),
    [
        ({"dmarc": "off"}, "accept", "accept"),
        ({"dmarc": "quarantine"}, "junk", "junk"),
        ({"dmarc_domains": {"a.test": "off"}}, "accept", "junk"),
        ({"dmarc_domains": {"a.test": "quarantine", "q.test": "reject"}}, "junk", "refuse"),
        ({"dmarc": "off", "dmarc_domains": {"a.test": "enforce"}}, "refuse", "accept"),
    ],
)
async def test_the_configuration_has_the_last_word(
    names: Table, verifying: Verifying, rules: dict[str, Any], forged: str, milder: str
) -> None:
    assert (await judged(names, verifying, TEXT, **rules)).action == forged
    assert (await judged(names, verifying, of("q.test"), **rules)).action == milder


async def test_a_trusted_seal_speaks_for_a_forwarded_message(
    names: Table, verifying: Verifying, author: Author, tmp_path: Path
) -> None:
    lists = Author(tmp_path, "list.test")
    for name, record in lists.published.items():
        names.txt(name, record)
    changed = author.sign().replace(b"Subject: ", b"Subject: [list] ")
    seen = b"Authentication-Results: mail.list.test; dkim=pass header.d=a.test; dmarc=pass header.from=a.test; arc=none"
    message = await Sealer(lists.keys).seal("list.test", changed, len(changed), seen) + changed
    assert (await judged(names, verifying, message)).action == "refuse"
    verdict = await judged(names, verifying, message, trusted_sealers=("List.Test",))
    assert (verdict.action, verdict.results["arc"], verdict.results["dmarc"]) == ("accept", ("pass",), ("fail",))
    assert any("list.test sealed" in finding.text for finding in verdict.findings)


async def test_one_forged_author_among_several_is_enough(names: Table, verifying: Verifying) -> None:
    message = TEXT.replace(b"From: Ann", b"From: <x@c.test>, Ann")
    assert (await judged(names, verifying, message)).action == "refuse"


@pytest.mark.parametrize(
    "forged",
    [
        b"From: " + b"".join(b"x@c%d.test, " % n for n in range(9)) + b"ann@a.test",
        b"From: <x@c.test> (" + b"x" * 70_000 + b"), ann@a.test",
        b"\r\n".join(b"From: x@c%d.test" % n for n in range(9)) + b"\r\nFrom: ann@a.test",
    ],
)
async def test_a_crowd_of_authors_hides_no_forged_one(names: Table, verifying: Verifying, forged: bytes) -> None:
    message = TEXT.replace(b"From: Ann <ann@a.test>", forged)
    assert (await judged(names, verifying, message)).action == "junk"
    assert (await judged(names, verifying, message, dmarc="off")).action == "accept"


@pytest.mark.parametrize("failing", ["_dmarc.a.test", "a.test"])
async def test_nothing_temporary_refuses_a_message(names: Table, verifying: Verifying, failing: str) -> None:
    names.failing.add(failing)
    verdict = await judged(names, verifying, TEXT, sender="ann@a.test")
    assert (verdict.action, verdict.results["dmarc"]) == ("accept", ("temperror",))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "198.51.100.7"])
async def test_mail_of_trusted_clients_is_not_judged(names: Table, verifying: Verifying, address: str) -> None:
    trusted = ("127.0.0.0/8", "::1", "198.51.100.0/24")
    assert await judged(names, verifying, TEXT, address, trusted=trusted) is UNJUDGED
    assert names.asked == []


async def test_judging_can_be_switched_off(names: Table, verifying: Verifying) -> None:
    assert await judged(names, verifying, TEXT, enabled=False) is UNJUDGED


async def test_every_finding_shows_what_led_to_it(names: Table, verifying: Verifying, author: Author) -> None:
    message = author.sign().replace(b"Hello.", b"Hallo.")
    verdict = await judged(names, verifying, message)
    evidence = verdict.evidence(len(TOP))
    by_rule = {one["rule"]: one for one in evidence["findings"]}
    decides = by_rule["dmarc_decides"]
    assert decides["text"] == "fail for a.test, which asks for reject"
    assert (decides["asked"], decides["answer"]) == ("_dmarc.a.test TXT", "v=DMARC1; p=reject")
    at, length = decides["where"]
    assert (TOP + message)[at : at + length] == b"From: Ann <ann@a.test>"
    at, length = by_rule["dkim"]["where"]
    assert (TOP + message)[at : at + length].startswith(b"DKIM-Signature: ")
    assert by_rule["dkim"]["answer"].startswith("v=DKIM1;") and "the body was changed" in by_rule["dkim"]["text"]
    assert by_rule["spf"]["asked"] == "b.test TXT" and by_rule["iprev"]["answer"] == "(no such name)"
