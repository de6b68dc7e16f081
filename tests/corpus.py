"""Where the corpus of real mail and public vectors lies; tests that need it skip with a reason when it is absent."""

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parent.parent.parent / "shared" / "corpus"


def corpus_path(*parts: str) -> Path:
    """The path of one corpus folder or file; skips the calling test when there is no corpus.

    `$GK_CORPUS` names the folder, else the one beside the checkout is taken.
    """
    root = Path(os.environ.get("GK_CORPUS", _BESIDE))
    path = root.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no corpus at $GK_CORPUS or beside the checkout ({'/'.join(parts)} is missing)")
    return path
