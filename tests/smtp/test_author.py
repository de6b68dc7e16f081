"""The header of a user's message, for any header."""

from hypothesis import given
from hypothesis import strategies as st

from gk.inbound.trace import split
from gk.message.address import Address
from gk.message.header import fields
from gk.smtp import author
from gk.smtp.reply import Refusal
from tests.accounts.fuzzing import examples

OWN = Address("alice", "example.test")
tokens = st.lists(
    st.sampled_from(
        [
            b"From",
            b"Bcc",
            b"Sender",
            b"Date",
            b"Message-ID",
            b":",
            b" ",
            b"\t",
            b"\r\n",
            b"alice@example.test",
            b"x@y",
            b"<",
        ]
    ),
    max_size=25,
).map(b"".join)


def owns(address: Address) -> bool:
    return address.key == OWN.key


@examples
@given(tokens | st.binary(max_size=100))
def test_what_leaves_has_one_author_and_no_blind_copy_or_is_refused(raw: bytes) -> None:
    header, _ = split(raw + b"\r\n")
    try:
        complete = author.complete(header, OWN, "mail.example.test", owns)
    except Refusal as refusal:
        assert str(refusal)[:2] == "55"
        return
    found: dict[bytes, list[bytes]] = {}
    for name, start, end in fields(complete, 0, len(complete)):
        found.setdefault(name, []).append(complete[start:end])
    assert len(found[b"from"]) == 1
    assert b"alice@example.test" in found[b"from"][0]
    assert found[b"date"]
    assert found[b"message-id"]
    assert b"bcc" not in found
