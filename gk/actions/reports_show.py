"""reports_show: one report others sent, whole."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.reports_list import summary
from gk.mailauth.aggregate import Aggregate
from gk.mailauth.report_box import ReportBox

ROWS = 1000  # of one report that are shown


@dataclass(frozen=True, slots=True)
class Input:
    id: int


@dataclass(frozen=True, slots=True)
class Output:
    summary: dict[str, Any]
    report: dict[str, Any]


@action("reports_show", scope="admin")
async def reports_show(context: Context, input: Input) -> Output:
    """Show one report by the id that reports_list gives.

    A DMARC report (RFC 9990) has the policy its sender found and a row for each source with the number of messages,
    what was done to them, and what SPF and DKIM said; 1,000 rows at most, `dropped` counts the others. A TLS report
    (RFC 8460) has the sessions of each policy and why some failed. All texts are the reporter's, 253 printable
    characters of each.
    """
    found = await ReportBox(context.store, context.directory, context.names.reports).one(input.id)
    shown = found
    if isinstance(found, Aggregate) and len(found.rows) > ROWS:
        shown = replace(found, rows=found.rows[:ROWS], dropped=found.dropped + len(found.rows) - ROWS)
    return Output({"id": input.id} | summary(found), asdict(shown))
