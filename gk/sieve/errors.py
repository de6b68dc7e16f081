"""What can go wrong with a script: before it runs, with a place in its text, and while it runs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a script, both counted from 1; columns count characters."""

    line: int
    column: int


class SieveError(ValueError):
    """The script is not taken; says where and why, in words fit to be shown to who wrote it."""

    def __init__(self, place: Place, reason: str) -> None:
        super().__init__(f"line {place.line}, column {place.column}: {reason}")
        self.place, self.reason = place, reason


class RunError(Exception):
    """The script failed while it ran (RFC 5228 §2.10.6); the words are for who wrote it."""
