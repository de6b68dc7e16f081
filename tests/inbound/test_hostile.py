"""Whatever strangers send and publish, judging it ends with a verdict, within bounds."""

import asyncio
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.inbound.verdict import FINDINGS, UNJUDGED
from gk.mailauth.questions import MOST
from gk.mailauth.results import LENGTH
from gk.mailauth.verifying import Verifying
from tests.inbound.test_judge import judged, verifying
from tests.mailauth.fuzzing import examples
from tests.mailauth.hostile import Hostile, attempts
from tests.mailauth.table import Table

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


WORDS = [
    b"From: ", b"from :", b"\r\n", b"\r\n ", b"\r\n\r\n", b"<", b">", b"@", b",", b";", b":", b'"', b"\\", b"(", b")",
    b"[", b"]", b"ann@a.test", b"=?utf-8?q?ann=40a.test?=", b"=?x?b?AA==?=", b"\x00", b"\xff", "\uff20\u3002".encode(),
    b"a" * 70, b".", b"DKIM-Signature: v=1; a=rsa-sha256; d=a.test; s=s; h=from; bh=AA==; b=AA==\r\n",
    b"ARC-Seal: i=1; cv=none; d=a.test\r\n", b"ARC-Message-Signature: i=1; ", b"i=", b"d=", b"h=", b"b=",
    b"ARC-Authentication-Results: i=1; dmarc=pass\r\n",
]  # fmt: skip
RECORDS = [
    b"v=spf1 ", b"v=DMARC1; p=reject; ", b"v=DKIM1; p=", b"include:a.test ", b"redirect=b.test ", b"exists:%{l}.%{d} ",
    b"-all", b"mx ", b"a:%{z} ", b"psd=y; ", b"np=", b"rua=mailto:x@y, ", b"\xff", b"AAAA", b"k=ed25519; ",
]  # fmt: skip


@examples
@given(
    st.lists(st.sampled_from(WORDS) | st.binary(max_size=5), max_size=25).map(b"".join),
    st.lists(st.sampled_from(RECORDS), max_size=8).map(b"".join),
    st.sampled_from(["ann@a.test", '"; arc=pass"@b.test', "x@sub.a.test"]),
)
def test_any_message_and_any_records_end_in_a_verdict(message: bytes, record: bytes, sender: str) -> None:
    names = Table()
    for name in ("a.test", "_dmarc.a.test", "b.test", "s._domainkey.a.test", "_dmarc.test"):
        names.txt(name, record)
    verdict = asyncio.run(judged(names, Verifying(), message, sender=sender))
    assert verdict is not UNJUDGED
    assert (
        verdict.fields.startswith(b"Authentication-Results: mail.test;\r\n") and verdict.fields.count(b"\r\n\r\n") == 0
    )
