"""A day of judging, and the report about it the next morning, read by the server it is for."""

from pathlib import Path

from gk.mailauth import reports
from gk.mailauth.aggregate import Aggregate
from gk.mailauth.signing import Signer
from gk.net.dns import SystemResolver
from gk.outbound.reporting import Reporting
from gk.store.tls import DAY
from tests.flows.conftest import ALICE, house
from tests.flows.test_judged import OURS, deliver
from tests.mailauth.signed import TEXT
from tests.mailauth.test_spf import txt

JUDGE = f'[judge]\ntrusted = []\n[reports]\naddress = "{ALICE}"\nsend = true'


async def test_forgeries_of_a_day_are_told_to_the_domain_that_wants_to_know(tmp_path: Path) -> None:
    async with house(tmp_path, judge=JUDGE) as gk:
        gk.zone.add("a.test", "TXT", txt(f"v=spf1 ip4:{OURS} -all"))
        gk.zone.add("_dmarc.a.test", "TXT", txt("v=DMARC1; p=reject; rua=mailto:dmarc@a.test"))
        assert (await deliver(gk, TEXT))[0] == 550
        assert (await deliver(gk, TEXT, client=OURS))[0] == 250
    # what was counted is in the store once the server has stopped
    async with house(tmp_path, judge=JUDGE) as gk:
        theirs = await gk.stranger("a.test", host="127.0.0.2")
        gk.zone.add("_dmarc.a.test", "TXT", txt("v=DMARC1; p=reject; rua=mailto:dmarc@a.test"))
        store = gk.rooms.store
        ((day, _),) = store.reports.due(1 << 30, 10)
        service = Reporting(
            store, gk.rooms.directory, SystemResolver([f"127.0.0.1:{gk.ports['dns']}"]), Signer(gk.rooms.names.keys),
            "mail.example.test", ALICE, lambda: (day + 1) * DAY + 20_000.0,
        )  # fmt: skip
        assert await service.send() == 1
        received = await theirs.message()
        assert (received.mail.split()[0], received.rcpt) == ("<>", ["<dmarc@a.test>"])
        found = reports.read(received.content)
    assert isinstance(found, Aggregate)
    rows = {(row.source, row.messages, row.disposition, row.spf) for row in found.rows}
    assert rows == {("127.0.0.9", 1, "reject", "fail"), (OURS, 1, "pass", "pass")}
