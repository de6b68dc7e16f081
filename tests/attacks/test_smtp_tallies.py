"""Errors, unknown recipients and refused logins of an SMTP session: some are free, then each waits, then it ends."""

import asyncio
import time

import pytest

from tests.attacks.conftest import Target
from tests.attacks.wire import smtp


async def until_cut(target: Target, role: str, source: str, first: str, line: str) -> tuple[int, float]:
    """How often the line is answered, and for how long, before the session ends."""
    begun, count = time.monotonic(), 0
    async with smtp(target.server, role, source=source) as client:
        if first:
            assert (await client.say(first)).startswith("250")
        while True:
            reply = await client.say(line.format(count))
            count += 1
            if reply.startswith("421 4.7.0"):
                assert await client.closed()
                return count, time.monotonic() - begun
            assert reply.startswith("5"), reply


@pytest.mark.slow
async def test_errors_are_slowed_down_and_counted_to_the_end(target: Target) -> None:
    mail = "MAIL FROM:<eve@example.org>"
    async with target.attack("sessions of errors"):
        results = await asyncio.gather(
            until_cut(target, "mx", "127.60.0.1", "", "WHAT {}"),
            until_cut(target, "mx", "127.60.0.2", mail, "RCPT TO:<nobody{}@example.test>"),
            until_cut(target, "mx", "127.60.0.3", mail, "RCPT TO:<nobody{}@elsewhere.example>"),
            until_cut(target, "submission", "127.60.0.4", "", "AUTH PLAIN !!!{}"),
            until_cut(target, "submission", "127.60.0.5", "", "MAIL FROM:<alice@example.test>"),
        )
    assert [count for count, _ in results] == [20] * 5
    assert all(spent > 8 for _, spent in results)
