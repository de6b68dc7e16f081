"""A next pair signs only once the DNS publishes it."""

from gk.mailauth.keys import RETIRED_FOR, Keys
from gk.mailauth.records import quoted
from gk.mailauth.rotation import Changed, promote, unpublished
from gk.net.dns import SystemResolver
from tests.mailauth.conftest import DOMAIN, Clock
from tests.strangers import Zone


def publish(dns: Zone, keys: Keys, name: str, *, only: str = "") -> None:
    (pair,) = [pair for pair in keys.pairs(DOMAIN) if pair.name == name]
    for key in pair.keys:
        if key.selector.endswith(only):
            dns.add(f"{key.selector}._domainkey.{DOMAIN}", "TXT", quoted(key.record))


async def test_a_pair_is_promoted_when_both_its_keys_are_published(
    keys: Keys, clock: Clock, dns: Zone, resolver: SystemResolver
) -> None:
    keys.ensure([DOMAIN])
    keys.prepare(DOMAIN)
    assert await promote(keys, resolver) == []
    publish(dns, keys, "gk2026b", only="-r")
    assert await promote(keys, resolver) == []
    publish(dns, keys, "gk2026b", only="-e")
    assert await promote(keys, resolver) == [Changed(DOMAIN, "gk2026b", ())]
    assert keys.signing(DOMAIN)[0].selector == "gk2026b-r"
    assert await promote(keys, resolver) == []
    clock.now += RETIRED_FOR
    assert await promote(keys, resolver) == [Changed(DOMAIN, None, ("gk2026a",))]
    assert [pair.name for pair in keys.pairs(DOMAIN)] == ["gk2026b"]


async def test_another_key_or_two_at_a_selector_are_not_ours(keys: Keys, dns: Zone, resolver: SystemResolver) -> None:
    keys.ensure([DOMAIN])
    (pair,) = keys.pairs(DOMAIN)
    dns.add(f"gk2026a-r._domainkey.{DOMAIN}", "TXT", quoted(pair.keys[0].record[:-8] + "AAAAAAAA"))
    dns.add(f"gk2026a-e._domainkey.{DOMAIN}", "TXT", quoted(pair.keys[1].record), '"v=DKIM1; k=ed25519; p="')
    assert await unpublished(DOMAIN, pair, resolver) == ["gk2026a-r", "gk2026a-e"]


async def test_a_dns_that_fails_promotes_nothing(keys: Keys, dns: Zone, resolver: SystemResolver) -> None:
    keys.ensure([DOMAIN])
    keys.prepare(DOMAIN)
    for letter in "re":
        dns.faults[f"gk2026b-{letter}._domainkey.{DOMAIN}"] = "servfail"
    assert await promote(keys, resolver) == []
