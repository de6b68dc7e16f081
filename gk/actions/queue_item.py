"""The input and output of the actions on one queued message."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QueueItem:
    id: int


@dataclass(frozen=True, slots=True)
class Done:
    id: int
