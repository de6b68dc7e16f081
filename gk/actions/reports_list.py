"""reports_list: the reports others sent about mail in our name."""

import time
from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action
from gk.mailauth.aggregate import Aggregate
from gk.mailauth.report_box import ReportBox
from gk.mailauth.reports import Report
from gk.mailauth.unpacked import ReportError


@dataclass(frozen=True, slots=True)
class Input:
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    reports: list[dict[str, Any]]
    damaged: int


@action("reports_list", scope="admin")
async def reports_list(context: Context, input: Input) -> Output:
    """List the DMARC and TLS reports in the mailbox of `reports.address`, newest first, about all domains or one.

    A row has the id that reports_show takes, the kind (dmarc or tls), who reports, the domains it is about, the time it
    covers, and how much passed and failed: messages for DMARC, sessions for TLS. The newest 500 messages of the
    mailbox are looked at; `damaged` counts reports that cannot be read.
    """
    rows: list[dict[str, Any]] = []
    damaged = 0
    async for uid, found in ReportBox(context.store, context.directory, context.names.reports).newest():
        if isinstance(found, ReportError):
            damaged += 1
            continue
        row = {"id": uid} | summary(found)
        if not input.domain or input.domain.lower() in row["domains"]:
            rows.append(row)
    return Output(rows, damaged)


def summary(report: Report) -> dict[str, Any]:
    """A report in one row; times as RFC 3339 writes them."""
    if isinstance(report, Aggregate):
        passed = sum(row.messages for row in report.rows if row.passed)
        failed = sum(row.messages for row in report.rows) - passed
        begin, end, domains = _time(report.begin), _time(report.end), [report.published.domain.lower()]
    else:
        passed = sum(policy.successes for policy in report.policies)
        failed = sum(policy.failures for policy in report.policies)
        begin, end = report.begin, report.end
        domains = sorted({policy.domain.lower() for policy in report.policies if policy.domain})
    kind = "dmarc" if isinstance(report, Aggregate) else "tls"
    return {
        "kind": kind, "from": report.organisation, "domains": domains, "begin": begin, "end": end,
        "passed": passed, "failed": failed,
    }  # fmt: skip


def _time(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(min(seconds, 253_402_300_799)))
