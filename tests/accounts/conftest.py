"""A real store with the accounts alice and bob."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gk.accounts.passwords import Passwords
from gk.bus import Bus
from gk.config import Config, Limits
from gk.store.db import Store

PASSWORD = "demo-password"
ALICE, BOB = "alice@example.test", "bob@example.test"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    config = Config(data=tmp_path / "data", domains=("example.test",), limits=Limits(free_space_bytes=1))
    async with Store.open(config, Bus()) as opened:
        digest = await Passwords().hash(PASSWORD)
        for address in (ALICE, BOB):
            await opened.accounts.add(address, digest)
        yield opened
