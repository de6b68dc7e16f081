"""Whatever strangers send and publish, judging it ends with a verdict, within bounds."""

import logging

import pytest

from gk.inbound.verdict import FINDINGS, UNJUDGED
from gk.mailauth.questions import MOST
from gk.mailauth.results import LENGTH
from gk.mailauth.verifying import Verifying
from tests.inbound.test_judge import judged, verifying
from tests.mailauth.hostile import Hostile, attempts

__all__ = ["verifying"]


@pytest.mark.parametrize("attempt", list(attempts()), ids=lambda attempt: attempt.name)
async def test_an_attempt_to_hurt_ends_in_a_verdict(
    verifying: Verifying, attempt: Hostile, caplog: pytest.LogCaptureFixture
) -> None:
    names = attempt.names()
    with caplog.at_level(logging.WARNING):
        verdict = await judged(names, verifying, attempt.message, sender=attempt.sender)
    assert verdict is not UNJUDGED and caplog.records == []
    assert {method: verdict.results[method] for method in attempt.expected} == attempt.expected
    assert len(names.asked) <= MOST and len(verdict.findings) < FINDINGS
    assert len(verdict.fields) <= LENGTH + 100 and all(len(line) < 1000 for line in verdict.fields.split(b"\r\n"))
