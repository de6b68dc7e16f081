"""The records a domain needs, and their spelling."""

from pathlib import Path

import dns.rdata
import dns.rdataclass
import dns.rdatatype
from hypothesis import given
from hypothesis import strategies as st

from gk.config import Config, Http, Imap, Outbound, OutboundRoute, Smtp
from gk.mailauth.keys import Keys
from gk.mailauth.own import own
from gk.mailauth.records import Offer, Own, Record, quoted, wanted
from gk.mailauth.tags import BadTags, tags
from tests.mailauth.conftest import DOMAIN
from tests.mailauth.fuzzing import examples

OFFER = Offer("mail.example.test", submission=587, submissions=465, imap=143, imaps=993, managesieve=4190)
HERE = [Own("192.0.2.1", True), Own("2001:db8::1", False)]


def of(records: list[Record], kind: str) -> list[tuple[str, str, str]]:
    return [(r.name, r.type, r.value) for r in records if r.kind == kind and not r.aside]


def test_every_record_of_a_domain_is_there_with_its_reason(keys: Keys) -> None:
    keys.ensure([DOMAIN])
    keys.prepare(DOMAIN)
    records = wanted(DOMAIN, OFFER, HERE, keys.pairs(DOMAIN), [DOMAIN])
    assert of(records, "mx") == [(DOMAIN, "MX", "10 mail.example.test.")]
    assert of(records, "address") == [("mail.example.test", "A", "192.0.2.1")]
    assert of(records, "spf") == [(DOMAIN, "TXT", "v=spf1 mx ip6:2001:db8::1 -all")]
    assert of(records, "spf.host") == [("mail.example.test", "TXT", "v=spf1 a ip6:2001:db8::1 -all")]
    assert [name for name, _, _ in of(records, "dkim")] == [
        f"gk2026{letter}-{kind}._domainkey.{DOMAIN}" for letter in "ab" for kind in "re"
    ]
    assert of(records, "dmarc")[0][2].startswith("v=DMARC1; p=quarantine; rua=mailto:postmaster@")
    assert ("_imaps._tcp.example.test", "SRV", "0 1 993 mail.example.test.") in of(records, "srv")
    assert ("_sieve._tcp.example.test", "SRV", "0 1 4190 mail.example.test.") in of(records, "srv")
    assert {r.name for r in records if r.kind == "ptr"} == {
        "1.2.0.192.in-addr.arpa", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
    }  # fmt: skip
    assert all(record.why.endswith(".") for record in records)


def test_reports_are_wanted_at_the_address_named_for_them_where_it_is_of_the_domain() -> None:
    for address, expected in ((f"dmarc@{DOMAIN}", f"dmarc@{DOMAIN}"), ("dmarc@other.test", f"postmaster@{DOMAIN}")):
        records = wanted(DOMAIN, Offer("mail.example.test", reports=address), HERE, (), [DOMAIN])
        found = [value for kind in ("dmarc", "tlsrpt") for _, _, value in of(records, kind)]
        assert len(found) == 2 and all(value.endswith(f"; rua=mailto:{expected}") for value in found)


def test_what_the_web_serves_waits_for_it() -> None:
    without = wanted(DOMAIN, OFFER, HERE, (), [DOMAIN])
    later = {r.name.partition(".")[0] for r in without if r.aside and r.kind != "ptr"}
    assert later == {"_mta-sts", "mta-sts", "_caldavs", "_carddavs", "autoconfig", "autodiscover"}
    with_web = wanted(DOMAIN, Offer("mail.example.test", https=443), HERE, (), [DOMAIN])
    assert {r.kind for r in with_web if r.aside} == {"ptr"}
    assert ("_caldavs._tcp.example.test", "SRV", "0 1 443 mail.example.test.") in of(with_web, "srv")
    assert ("_imap._tcp.example.test", "SRV", "0 0 0 .") in of(with_web, "srv")


def test_a_domain_that_is_the_hostname_has_one_spf_record() -> None:
    records = wanted(DOMAIN, Offer(DOMAIN), HERE, (), [DOMAIN])
    assert len([r for r in records if r.value.startswith("v=spf1")]) == 1


def test_with_a_smarthost_spf_names_it() -> None:
    records = wanted(DOMAIN, Offer("mail.example.test", smarthost="relay.far.test"), HERE, (), [DOMAIN])
    assert of(records, "spf") == [(DOMAIN, "TXT", "v=spf1 mx a:relay.far.test ~all")]


def test_addresses_that_mail_leaves_from_are_in_the_spf_record_of_their_domain() -> None:
    sources = {DOMAIN: ("9.9.9.9", "2620:fe::fe"), "*": ("9.9.9.10", "192.168.1.1")}
    offer = Offer("mail.example.test", sources=sources)
    assert of(wanted(DOMAIN, offer, HERE, (), [DOMAIN]), "spf") == [
        (DOMAIN, "TXT", "v=spf1 mx ip4:9.9.9.9 ip6:2620:fe::fe -all")
    ]
    other = of(wanted("other.test", offer, HERE, (), [DOMAIN]), "spf")
    assert other == [("other.test", "TXT", "v=spf1 mx ip4:9.9.9.10 -all")]


def test_a_route_for_everything_else_is_what_a_smarthost_is() -> None:
    routes = (OutboundRoute(("far.test",), "one.test:25"), OutboundRoute(("*",), "relay.test:587"))
    assert Offer.of(Config(outbound=Outbound(routes=routes))).smarthost == "relay.test"


def test_an_unknown_address_is_asked_for() -> None:
    (record,) = [r for r in wanted(DOMAIN, OFFER, [], (), [DOMAIN]) if r.kind == "address"]
    assert "--address" in record.aside


def test_the_offer_is_what_is_configured() -> None:
    config = Config(
        hostname="Mail.example.test", domains=(DOMAIN,), data=Path("data"),
        imap=Imap(starttls=(), tls=("0.0.0.0:1993",)), smtp=Smtp(mx=("[::]:25",)), http=Http(https=("0.0.0.0:443",)),
        outbound=Outbound(smarthost="relay.test:587"),
    )  # fmt: skip
    assert Offer.of(config) == Offer("mail.example.test", 587, 465, None, 1993, 443, "relay.test", 25, frozenset({6}))


def test_only_public_addresses_are_our_own_unless_named() -> None:
    assert own(frozenset({4}), ["10.0.0.1", "2001:DB8:0::1", "10.0.0.1"]) == [
        Own("10.0.0.1", True),
        Own("2001:db8::1", True),
    ]
    assert all(not item.address.startswith(("127.", "10.", "fe80", "fd")) for item in own(frozenset({4, 6})))


@given(st.text(st.characters(codec="utf-8"), max_size=600))
@examples
def test_a_text_survives_the_zone_file(text: str) -> None:
    rdata = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.TXT, quoted(text))
    assert b"".join(rdata.strings) == text.encode()
    assert max(map(len, rdata.strings)) <= 255


@given(st.text(max_size=200) | st.lists(st.sampled_from(["v=a", ";", " ", "=", "p", "\t"]), max_size=200).map("".join))
@examples
def test_a_list_of_tags_is_read_or_refused(text: str) -> None:
    try:
        found = tags(text)
    except BadTags:
        return
    assert all(name and name == name.strip() for name in found) and len(found) <= 64
