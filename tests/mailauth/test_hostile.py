"""Whatever strangers publish, a look at the DNS ends with findings that fit on a screen."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.mailauth.asking import SHOWN
from gk.mailauth.check import check
from gk.mailauth.keys import Keys
from gk.mailauth.records import Offer, Own
from gk.net.dns import DnsFailed, NoSuchName
from tests.mailauth.conftest import DOMAIN
from tests.mailauth.fuzzing import examples

WORDS = [
    "v=spf1", "v=DMARC1", "v=DKIM1", "v=TLSRPTv1", "v=STSv1", " ", ";", "=", "p=", "p=none", "k=rsa", "all", "-all",
    "include:a.test", "redirect=b.test", "redirect=", "a:%{i}", "mx/33", "a//999", "ip4:1.2.3.4/99",
    "ip6:::", "ip4:2001::", "exists:", "ptr", "\x00", "é", "x" * 300,
]  # fmt: skip
TEXT = st.lists(st.sampled_from(WORDS), max_size=12).map("".join) | st.text(max_size=40)
NAME = st.sampled_from(["mail.example.test.", ".", "", "a" * 300, "é.test.", "0 0 0 .", "0 1 993 mail.example.test."])


class Rumours:
    """A DNS that says anything to any question."""

    def __init__(self, texts: list[str], names: list[str], chance: random.Random) -> None:
        self.texts_, self.names, self.chance = texts, names, chance

    def rumour(self, what: list[str]) -> list[str]:
        if self.chance.random() < 0.1:
            raise self.chance.choice([NoSuchName, DnsFailed])
        return [self.chance.choice(what) for _ in range(self.chance.randrange(3))] if what else []

    async def mx(self, domain: str) -> list[tuple[int, str]]:
        return [(10, name) for name in self.rumour(self.names)]

    async def addresses(self, host: str) -> list[str]:
        return self.rumour(["8.7.6.5", "127.0.0.1", "::1", "::ffff:1.2.3.4"])

    async def texts(self, name: str) -> list[bytes]:
        return [text.encode("utf-8", "surrogatepass") for text in self.rumour(self.texts_)]

    async def records(self, name: str, kind: str) -> list[str]:
        return await self.addresses(name) if kind == "A" else self.rumour(self.names)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    keys = Keys(tmp_path_factory.mktemp("keys"))
    keys.ensure([DOMAIN])
    return keys


@given(st.lists(TEXT, max_size=6), st.lists(NAME, max_size=6), st.integers(0, 1 << 30))
@examples
def test_any_rumour_ends_in_findings(lasting: Keys, texts: list[str], names: list[str], number: int) -> None:
    rumours = Rumours(texts, names, random.Random(number))
    offer = Offer("mail.example.test", imaps=993, https=443)
    for own in ([Own("8.7.6.5", True), Own("2606:4700::1", False)], []):
        found = asyncio.run(check({DOMAIN: lasting.pairs(DOMAIN)}, offer, own, rumours))
        assert found
        assert all(len(text) <= SHOWN + 1 for item in found for text in item.found)
        assert all(bool(item.fix) == (item.status != "ok") and len(item.fix) < 1500 for item in found)
