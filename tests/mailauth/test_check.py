"""The DNS compared with what it should say, on a DNS of the tests' own."""

import asyncio
import ipaddress
import time
from pathlib import Path

import pytest

from gk.mailauth.asking import SHOWN, Asking
from gk.mailauth.check import check
from gk.mailauth.domain_check import key_problem
from gk.mailauth.findings import Finding
from gk.mailauth.keys import Keys
from gk.mailauth.records import Offer, Own, wanted
from gk.mailauth.spf_reach import Broken, Reach
from gk.net.dns import SystemResolver
from tests.mailauth.conftest import DOMAIN
from tests.strangers import Mx, Zone, free_port

HOST = "mail.example.test"
OFFER = Offer(HOST, submission=587, submissions=465, imap=143, imaps=993, https=443)
PUBLIC = "8.7.6.5"  # some public address: nothing is ever sent to it
HERE = [Own(PUBLIC, True)]
REVERSE = "5.6.7.8"
PROBED = "127.0.0.1"


def publish(dns: Zone, keys: Keys, *, leaving: tuple[str, ...] = ()) -> None:
    """Everything the domain needs but what is named, as «gk dns» prints it."""
    keys.ensure([DOMAIN])
    for record in wanted(DOMAIN, OFFER, HERE, keys.pairs(DOMAIN), [DOMAIN]):
        if record.kind not in leaving and record.name not in leaving:
            dns.add(record.name, record.type, record.rdata)


async def look(keys: Keys, resolver: SystemResolver, offer: Offer = OFFER, **more: object) -> list[Finding]:
    return await check({DOMAIN: keys.pairs(DOMAIN)}, offer, more.pop("own", HERE), resolver, **more)  # type: ignore


def faults(found: list[Finding]) -> list[tuple[str, str]]:
    return [(item.kind, item.status) for item in found if item.status not in ("ok", "skipped")]


def fix(found: list[Finding], kind: str) -> str:
    (only,) = [item.fix for item in found if item.kind == kind and item.status != "ok"]
    return only


async def test_what_gk_prints_is_all_that_is_needed(keys: Keys, dns: Zone, resolver: SystemResolver) -> None:
    publish(dns, keys)
    found = await look(keys, resolver)
    assert faults(found) == []
    assert {item.kind for item in found if item.status == "ok"} == {
        "address", "spf.host", "ptr", "list", "mx", "spf", "dkim", "dmarc", "tlsrpt", "sts", "srv", "alias"
    }  # fmt: skip
    assert not any(item.fix for item in found if item.status == "ok")


@pytest.mark.parametrize(
    ("kind", "status"),
    [("mx", "wrong"), ("address", "wrong"), ("spf", "wrong"), ("dmarc", "wrong"), ("ptr", "wrong"),
     ("tlsrpt", "advice"), ("sts", "advice"), ("spf.host", "advice")],
)  # fmt: skip
async def test_what_is_missing_is_found(
    keys: Keys, dns: Zone, resolver: SystemResolver, kind: str, status: str
) -> None:
    publish(dns, keys, leaving=(kind,))
    found = await look(keys, resolver)
    assert (kind, status) in faults(found)
    assert all(item.fix for item in found if item.status in ("wrong", "advice"))


async def test_missing_keys_and_services_are_named_one_by_one(keys: Keys, dns: Zone, resolver: SystemResolver) -> None:
    publish(dns, keys, leaving=("dkim", "srv", "alias"))
    found = faults(await look(keys, resolver))
    assert found.count(("dkim", "wrong")) == 2
    assert found.count(("srv", "advice")) == 6 and found.count(("alias", "advice")) == 3


@pytest.mark.parametrize(
    ("name", "type_", "values", "kind", "expected"),
    [
        (DOMAIN, "MX", ["0 ."], "mx", "null MX"),
        (DOMAIN, "MX", ["10 mx.far.test."], "mx", "Replace it by example.test MX 10 mail.example.test."),
        (DOMAIN, "MX", ["10 mail.example.test.", "20 backup.far.test."], "mx", "backup.far.test"),
        (DOMAIN, "TXT", ['"v=spf1 -all"'], "spf", "Add ip4:8.7.6.5"),
        (DOMAIN, "TXT", ['"v=spf1 ip4:9.9.9.9 ~all"'], "spf", "says softfail"),
        (DOMAIN, "TXT", ['"v=spf1 mx -all"', '"v=spf1 a -all"'], "spf", "Keep one of the 2"),
        (DOMAIN, "TXT", ['"v=spf1 mx +all"'], "spf", "whole world"),
        (DOMAIN, "TXT", ['"v=spf1 foo:bar -all"'], "spf", "a term nobody knows"),
        (DOMAIN, "TXT", ['"v=spf1 include:nowhere.test -all"'], "spf", "no SPF record"),
        (DOMAIN, "TXT", ['"v=spf1 exists:%{i}.far.test -all"'], "spf", "by hand"),
        (f"_dmarc.{DOMAIN}", "TXT", ['"v=DMARC1; p=none"'], "dmarc", "Change p=none"),
        (f"_dmarc.{DOMAIN}", "TXT", ['"v=DMARC1; rua=mailto:a@b"'], "dmarc", "p= must be"),
        (f"_dmarc.{DOMAIN}", "TXT", ['"v=DMARC1; p=reject"', '"v=DMARC1; p=none"'], "dmarc", "Keep one"),
        (f"_imaps._tcp.{DOMAIN}", "SRV", ["0 1 993 imap.far.test."], "srv", "Let _imaps._tcp.example.test lead to"),
        (f"_smtp._tls.{DOMAIN}", "TXT", ['"v=TLSRPTv1"'], "tlsrpt", "Replace it by"),
        (f"{REVERSE}.in-addr.arpa", "PTR", ["host.provider.test."], "ptr", "name and address must agree"),
    ],
)
async def test_what_is_wrong_is_found_and_its_remedy_said(
    keys: Keys, dns: Zone, resolver: SystemResolver, name: str, type_: str, values: list[str], kind: str, expected: str
) -> None:
    publish(dns, keys, leaving=(name,))
    if name == DOMAIN and type_ == "TXT":
        dns.add(DOMAIN, "MX", f"10 {HOST}.")
    elif name == DOMAIN:
        dns.add(DOMAIN, "TXT", '"v=spf1 a:mail.example.test -all"')
    dns.add(name, type_, *values)
    assert expected in fix(await look(keys, resolver), kind)


@pytest.mark.parametrize(
    ("name", "type_", "value", "kind"),
    [
        (DOMAIN, "TXT", '"V=spf1 include:_spf.far.test ?all"', "spf"),
        (DOMAIN, "TXT", '"v=spf1 redirect=_spf.far.test"', "spf"),
        (DOMAIN, "TXT", '"v=spf1 ip4:8.7.0.0/16" " ~all"', "spf"),
        (f"_dmarc.{DOMAIN}", "TXT", '"v=DMARC1 ; adkim=s;  p=REJECT ;"', "dmarc"),
        (f"_imaps._tcp.{DOMAIN}", "SRV", "5 70 993 MAIL.example.test.", "srv"),
        (f"autoconfig.{DOMAIN}", "A", PUBLIC, "alias"),
        (f"_smtp._tls.{DOMAIN}", "TXT", '"v=TLSRPTv1;rua=https://far.test/"', "tlsrpt"),
    ],
)
async def test_other_words_for_the_same_are_as_good(
    keys: Keys, dns: Zone, resolver: SystemResolver, name: str, type_: str, value: str, kind: str
) -> None:
    publish(dns, keys, leaving=(kind,) if kind not in ("srv", "alias") else (name,))
    dns.add("_spf.far.test", "TXT", f'"v=spf1 ip6:2001:db8::/32 a:{HOST} -all"')
    dns.add(name, type_, value)
    assert [item for item in await look(keys, resolver) if item.kind == kind and item.status != "ok"] == []


@pytest.mark.parametrize(("policy", "status"), [("p=reject", "ok"), ("p=reject; sp=none", "advice"), ("p=no", "wrong")])
async def test_a_subdomain_has_the_policy_of_the_domain_above(
    keys: Keys, dns: Zone, resolver: SystemResolver, policy: str, status: str
) -> None:
    dns.add(f"_dmarc.{DOMAIN}", "TXT", f'"v=DMARC1; {policy}"')
    found = await check({f"a.b.{DOMAIN}": ()}, OFFER, HERE, resolver)
    assert [item.status for item in found if item.kind == "dmarc"] == [status]


@pytest.mark.parametrize(
    ("published", "problem"),
    [
        ("p=KEY; k=rsa; v=DKIM1", ""),
        (" v=DKIM1;p= K E Y ;; t=s; n=note", ""),
        ("v=DKIM1; k=rsa; p=", "key"),
        ("v=DKIM1; k=rsa; p=key", "key"),
        ("v=DKIM2; p=KEY", "key"),
        ("v=DKIM1; k=ed25519; p=KEY", "key"),
        ("p=KEY; p=KEY", "key"),
        ("p=KEY; h=sha1", "h="),
        ("p=KEY; h=sha1:sha256; s=email", ""),
        ("p=KEY; s=other", "s="),
        ("p=KEY; t=s:y", "t=y"),
    ],
)
def test_a_published_key_serves_or_not(published: str, problem: str) -> None:
    assert key_problem(published, "v=DKIM1; k=rsa; p=KEY") == problem


async def test_a_damaged_key_file_is_told(keys: Keys, dns: Zone, resolver: SystemResolver, tmp_path: Path) -> None:
    publish(dns, keys)
    (path,) = tmp_path.rglob("gk2026a-r.pem")
    path.write_text("nothing")
    again = Keys(path.parents[2])
    assert "gk dkim rotate" in fix(await look(again, resolver), "dkim")


async def test_a_listed_address_is_told_and_a_refused_question_is_no_listing(
    keys: Keys, dns: Zone, resolver: SystemResolver
) -> None:
    publish(dns, keys)
    dns.add(f"{REVERSE}.zen.spamhaus.org", "A", "127.0.0.2")
    dns.add(f"{REVERSE}.bl.spamcop.net", "A", "127.255.255.254")
    dns.add(f"{REVERSE}.psbl.surriel.com", "A", "192.0.2.9")  # a zone somebody else bought
    found = {item.name: item.status for item in await look(keys, resolver) if item.kind == "list"}
    assert found == {"zen.spamhaus.org": "wrong", "bl.spamcop.net": "skipped", "psbl.surriel.com": "ok"}


async def test_private_addresses_are_asked_of_no_block_list(keys: Keys, dns: Zone, resolver: SystemResolver) -> None:
    publish(dns, keys)
    await look(keys, resolver, own=[Own("10.0.0.1", True)])
    assert not [name for name, _ in dns.asked if name.endswith(("spamhaus.org", "spamcop.net", "surriel.com"))]


async def test_where_the_machine_knows_no_address_the_public_ones_of_its_name_are_looked_at(
    keys: Keys, dns: Zone, resolver: SystemResolver
) -> None:
    publish(dns, keys)
    found = await look(keys, resolver, own=[])
    assert faults(found) == []
    assert f"{REVERSE}.in-addr.arpa" in [item.name for item in found if item.kind == "ptr"]


async def test_the_way_out_is_tried_only_when_asked(keys: Keys, dns: Zone, resolver: SystemResolver) -> None:
    publish(dns, keys)
    dns.domain("far.test", PROBED)
    offer = Offer(HOST, port=free_port(PROBED), https=443, submission=587, submissions=465, imap=143, imaps=993)
    mx = Mx()
    async with mx.serve(PROBED, offer.port):
        assert [i.status for i in await look(keys, resolver, offer) if i.kind == "probe"] == ["skipped"]
        assert mx.sessions == 0
        (tried,) = [i for i in await look(keys, resolver, offer, probe="far.test") if i.kind == "probe"]
        assert (tried.status, tried.found) == ("ok", ("220 mx.stranger.test ESMTP",))
        await mx.idle()
    assert "set outbound.smarthost" in fix(
        [i for i in await look(keys, resolver, offer, probe="far.test") if i.kind == "probe"], "probe"
    )
    (lost,) = [i for i in await look(keys, resolver, offer, probe="nowhere.test") if i.kind == "probe"]
    assert lost.status == "unknown"


async def test_without_an_answer_it_says_so_in_time(keys: Keys, dns: Zone) -> None:
    class Silent(asyncio.DatagramProtocol):
        pass

    keys.ensure([DOMAIN])
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Silent, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    before = time.monotonic()
    (only,) = await look(keys, SystemResolver([f"127.0.0.1:{port}"], remember=False), deadline=0.3)
    assert time.monotonic() - before < 10
    assert (only.kind, only.status) == ("resolver", "unknown") and "No DNS answered" in only.fix
    transport.close()
    (refused,) = await look(keys, SystemResolver([f"127.0.0.1:{port}"], remember=False), deadline=0.3)
    assert refused.kind == "resolver"


async def test_one_name_that_fails_is_unknown_and_the_others_are_known(
    keys: Keys, dns: Zone, resolver: SystemResolver
) -> None:
    publish(dns, keys)
    dns.faults[f"_dmarc.{DOMAIN}"] = "servfail"
    assert faults(await look(keys, resolver)) == [("dmarc", "unknown")]


async def test_hostile_answers_are_bounded(keys: Keys, dns: Zone, resolver: SystemResolver) -> None:
    publish(dns, keys, leaving=("spf", "dmarc", "alias", "tlsrpt", "srv", "sts"))
    long = " ".join(['"' + "x" * 255 + '"'] * 230)
    dns.add(DOMAIN, "TXT", f'"v=spf1 " {long}')
    dns.add(f"_dmarc.{DOMAIN}", "TXT", f'"v=DMARC1;" {long}', '"v=DMARC1; \\255\\000\\010"')
    dns.add(f"_smtp._tls.{DOMAIN}", "TXT", '"v=TLSRPTv1;' + ";a=" * 80 + '"')
    dns.add(f"autoconfig.{DOMAIN}", "CNAME", f"autodiscover.{DOMAIN}.")
    dns.add(f"autodiscover.{DOMAIN}", "CNAME", f"autoconfig.{DOMAIN}.")
    for number in range(80):
        dns.add(f"_imaps._tcp.{DOMAIN}", "SRV", f"0 1 {number} far{number}.test.")
    found = await look(keys, resolver)
    assert {("spf", "wrong"), ("dmarc", "wrong"), ("tlsrpt", "wrong"), ("srv", "wrong")} <= set(faults(found))
    assert max(len(text) for item in found for text in item.found) <= SHOWN + 1
    assert max(len(item.found) for item in found) <= 50
    assert max(len(item.fix) for item in found) < 1000


@pytest.mark.parametrize(
    ("record", "result"),
    [
        ("v=spf1 include:loop.test -all", "takes more than 10 lookups"),
        ("v=spf1 redirect=loop2.test", "takes more than 10 lookups"),
        ("v=spf1 " + "a " * 11 + "-all", "takes more than 10 lookups"),
        ("v=spf1 ip4:999.1.1.1 -all", "a network that is none"),
        ("v=spf1 " + "ip4:1.1.1.1 " * 201, "too many terms"),
        ("v=spf1 a:far.test/24 -all", "pass"),
        ("v=spf1 mx:far.test/33 -all", "a network that is none"),
        ("v=spf1 -ip4:8.7.6.5 +all", "fail"),
        ("v=spf1 ?a:nowhere.test", "neutral"),
    ],
)
async def test_an_spf_record_is_followed_as_far_as_rfc_7208_goes(
    dns: Zone, resolver: SystemResolver, record: str, result: str
) -> None:
    dns.add(DOMAIN, "TXT", " ".join(f'"{record[at : at + 255]}"' for at in range(0, len(record), 255)))
    dns.add(DOMAIN, "A", "9.9.9.9")
    dns.add("loop.test", "TXT", '"v=spf1 include:loop.test -all"')
    dns.add("loop2.test", "TXT", '"v=spf1 redirect=loop2.test"')
    dns.domain("far.test", "8.7.6.99")
    dns.add("far.test", "A", "8.7.6.99")
    try:
        found = str(await Reach(Asking(resolver), ipaddress.ip_address(PUBLIC)).of(DOMAIN))
    except Broken as error:
        found = str(error)
    assert result in found
