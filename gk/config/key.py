"""How a key of a table is declared: its default, its documentation, its least value."""

from dataclasses import field
from typing import Any


def key(default: Any, doc: str, least: int = 1) -> Any:
    """A configuration key: its default, the sentence that documents it, and the least a number may be."""
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata={"doc": doc})
    return field(default=default, metadata={"doc": doc, "least": least})
