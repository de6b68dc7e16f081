"""Where a triaged mail goes: the routes of gk.toml whose conditions hold, in their order."""

from collections.abc import Sequence
from dataclasses import dataclass

from gk.ai.signals.urgency import FLOORS
from gk.config import TriageRoute


@dataclass(frozen=True, slots=True)
class Known:
    """What routes ask of a mail."""

    category: str
    urgency: str
    sentiment: str
    language: str
    notification: bool
    needs_response: bool


def fitting(known: Known, routes: Sequence[TriageRoute]) -> list[TriageRoute]:
    """The routes whose conditions hold; the first of them that is for a user is what holds for that user."""
    return [route for route in routes if _fits(route, known)]


def _fits(route: TriageRoute, known: Known) -> bool:
    return (
        (not route.categories or known.category in route.categories)
        and FLOORS.get(route.urgency, 0.0) <= FLOORS[known.urgency]
        and route.sentiment in ("", known.sentiment)
        and route.language in ("", known.language)
        and route.notification in ("", "yes" if known.notification else "no")
        and route.needs_response in ("", "yes" if known.needs_response else "no")
    )
