"""MTA-STS: what is a policy, where it is found, and how long it is believed (RFC 8461)."""

import asyncio
import dataclasses
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gk.bus import Bus
from gk.config import Config, Limits
from gk.mailauth import sts as sts_module
from gk.mailauth.sts import Sts, StsError, StsFault, allows, announced, parse
from gk.net.dns import SystemResolver
from gk.net.guard import FetchFailed, Page
from gk.store import tls as tls_module
from gk.store.db import Store
from gk.store.tls import DAY, StsPolicy
from tests.strangers import Zone, zone

FUZZ = 10_000 if os.environ.get("GK_FUZZ") else 300
POLICY = b"version: STSv1\r\nmode: enforce\r\nmx: mx0.far.test\r\nmx: *.far.test\r\nmax_age: 604800\r\n"
FOUND = StsPolicy("", "enforce", ("mx0.far.test", "*.far.test"), 604800, 0)


# --- the record -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "record",
    [
        b"v=STSv1; id=20160831085700Z;",
        b"v=STSv1;id=20160831085700Z",
        b"v=STSv1 ; id=20160831085700Z",
        b"v=STSv1; id=20160831085700Z ; ",
        b"v=STSv1; other=x; id=20160831085700Z; more.of_it-1=~!y",
    ],
)
def test_a_record_announces_a_policy(record: bytes) -> None:
    expected = None if record.startswith(b"v=STSv1 ;") else "20160831085700Z"  # "v=STSv1;" is what it begins with
    assert announced([record]) == expected
    assert announced([b"v=spf1 -all", record, b"google-site-verification=x"]) == expected


@pytest.mark.parametrize(
    "records",
    [
        [],
        [b""],
        [b"v=STSv1; id=1;", b"v=STSv1; id=1;"],
        [b"v=STSv1; id=1;", b"v=STSv1; id=2;"],
        [b"v=STSv1;"],
        [b"v=STSv1; id=;"],
        [b"v=STSv1; id=" + b"x" * 33],
        [b"v=STSv1; id=a-b"],
        [b"v=STSv1; id=\xe9"],
        [b"v=STSv1; id=1 2"],
        [b"v=STSv1; id=1; ="],
        [b"v=STSv1; no_value; id=1"],
        [b"v=STSv2; id=1"],
        [b"V=STSV1; id=1"],
        [b" v=STSv1; id=1"],
        [b"v=STSv1; xid=1"],
    ],
)
def test_anything_else_announces_none(records: list[bytes]) -> None:
    assert announced(records) is None


# --- the policy -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        POLICY,
        POLICY.replace(b"\r\n", b"\n"),
        POLICY.removesuffix(b"\r\n"),
        POLICY + b"\r\n\r\n",
        POLICY.replace(b": ", b":"),
        POLICY.replace(b": ", b": \t "),
        POLICY.replace(b"\r\n", b" \t\r\n"),
        b"max_age: 604800\nmx: MX0.Far.test.\nmx: *.FAR.TEST\nmode: enforce\nversion: STSv1\n",
        POLICY + b"future-field: anything at all\r\nx.y_z: 1:2:3\r\n",
        POLICY + "remark: préfère\r\n".encode(),
        POLICY + b"mode: none\r\nmax_age: 1\r\nversion: STSv9\r\n",  # the first of each counts, RFC 8461 §3.2
    ],
)
def test_a_policy_is_read(content: bytes) -> None:
    assert parse(content) == FOUND


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n",
        b"<html><body>Not found</body></html>",
        POLICY.replace(b"STSv1", b"STSv2"),
        POLICY.replace(b"version: STSv1\r\n", b""),
        POLICY.replace(b"mode: enforce\r\n", b""),
        POLICY.replace(b"enforce", b"Enforce"),
        POLICY.replace(b"max_age: 604800\r\n", b""),
        POLICY.replace(b"604800", b"-1"),
        POLICY.replace(b"604800", b"1e9"),
        POLICY.replace(b"604800", b"12345678901"),
        POLICY.replace(b"604800", "٣".encode()),
        b"version: STSv1\nmode: enforce\nmax_age: 1\n",
        POLICY + b"mx:\r\n",
        POLICY + b"mx: *\r\n",
        POLICY + b"mx: *.*.far.test\r\n",
        POLICY + b"mx: mx*.far.test\r\n",
        POLICY + b"mx: a b\r\n",
        POLICY + b"mx: .far.test\r\n",
        POLICY + b"mx: -x.far.test\r\n",
        POLICY + b"mx: " + b"x." * 200 + b"test\r\n",
        POLICY + b"mx: many.far.test\r\n" * 300,
        POLICY + b"no field\r\n",
        POLICY + b"\r\nmore: 1\r\n",
        POLICY + b"bell: \x07\r\n",
        POLICY + b"latin: \xe9\r\n",
        POLICY.replace(b"\r\n", b"\r"),
        POLICY + b"pad: " + b"x" * (64 << 10),
    ],
)
def test_what_is_no_policy_is_refused(content: bytes) -> None:
    with pytest.raises(StsError):
        parse(content)


def test_a_policy_of_no_policy_needs_no_servers_and_no_age_is_beyond_a_year() -> None:
    assert parse(b"version: STSv1\nmode: none\nmax_age: 0") == StsPolicy("", "none", (), 0, 0)
    assert parse(POLICY.replace(b"604800", b"9999999999")).max_age == 31_557_600


@given(st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(POLICY.splitlines(True)), max_size=9).map(b"".join)))
@settings(max_examples=FUZZ, deadline=None)
def test_any_content_is_a_policy_or_refused(content: bytes) -> None:
    try:
        policy = parse(content)
    except StsError:
        return
    assert policy.mx or policy.mode == "none"


@given(st.lists(st.binary(max_size=60).map(lambda tail: b"v=STSv1;" + tail), max_size=3))
@settings(max_examples=FUZZ, deadline=None)
def test_any_record_announces_a_sound_id_or_nothing(records: list[bytes]) -> None:
    found = announced(records)
    assert found is None or (found.isascii() and found.isalnum() and len(found) <= 32)


@pytest.mark.parametrize(
    ("host", "listed"),
    [
        ("mx0.far.test", True), ("MX0.FAR.TEST.", True), ("a.far.test", True), ("far.test", False),
        ("a.b.far.test", False), ("mx0.far.test.evil.test", False), ("xfar.test", False), ("", False), (".", False),
    ],
)  # fmt: skip
def test_a_wildcard_stands_for_exactly_one_label(host: str, listed: bool) -> None:
    assert allows(FOUND, host) is listed


# --- where it is found ------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Web:
    """Policy hosts: what is asked for, and what they answer."""

    pages: dict[str, Page | FetchFailed]
    asked: list[str]
    gate: asyncio.Event

    async def get(self, url: str) -> Page:
        self.asked.append(url)
        await self.gate.wait()
        page = self.pages.get(url, FetchFailed("no such host"))
        if isinstance(page, FetchFailed):
            raise page
        return page


URL = "https://mta-sts.far.test/.well-known/mta-sts.txt"


@pytest.fixture
def web() -> Web:
    found = Web({URL: Page(200, "text/plain", POLICY)}, [], asyncio.Event())
    found.gate.set()
    return found


@pytest.fixture
async def names() -> AsyncIterator[Zone]:
    async with zone() as opened:
        opened.add("_mta-sts.far.test", "TXT", '"v=STSv1; id=1;"')
        yield opened


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    config = Config(data=tmp_path / "data", limits=Limits(free_space_bytes=0))
    async with Store.open(config, Bus()) as opened:
        yield opened


@pytest.fixture
def sts(names: Zone, web: Web, store: Store) -> Sts:
    return make(names, web, store)


def make(names: Zone, web: Web, store: Store) -> Sts:
    return Sts(SystemResolver([f"127.0.0.1:{names.port}"], remember=False), web.get, store.tls)


def announce(names: Zone, policy_id: str | None) -> None:
    names._records.pop("_mta-sts.far.test", None)
    if policy_id is not None:
        names.add("_mta-sts.far.test", "TXT", f'"v=STSv1; id={policy_id};"')


async def test_a_policy_is_fetched_once_and_kept(sts: Sts, web: Web, names: Zone, store: Store) -> None:
    found = await sts.of("far.test")
    assert found is not None
    assert dataclasses.replace(found, id="", fetched=0) == FOUND
    assert await sts.of("far.test") == found
    assert await make(names, web, store).of("far.test") == found  # after a restart, too
    assert web.asked == [URL]


async def test_a_domain_without_a_record_has_no_policy(sts: Sts, web: Web) -> None:
    assert await sts.of("other.test") is None
    assert web.asked == []


async def test_a_new_id_brings_the_new_policy(sts: Sts, web: Web, names: Zone) -> None:
    await sts.of("far.test")
    web.pages[URL] = Page(200, "text/plain", POLICY.replace(b"enforce", b"testing"))
    announce(names, "2")
    found = await sts.of("far.test")
    assert found is not None and (found.id, found.mode) == ("2", "testing")


@pytest.mark.parametrize("silence", ["absent", "servfail", "other"])
async def test_a_record_that_is_gone_takes_no_policy_back(sts: Sts, names: Zone, silence: str) -> None:
    found = await sts.of("far.test")
    announce(names, None)
    if silence == "servfail":
        names.faults["_mta-sts.far.test"] = "servfail"
    elif silence == "other":
        names.add("_mta-sts.far.test", "TXT", '"v=STSv1; id=1;"', '"v=STSv1; id=2;"')
    assert await sts.of("far.test") == found


BROKEN = [
    (FetchFailed("timed out"), "sts-policy-fetch-error"),
    (FetchFailed("a bad certificate", certificate=True), "sts-webpki-invalid"),
    (Page(404, "text/plain", POLICY), "sts-policy-fetch-error"),
    (Page(301, "text/plain", POLICY), "sts-policy-fetch-error"),
    (Page(200, "text/html", POLICY), "sts-policy-invalid"),
    (Page(200, "", POLICY), "sts-policy-invalid"),
    (Page(200, "text/plain", b"nonsense"), "sts-policy-invalid"),
]


@pytest.mark.parametrize(("page", "result"), BROKEN)
async def test_a_policy_that_cannot_be_had_is_a_fault_unless_one_is_kept(
    names: Zone, web: Web, store: Store, page: Page | FetchFailed, result: str
) -> None:
    sts, good = make(names, web, store), web.pages[URL]
    web.pages[URL] = page
    with pytest.raises(StsFault) as caught:
        await sts.of("far.test")
    assert caught.value.result == result
    web.pages[URL] = good
    found = await make(names, web, store).of("far.test")
    web.pages[URL] = page
    announce(names, "2")
    assert await make(names, web, store).of("far.test") == found


async def test_a_policy_host_that_failed_is_left_in_peace_for_a_while(
    sts: Sts, web: Web, names: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = web.pages.pop(URL)
    for _ in range(3):
        with pytest.raises(StsFault):
            await sts.of("far.test")
    assert len(web.asked) == 1
    web.pages[URL] = good
    announce(names, "2")  # but a new policy is a new chance
    found = await sts.of("far.test")
    assert found is not None and found.id == "2"
    del web.pages[URL]
    announce(names, "3")
    assert await sts.of("far.test") == found
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: time.monotonic() + sts_module.PAUSE + 1)
    web.pages[URL] = good
    found = await sts.of("far.test")
    assert found is not None and found.id == "3"


async def test_a_look_up_that_fails_is_not_an_answer(sts: Sts, names: Zone, web: Web) -> None:
    names.faults["_mta-sts.far.test"] = "servfail"
    with pytest.raises(StsFault) as caught:
        await sts.of("far.test")
    assert caught.value.result == ""
    assert web.asked == []


async def test_those_who_wait_for_the_same_policy_share_one_fetch(sts: Sts, web: Web) -> None:
    web.gate.clear()
    waiting = [asyncio.ensure_future(sts.of("far.test")) for _ in range(20)]
    while not web.asked:
        await asyncio.sleep(0)
    gone = waiting.pop()
    gone.cancel()
    web.gate.set()
    assert len(set(await asyncio.gather(*waiting))) == 1
    assert len(web.asked) == 1


# --- how long it is believed ------------------------------------------------------------------------------------------


async def backdate(store: Store, seconds: int) -> StsPolicy:
    """Let so much time pass for the policy that is kept."""
    policy = store.tls.policy("far.test")
    assert policy is not None
    older = dataclasses.replace(policy, fetched=policy.fetched - seconds)
    await store.tls.keep("far.test", older)
    return older


async def test_an_expired_policy_is_no_policy(sts: Sts, web: Web, names: Zone, store: Store) -> None:
    await sts.of("far.test")
    await backdate(store, 604801)
    announce(names, None)
    assert await sts.of("far.test") is None
    announce(names, "1")
    del web.pages[URL]
    with pytest.raises(StsFault):
        await sts.of("far.test")


async def test_an_expired_policy_is_fetched_again_though_its_id_is_the_same(sts: Sts, web: Web, store: Store) -> None:
    await sts.of("far.test")
    await backdate(store, 604801)
    found = await sts.of("far.test")
    assert found is not None and found.valid(time.time())
    assert len(web.asked) == 2


async def test_a_policy_is_renewed_long_before_it_expires(sts: Sts, web: Web, store: Store) -> None:
    await sts.of("far.test")
    await sts.renew()
    assert len(web.asked) == 1
    old = await backdate(store, DAY + 1)
    await sts.renew()
    renewed = store.tls.policy("far.test")
    assert renewed is not None and renewed.fetched > old.fetched
    assert len(web.asked) == 2


async def test_a_renewal_that_fails_keeps_the_policy_and_is_not_repeated_at_once(
    sts: Sts, web: Web, names: Zone, store: Store
) -> None:
    await sts.of("far.test")
    old = await backdate(store, 2 * DAY)
    del web.pages[URL]
    await sts.renew()
    await sts.renew()
    assert store.tls.policy("far.test") == old
    assert len(web.asked) == 2
    assert await sts.of("far.test") == old


async def test_what_nobody_sends_by_is_not_renewed(sts: Sts, web: Web, store: Store) -> None:
    await store.tls.keep(
        "far.test", StsPolicy("1", "enforce", ("mx.far.test",), 31_557_600, int(time.time()) - 40 * DAY)
    )
    await sts.renew()
    assert web.asked == []
    await store.tls.count({}, ["far.test"], int(time.time()))
    await sts.renew()
    assert len(web.asked) == 1


async def test_policies_are_bounded_and_the_expired_go_first(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_module, "POLICIES", 3)
    now = int(time.time())
    for name, max_age, age in (
        ("expired", 1, 9),
        ("old", 999, 8),
        ("new", 999, 1),
        ("newer", 999, 0),
        ("newest", 999, 0),
    ):
        await store.tls.keep(f"{name}.test", StsPolicy("1", "enforce", ("mx.test",), max_age, now - age))
    kept = [name for name in ("expired", "old", "new", "newer", "newest") if store.tls.policy(f"{name}.test")]
    assert kept == ["new", "newer", "newest"]


async def test_a_store_that_cannot_be_written_is_no_reason_to_forget_the_policy(
    sts: Sts, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.commits.fail("the disk is gone")
    found = await sts.of("far.test")
    assert found is not None and found.mode == "enforce"
