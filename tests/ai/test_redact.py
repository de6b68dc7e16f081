"""What is secret does not leave the machine; what only looks like it stays readable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.ai.redact import redacted

SECRET = {
    "pay with 4111111111111111 please": "pay with [card] please",
    "carte 5500-0000-0000-0004, exp 12/27": "carte [card], exp 12/27",
    "IBAN FR14 2004 1010 0505 0001 3M02 606.": "IBAN [account].",
    "to DE89370400440532013000 today": "to [account] today",
    "password: hunter2": "password: [secret]",
    "Votre mot de passe est : Tr0ub4dor": "Votre mot de passe est : [secret]",
    "api_key=abcd1234efgh": "api_key=[secret]",
    "use sk-proj-abcdefghijklmnop1234": "use [key]",
    "AKIAIOSFODNN7EXAMPLE is it": "[key] is it",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----": "[key]",
}
OPEN = [
    "order 1234567890123456 was sent", "call +33 1 23 45 67 89", "invoice 2026-11-20-000123",
    "the password must be changed", "room FR14", "0000 0000 0000 0000",
]  # fmt: skip


@pytest.mark.parametrize("text", SECRET)
def test_a_secret_is_taken_out(text: str) -> None:
    assert redacted(text) == SECRET[text]


@pytest.mark.parametrize("text", OPEN)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


@given(st.text(max_size=500))
def test_any_text_can_be_read_again(text: str) -> None:
    assert redacted(redacted(text)) == redacted(text)


@pytest.mark.parametrize("piece", ["1 ", "A1", "-----BEGIN PRIVATE KEY "])
def test_a_long_text_that_only_begins_like_secrets_is_read_once(piece: str) -> None:
    assert redacted(piece * 100_000) == piece * 100_000
