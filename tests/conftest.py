"""What all tests share: those of the whole server are left to scripts/test."""

from pathlib import Path

import pytest

WHOLE_SERVER = {"attacks", "flows", "interop", "soak"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the whole server `slow`, so that scripts/check takes a minute."""
    top = Path(__file__).parent
    for item in items:
        if item.path.relative_to(top).parts[0] in WHOLE_SERVER:
            item.add_marker(pytest.mark.slow)
