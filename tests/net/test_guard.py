"""The way to ourselves and to our neighbours is closed, however it is spelled."""

import ipaddress
import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gk.net.guard import FetchFailed, find, is_public

FUZZ = 10_000 if os.environ.get("GK_FUZZ") else 300

FORMS = [
    "http://far.test/",
    "ftp://far.test/",
    "file:///etc/passwd",
    "gopher://far.test/",
    "//far.test/",
    "https:/far.test/",
    "https:far.test/",
    "https:///far.test/",
    "https://",
    "https:// far.test/",
    " https://far.test/",
    "https://far.test/\r\nX-Evil: 1",
    "https://far.test/\n",
    "https://far.test/\t",
    "https://far.test\\@127.0.0.1/",
    "https://far.test/a b",
    "https://far.test/#fragment",
    "https://user@far.test/",
    "https://user:secret@far.test/",
    "https://far.test@127.0.0.1/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.0.1.:443/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.0x1/",
    "https://0177.0.0.1/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[fe80::1%25eth0]/",
    "https://localhost/",
    "https://localhost:8080/",
    "https://LOCALHOST/",
    "https://127.0.0.1%2f@far.test/",
    "https://far%2etest/",
    "https://far.test:0/",
    "https://far.test:99999/",
    "https://far.test:/",
    "https://far.test:+443/",
    "https://far..test/",
    "https://.far.test/",
    "https://-far.test/",
    "https://far.test./",
    "https://fär.test/",
    "https://" + "x." * 130 + "test/",
    "https://far.test/" + "x" * 2100,
    "",
]

CLOSED = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.170", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::1", "2002:808:808::1", "3fff::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "2606:4700::1%eth0", "fec0::1", "ff02::1", "5f00::1",
    "", "far.test", "1.2.3", "8.8.8.8 ", "0x8.8.8.8",
]  # fmt: skip
OPEN = ["8.8.8.8", "1.1.1.1", "100.128.0.1", "172.32.0.1", "9.9.9.9", "2606:4700::1111", "2a00:1450:4007::1"]


class Names:
    """A resolver that knows one host; it counts its questions."""

    def __init__(self, *addresses: str) -> None:
        self.found, self.asked = list(addresses), 0

    async def mx(self, domain: str) -> list[tuple[int, str]]:
        return []

    async def addresses(self, host: str) -> list[str]:
        self.asked += 1
        return self.found


@pytest.mark.parametrize("url", FORMS)
async def test_a_url_that_is_not_https_to_a_named_host_is_refused_before_any_look_up(url: str) -> None:
    names = Names("8.8.8.8")
    with pytest.raises(FetchFailed):
        await find(url, names)
    assert names.asked == 0


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        ("https://far.test", "far.test", 443, "/"),
        ("https://far.test/", "far.test", 443, "/"),
        ("https://mta-sts.far.test:8443/.well-known/mta-sts.txt", "mta-sts.far.test", 8443, "/.well-known/mta-sts.txt"),
        ("https://_x.xn--bcher-kva.test/a/b;c=d?e=f&g=%20", "_x.xn--bcher-kva.test", 443, "/a/b;c=d?e=f&g=%20"),
    ],
)
async def test_a_url_comes_apart(url: str, host: str, port: int, target: str) -> None:
    place = await find(url, Names("8.8.8.8"))
    assert (place.host, place.port, place.target, place.addresses) == (host, port, target, ("8.8.8.8",))


@pytest.mark.parametrize("address", CLOSED)
async def test_addresses_that_are_not_of_the_internet_are_closed(address: str) -> None:
    assert not is_public(address)
    for beside in ((), ("8.8.8.8",)):  # one among good ones closes the host: it is asked for by name
        with pytest.raises(FetchFailed, match="not of the Internet"):
            await find("https://far.test/", Names(*beside, address))


@pytest.mark.parametrize("address", OPEN)
def test_addresses_of_the_internet_are_open(address: str) -> None:
    assert is_public(address)


async def test_an_address_may_be_allowed_by_name_and_no_other_with_it() -> None:
    assert (await find("https://far.test/", Names("127.0.0.1"), {"127.0.0.1"})).addresses == ("127.0.0.1",)
    with pytest.raises(FetchFailed):
        await find("https://far.test/", Names("127.0.0.2"), {"127.0.0.1"})


async def test_a_host_without_addresses_is_not_there_and_one_with_many_is_tried_at_a_few() -> None:
    with pytest.raises(FetchFailed, match="no address"):
        await find("https://far.test/", Names())
    place = await find("https://far.test/", Names(*(f"8.8.8.{n}" for n in range(50))))
    assert len(place.addresses) == 4


@given(st.one_of(st.text(max_size=60), st.text("htps:/.@[]0127x#?%\\ae-", max_size=40).map(lambda t: "https://" + t)))
@settings(max_examples=FUZZ, deadline=None)
async def test_any_text_is_a_place_or_refused(text: str) -> None:
    try:
        place = await find(text, Names("8.8.8.8"))
    except FetchFailed:
        return
    assert text.startswith(f"https://{place.host}") and "." in place.host and place.target.startswith("/")


def test_no_embedded_form_of_a_closed_address_is_open() -> None:
    chance = random.Random(1)
    private = [ipaddress.IPv4Network(text) for text in ("127.0.0.0/8", "10.0.0.0/8", "169.254.0.0/16")]
    for prefix in ("::ffff:0:0/96", "64:ff9b::/96", "::/96", "2002::/16", "2001::/32"):
        network = ipaddress.IPv6Network(prefix)
        for inner in private:
            four = int(inner[chance.randrange(inner.num_addresses)])
            shift = 80 if prefix == "2002::/16" else 0
            assert not is_public(str(network.network_address + (four << shift)))
