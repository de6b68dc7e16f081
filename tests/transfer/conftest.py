"""A place of its own for each test, where verbs run without a server."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    home = tmp_path / "site"
    home.mkdir()
    made = Site(home)
    made.add_alice()
    return made


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """Verbs that write files set it for their process, which here is the tests'."""
    before = os.umask(0o022)
    yield
    os.umask(before)
