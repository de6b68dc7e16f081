"""What leaves is signed for its author's domain, small or large, rewritten for a server of seven bits or not."""

import pytest

from gk.mailauth.keys import Keys
from gk.sieve.rules.value import to_plain
from gk.sieve.rules.wording import parse
from tests.flows.conftest import House, mail
from tests.mailauth.verifiers import dkimpy, records

DOMAIN = "example.test"


def verified(gk: House, message: bytes) -> list[bool]:
    return dkimpy(message, records(Keys(gk.data / "keys"), DOMAIN))


@pytest.mark.parametrize("size", [10, 100_000, 1_000_000])
async def test_both_signatures_hold_at_the_other_side(gk: House, size: int) -> None:
    mx = await gk.stranger("far.test")
    body = "Grüße.\r\n.\r\n \t\r\n" + "x" * 70 + "\r\n"
    await gk.submit(mail(body=body * (size // 80 + 1)), "zoe@far.test")
    (received) = await mx.message()
    assert received.content.startswith(b"DKIM-Signature: ")
    assert verified(gk, received.content) == [True, True]


async def test_a_message_made_seven_bits_is_signed_after_that(gk: House) -> None:
    mx = await gk.stranger("far.test", extensions=("PIPELINING",))
    text = mail(body="Grüße.\r\n", MIME_Version="1.0", Content_Type="text/plain; charset=utf-8")
    await gk.submit(text, "zoe@far.test")
    received = await mx.message()
    assert received.content.isascii() and b"Gr=C3=BC=C3=9Fe." in received.content
    assert verified(gk, received.content) == [True, True]


async def test_what_stays_here_needs_no_signature(gk: House) -> None:
    await gk.submit(mail(), "bob@example.test")
    (message,) = await gk.inbox("bob@example.test")
    assert b"DKIM-Signature" not in message


async def test_what_the_rule_of_a_user_here_hands_on_is_signed_too(gk: House) -> None:
    mx = await gk.stranger("far.test")
    bob = gk.rooms.store.accounts.get("bob@example.test")
    await gk.rooms.store.scripts.set_rules(bob.id, [to_plain(parse("always forward zoe@far.test"))])
    await gk.submit(mail(), "bob@example.test")
    received = await mx.message()
    assert received.mail.startswith("<SRS0=")
    assert received.content.startswith(b"DKIM-Signature: ")
    assert verified(gk, received.content) == [True, True]
