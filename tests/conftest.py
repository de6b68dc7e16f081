"""What all tests share: those of the whole server, and those that take their time, are left to scripts/test."""

from pathlib import Path

import pytest

WHOLE_SERVER = {"attacks", "flows", "interop", "soak"}
LONG = {
    "cli/test_ai.py",
    "cli/test_dns.py",  # programs that are started, one after the other
    "cli/test_verbs.py",
    "transfer/test_verbs.py",
    "imap/test_stress.py",
    "message/test_bombs.py",
    "outbound/test_transport.py",  # servers that make others wait
    "smtp/test_slow.py",
    "store/search/test_find.py",
    "store/search/test_indexer.py",
    "store/test_crash.py",  # processes that are killed
    "store/test_directory.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them `slow`, so that scripts/check takes a minute."""
    top = Path(__file__).parent
    for item in items:
        path = item.path.relative_to(top)
        if path.parts[0] in WHOLE_SERVER or path.as_posix() in LONG:
            item.add_marker(pytest.mark.slow)
