"""`gk dns` and `gk dkim`: what they print, and what they find on a DNS of the tests' own."""

import asyncio
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dns.zone
import pytest

from gk.cli.door import act
from gk.config import load
from gk.errors import Refused
from tests.site import PASSWORD, Site
from tests.strangers import Zone, zone

ADDRESS = "8.7.6.5"
DOMAIN = "example.test"


@pytest.fixture
def names(site: Site) -> Iterator[Zone]:
    """A DNS in a thread of its own, where the site asks."""
    ready: list[Zone] = []
    opened, done = threading.Event(), threading.Event()

    async def serve() -> None:
        async with zone() as found:
            ready.append(found)
            opened.set()
            while not done.is_set():
                await asyncio.sleep(0.02)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert opened.wait(10)
    site.write(re.sub(r"resolver = .*", f'resolver = ["127.0.0.1:{ready[0].port}"]', site.path.read_text()))
    yield ready[0]
    done.set()
    thread.join()


@pytest.fixture(params=["alone", "served"])
def place(site: Site, names: Zone, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A site without a server, and the same with one."""
    if request.param == "alone":
        yield site
    else:
        with site.served():
            yield site


def publish(site: Site, names: Zone, *, leaving: str = "") -> None:
    for record in site.json("dns", "--address", ADDRESS)["domains"][0]["records"]:
        if record["name"] != leaving:
            names.add(record["name"], record["type"], record["rdata"])


def test_what_is_printed_and_published_is_found_to_be_well(place: Site, names: Zone) -> None:
    publish(place, names, leaving=f"_dmarc.{DOMAIN}")
    wrong = place.click("dns", "check", DOMAIN, "--address", ADDRESS, "--json")
    assert wrong.exit_code == 1
    (found,) = [f for f in json.loads(wrong.stdout)["findings"] if f["status"] == "wrong"]
    assert found["fix"].startswith(f"Publish _dmarc.{DOMAIN} TXT ")
    names.add(f"_dmarc.{DOMAIN}", "TXT", '"v=DMARC1; p=reject"')
    well = place.click("dns", "check", "--address", ADDRESS)
    assert well.exit_code == 0, well.stdout
    assert "0 wrong" not in well.stdout and " ok" in well.stdout.splitlines()[-1]


def test_the_zone_format_is_a_zone_file(site: Site) -> None:
    done = site.click("dns", "--format", "zone", DOMAIN, "--address", ADDRESS, "--address", "2001:db8::1")
    assert done.exit_code == 0
    read = dns.zone.from_text(done.stdout, origin=DOMAIN, check_origin=False, relativize=False)
    kinds = {(str(name), rdataset.rdtype.name) for name, rdataset in read.iterate_rdatasets()}
    assert {(f"{DOMAIN}.", "MX"), (f"mail.{DOMAIN}.", "AAAA"), (f"_imap._tcp.{DOMAIN}.", "SRV")} <= kinds
    assert all(line.startswith("; ") for line in done.stdout.splitlines() if "in-addr.arpa" in line)


def test_the_text_says_why_and_the_json_says_all(site: Site) -> None:
    text = site.click("dns").stdout
    assert f"{DOMAIN}.  MX  10 mail.{DOMAIN}.\n    Mail for {DOMAIN} comes to this server." in text
    assert "version: STSv1" in text and "give it with --address" in text
    found = json.loads(site.click("dns", "--format", "json").stdout)
    assert found == site.json("dns", DOMAIN) and found["sts_policy"].startswith("version: STSv1\r\n")


def test_without_a_dns_the_check_says_so_in_five_seconds(site: Site) -> None:
    before = time.monotonic()
    done = site.run("dns", "check")
    assert time.monotonic() - before < 20
    assert done.returncode == 1 and "No DNS answered" in done.stdout and done.stderr == ""


def test_what_is_no_domain_of_ours_is_refused_in_one_line(site: Site) -> None:
    for verb in (("dns",), ("dns", "check"), ("dkim", "rotate")):
        assert "is no domain" in site.fails(1, *verb, "*.example.test")
        assert "not among the domains" in site.fails(1, *verb, "far.test")
    assert "no IP address" in site.fails(1, "dns", "--address", "mail.example.test")
    assert "no IP address" in site.fails(1, "dns", "check", "--address", "fe80::1%eth0")


def test_an_international_domain_is_printed_as_the_dns_has_it(site: Site) -> None:
    site.write(site.path.read_text().replace('"example.test"]', '"example.test", "bücher.test"]'))
    found = site.json("dns", "BÜCHER.test")
    assert {r["name"] for r in found["domains"][0]["records"] if r["kind"] == "mx"} == {"xn--bcher-kva.test"}
    assert len(site.json("dns")["domains"]) == 2


def test_keys_are_rotated_once_the_dns_publishes_the_next_pair(place: Site, names: Zone) -> None:
    publish(place, names)
    made = place.json("dkim", "rotate", DOMAIN)
    assert (made["pair"][-1], made["state"], len(made["records"])) == ("b", "next", 2)
    early = place.run("dkim", "rotate", DOMAIN, "--activate")
    assert early.returncode == 1 and "does not publish the key" in early.stderr
    for record in made["records"]:
        names.add(record["name"], record["type"], record["rdata"])
    assert place.json("dkim", "rotate", DOMAIN, "--activate")["state"] == "active"
    assert [pair["state"] for pair in place.json("dkim", "list", DOMAIN)] == ["retired", "active"]
    assert "retired" in place.click("dkim", "list").stdout
    old, new = [pair["pair"] for pair in place.json("dkim", "list", DOMAIN)]
    in_use = place.run("dkim", "remove", DOMAIN, new)
    assert in_use.returncode == 1 and "is signed with" in in_use.stderr
    assert place.json("dkim", "remove", DOMAIN, old) == {"domain": DOMAIN, "removed": old}
    assert "gk2" in place.click("dkim", "rotate", DOMAIN).stdout
    nothing = place.run("dkim", "rotate", "far.test", "--activate")
    assert nothing.returncode == 1 and nothing.stderr.count("\n") == 1


def test_before_the_first_keys_are_made_none_are_listed(site: Site) -> None:
    assert site.json("dkim", "list") == [] and "no keys yet" in site.click("dkim", "list").stdout


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("dns_records", {"addresses": [1]}),
        ("dns_records", {"domain": "a" * 70_000}),
        ("dns_check", {"addresses": ["999.1.1.1"]}),
        ("dkim_list", {"domain": "*"}),
        ("dkim_rotate", {"domain": "../keys", "activate": True}),
        ("dkim_remove", {"domain": DOMAIN, "pair": "../gk2026a"}),
    ],
)
def test_an_action_refuses_what_makes_no_sense_in_one_line(
    site: Site, action: str, arguments: dict[str, object]
) -> None:
    with pytest.raises(Refused) as refused:
        act(load(site.path), action, arguments)
    assert len(str(refused.value)) < 300 and "\n" not in str(refused.value)


def test_no_verb_prints_a_private_key(site: Site) -> None:
    said = "".join(
        site.click(*verb).output
        for verb in (("dns",), ("dns", "--json"), ("dkim", "rotate", DOMAIN), ("dkim", "list", "--json"))
    )
    pems = list(site.data.rglob("*.pem"))
    assert len([path for path in pems if path.parent.name == DOMAIN]) == 4
    for path in pems:
        assert not any(line in said for line in path.read_text().splitlines())


def test_init_prints_the_records_of_the_domain(tmp_path: Path, site: Site) -> None:
    done = site.click("init", "ann@bücher.example", "--dir", str(tmp_path / "new"), "--password-stdin", input=PASSWORD)
    assert done.exit_code == 0, done.output
    assert "xn--bcher-kva.example.  MX  10 mail.xn--bcher-kva.example." in done.stdout
    assert done.stdout.count("v=DKIM1; k=") == 2
