"""Programs a test needs beside GK: absent, the test is skipped with the reason; in CI it fails."""

import os
import shutil

import pytest


def need(program: str, package: str | None = None) -> str:
    """The path of a program, or the end of the test."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        reason = f"{program} is not installed (apt-get install {package or program})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path
