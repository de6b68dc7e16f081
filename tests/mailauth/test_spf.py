"""SPF against the public test suite and against records made to hurt."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.mailauth.questions import Questions
from gk.mailauth.spf import Checker, Spf
from gk.net.dns import SystemResolver
from tests.corpus import corpus_path
from tests.mailauth.fuzzing import examples
from tests.mailauth.table import Table
from tests.mailauth.yamlish import documents
from tests.strangers import Zone, zone

BUDGET = 10.0


def txt(text: str) -> str:
    """The text of a TXT record in a zone file, in strings of 255."""
    octets = text.encode("latin-1") if not text.isascii() else text.encode()
    escaped = ["".join(f"\\{o:03}" for o in octets[at : at + 255]) for at in range(0, len(octets), 255)] or [""]
    return " ".join(f'"{string}"' for string in escaped)


def fill(zone_: Zone, data: dict[str, list[Any]]) -> None:
    """Publish the zone of one scenario: SPF records stand for TXT where there are none (its own rule)."""
    for name, records in data.items():
        name = dns.name.from_text(name).to_text(omit_final_dot=True).lower()
        kinds = [next(iter(r)) for r in records if isinstance(r, dict)]
        zone_.add(name, "HINFO")  # the name exists
        for record in records:
            if record == "TIMEOUT":
                if not any(r.get("TXT", "NONE") != "NONE" for r in records if isinstance(r, dict)):
                    zone_.faults[name] = "servfail"
                continue
            ((kind, value),) = record.items()
            if kind == "SPF" and "TXT" not in kinds:
                kind = "TXT"
            match kind:
                case "TXT" if value != "NONE":
                    strings = value if isinstance(value, list) else [value]
                    zone_.add(name, "TXT", " ".join(txt(s) for s in strings) or '""')
                case "MX" | "PTR" | "CNAME":
                    parts = value if isinstance(value, list) else [value]
                    if parts[-1]:
                        zone_.add(name, kind, " ".join([*parts[:-1], parts[-1].rstrip(".") + "."]))
                case "A" | "AAAA":
                    zone_.add(name, kind, value)


async def verdict(served: Zone, address: str, sender: str, helo: str) -> Spf:
    resolver = SystemResolver([f"127.0.0.1:{served.port}"], remember=False)
    return await Checker().check(address, sender, helo, Questions(resolver, BUDGET), "receiver.test")


async def test_the_public_suite_passes() -> None:
    wrong, count = [], 0
    for scenario in documents(corpus_path("spf", "rfc7208-tests.yml").read_text()):
        async with zone() as served:
            fill(served, scenario["zonedata"])
            for name, test in scenario["tests"].items():
                count += 1
                got = await verdict(served, test["host"], test["mailfrom"], test["helo"])
                allowed = test["result"] if isinstance(test["result"], list) else [test["result"]]
                if got.result not in allowed:
                    wrong.append((name, got.result, allowed, got.reason))
                explained = test.get("explanation")
                if explained and explained != "DEFAULT" and got.result == "fail" and got.explanation != explained:
                    wrong.append((name, got.explanation, explained))
    assert wrong == []
    assert count == 203


@pytest.fixture
async def served() -> AsyncIterator[Zone]:
    async with zone() as opened:
        yield opened


def publish(served: Zone, **records: str) -> None:
    """Policies by domain below .test, a double underscore for a dot."""
    for name, text in records.items():
        served.add(name.replace("__", ".") + ".test", "TXT", txt(text))


@pytest.mark.parametrize(
    ("address", "sender", "result"),
    [
        ("192.0.2.1", "ann@a.test", "pass"),
        ("192.0.2.9", "ann@a.test", "softfail"),
        ("192.0.2.9", "ann@b.test", "fail"),
        ("192.0.2.1", "ann@c.test", "pass"),
        ("2001:db8::1", "ann@six.test", "pass"),
        ("192.0.2.1", "ann@nothing.test", "none"),
        ("192.0.2.1", "ann@no-such-name.test", "none"),
        ("192.0.2.1", "ann@-.-", "none"),
        ("192.0.2.1", "grüße@bücher.test", "none"),
        ("192.0.2.1", "", "pass"),
    ],
)
async def test_a_client_may_send_what_the_domain_says(served: Zone, address: str, sender: str, result: str) -> None:
    publish(
        served,
        a="v=spf1 ip4:192.0.2.1 ~all",
        b="v=spf1 include:a.test -all",
        c="v=spf1 mx -all",
        six="v=spf1 a:host.test -all",
        nothing="verification=1",
        client="v=spf1 exists:%{ir}.%{v}.client.test -all",
    )
    served.domain("c.test", "192.0.2.1")
    served.add("host.test", "AAAA", "2001:db8::1")
    served.add("1.2.0.192.in-addr.client.test", "A", "127.0.0.2")
    found = await verdict(served, address, sender, "client.test")
    assert (found.result, found.helo) == (result, not sender)


@pytest.mark.parametrize(
    ("policies", "result"),
    [
        ({"a": "v=spf1 include:b.test -all", "b": "v=spf1 include:a.test -all"}, "permerror"),
        ({"a": "v=spf1 redirect=a.test"}, "permerror"),
        ({"a": "v=spf1 " + " ".join(f"a:h{n}.test" for n in range(12)) + " -all"}, "permerror"),
        ({"a": "v=spf1 " + "ip4:198.51.100.1 " * 3600 + "-all"}, "permerror"),
        ({"a": "v=spf1 a:" + "x" * 20_000 + ".test -all"}, "permerror"),
        ({"a": "v=spf1 exists:" + "%{l}." * 150 + "a.test -all"}, "permerror"),
        ({"a": "v=spf1 exists:%{d}%{d}%{d}%{d}%{d}%{d}%{d}%{d}%{d}.a.test ?all"}, "neutral"),
        ({"a": "v=spf1 a:%{d99999999999r}.test ?all"}, "neutral"),
        ({"a": "v=spf1 a:%{z}.test -all"}, "permerror"),
        ({"a": "v=spf1 a:" + "%(" * 200 + " -all"}, "permerror"),
        ({"a": "v=spf1 " + "?" * 400 + "all"}, "permerror"),
        ({"a": "v=spf1 ip4:1.2.3.4/99999999999 -all"}, "permerror"),
        ({"a": "v=spf1 \x01\x02 -all"}, "permerror"),
        ({"a": "v=spf1 " + " " * 60_000 + "-all"}, "permerror"),
    ],
)
async def test_a_hostile_policy_is_an_error_or_nothing(policies: dict[str, str], result: str) -> None:
    names = Table()
    for name, text in policies.items():
        names.txt(f"{name}.test", text)
    for n in range(12):
        names.add(f"h{n}.test", "A", "198.51.100.7")
    questions = Questions(names, BUDGET)
    found = await Checker().check("192.0.2.1", "u" * 64 + "@a.test", "client.test", questions)
    assert found.result == result and len(found.reason) <= 200


async def test_aliases_in_a_circle_are_a_temporary_error(served: Zone) -> None:
    served.add("a.test", "CNAME", "b.test.")
    served.add("b.test", "CNAME", "a.test.")
    assert (await verdict(served, "192.0.2.1", "ann@a.test", "client.test")).result == "temperror"


async def test_what_is_not_answered_in_time_is_a_temporary_error(served: Zone) -> None:
    served.faults["a.test"] = "silent"
    resolver = SystemResolver([f"127.0.0.1:{served.port}"], remember=False)
    found = await Checker().check("192.0.2.1", "ann@a.test", "c.test", Questions(resolver, 0.05))
    assert found.result == "temperror"


async def test_the_second_message_of_a_domain_asks_everything_at_once(served: Zone) -> None:
    publish(served, a="v=spf1 include:b.test -all", b="v=spf1 include:c.test -all", c="v=spf1 ip4:192.0.2.1 -all")
    resolver = SystemResolver([f"127.0.0.1:{served.port}"], remember=False)
    checker = Checker()
    for _ in range(2):
        questions = Questions(resolver, BUDGET)
        assert (await checker.check("192.0.2.1", "ann@a.test", "c.test", questions)).result == "pass"
    known = dict.fromkeys(questions.answered())
    assert list(known) == [("a.test", "TXT"), ("b.test", "TXT"), ("c.test", "TXT")]


async def test_a_result_is_used_again_for_the_same_answers_and_no_others() -> None:
    names, checker = Table(), Checker()
    names.txt("a.test", "v=spf1 a:host.test -all")
    names.txt("m.test", "v=spf1 exists:%{l}.m.test -all")
    names.add("ann.m.test", "A", "127.0.0.2")

    async def result(sender: str, address: str = "192.0.2.1") -> str:
        return (await checker.check(address, sender, "c.test", Questions(names, BUDGET))).result

    names.add("host.test", "A", "192.0.2.1")
    assert [await result(f"{local}@a.test") for local in ("ann", "ann", "bob")] == ["pass"] * 3
    assert await result("ann@a.test", "192.0.2.2") == "fail"
    names.names["host.test"]["A"] = ["192.0.2.2"]
    assert await result("ann@a.test") == "fail" and await result("ann@a.test", "192.0.2.2") == "pass"
    names.failing.add("a.test")
    assert await result("ann@a.test") == "temperror"
    names.failing.clear()
    assert await result("ann@a.test") == "fail"
    assert [await result(f"{local}@m.test") for local in ("ann", "bob", "ann")] == ["pass", "fail", "pass"]


_terms = st.one_of(
    st.sampled_from(
        ["a", "mx", "ptr", "-all", "exists:%{i}.x.test", "include:a.test", "redirect=b.test", "exp=b.test"]
    ),
    st.text(alphabet="amx:%{}dlisr0123456789./=-+?~e pt_", max_size=40),
)


@examples
@given(
    policy=st.lists(_terms, max_size=12).map(lambda terms: " ".join(["v=spf1", *terms])),
    other=st.text(max_size=60),
    sender=st.text(max_size=30),
    helo=st.text(max_size=30),
)
def test_any_policy_has_a_result(policy: str, other: str, sender: str, helo: str) -> None:
    names = Table(
        {"x.test": {"A": ["192.0.2.7"], "AAAA": ["2001:db8::7"]}, "b.test": {"MX": [(10, "x.test."), (0, ".")]}}
    )
    names.txt("a.test", policy)
    names.txt("b.test", other)
    names.add("1.2.0.192.in-addr.arpa", "PTR", "x.test.", other)

    async def check() -> Spf:
        questions = Questions(names, BUDGET)
        return await Checker().check("192.0.2.1", f"{sender}@a.test", helo, questions)

    found = asyncio.run(check())
    assert found.result in {"pass", "fail", "softfail", "neutral", "none", "temperror", "permerror"}
