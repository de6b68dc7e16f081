"""The address mail leaves from: the sender's domain chooses it, and what this machine lacks is nobody else's fault."""

import socket

import pytest

from gk.outbound.source import ANY, NoSource, Source, Sources
from tests.outbound.conftest import Post
from tests.strangers import MxSession

CONFIGURED = {"example.org": ["192.0.2.1", "2001:db8::1"], "münchen.test": ["192.0.2.3"], "*": ["192.0.2.9"]}


@pytest.mark.parametrize(
    ("sender", "source"),
    [
        ("ann@example.org", Source("192.0.2.1", "2001:db8::1")),
        ("Ann@EXAMPLE.org", Source("192.0.2.1", "2001:db8::1")),
        ("ann@xn--mnchen-3ya.test", Source("192.0.2.3")),
        ("ann@sub.example.org", Source("192.0.2.9")),
        ("", Source("192.0.2.9")),
    ],
)
def test_the_senders_domain_chooses(sender: str, source: Source) -> None:
    assert Sources(CONFIGURED).of(sender) == source


def test_without_a_choice_any_address_will_do() -> None:
    assert Sources({"example.org": ["192.0.2.1"]}).of("ann@example.test") == ANY
    assert ANY.serves("192.0.2.1") and ANY.serves("2001:db8::1")


def test_an_address_of_one_family_reaches_that_family_only() -> None:
    assert Source("192.0.2.1").serves("198.51.100.1") and not Source("192.0.2.1").serves("2001:db8::1")
    assert Source(v6="2001:db8::2").serves("2001:db8::1") and not Source(v6="2001:db8::2").serves("198.51.100.1")


def test_an_address_this_machine_does_not_have_is_named() -> None:
    with socket.socket() as sock, pytest.raises(NoSource, match=r"cannot send from 192\.0\.2\.1 \("):
        Source("192.0.2.1").bind(sock)


def test_the_start_says_which_addresses_are_missing(caplog: pytest.LogCaptureFixture) -> None:
    Sources({"a.test": ["192.0.2.1"], "b.test": ["127.0.0.9"], "*": ["127.0.0.8", "2001:db8::1"]}).check()
    said = [record.getMessage() for record in caplog.records]
    assert sorted(line.split()[1] for line in said) == ["address=192.0.2.1", "address=2001:db8::1"]


async def test_mail_leaves_from_its_senders_address_and_sessions_are_not_mixed(post: Post) -> None:
    seen: list[str] = []

    async def note(session: MxSession) -> None:
        seen.append(session.writer.get_extra_info("peername")[0])
        session.writer.write(b"220 ready\r\n")

    mx = await post.stranger({"banner": note})
    post.courier._sources = Sources({"one.test": ["127.0.0.8"], "two.test": ["127.0.0.9"]})
    for sender in ("ann@one.test", "bob@two.test", "cat@one.test", "dan@three.test"):
        (answer,) = await post.deliver(sender=sender)
        assert answer.accepted
    assert seen == ["127.0.0.8", "127.0.0.9", "127.0.0.1"]
    assert mx.sessions == 3


async def test_an_address_this_machine_lost_defers_in_words_and_blames_nobody(post: Post) -> None:
    mx = await post.stranger()
    post.courier._sources = Sources({"one.test": ["192.0.2.1"]})
    (answer,) = await post.deliver(sender="ann@one.test")
    assert answer.code == 0 and answer.own and not answer.permanent
    assert answer.text == "this server cannot send from 192.0.2.1 (Cannot assign requested address)"
    (answer,) = await post.deliver(sender="ann@two.test")
    assert answer.accepted and mx.sessions == 1


async def test_a_server_of_the_other_family_is_not_reached_by_any_address_there_is(post: Post) -> None:
    post.zone.domain("far.test", "::1")
    post.courier._sources = Sources({"one.test": ["127.0.0.8"]})
    (answer,) = await post.deliver(sender="ann@one.test")
    assert answer.code == 0 and answer.own
    assert answer.text == "mail of this sender leaves from 127.0.0.8, and only IPv6 leads there"


async def test_of_both_families_the_one_with_an_address_is_taken(post: Post) -> None:
    post.zone.domain("far.test", "::1", "127.0.0.2")
    await post.mx("127.0.0.2")
    post.courier._sources = Sources({"one.test": ["127.0.0.8"]})
    (answer,) = await post.deliver(sender="ann@one.test")
    assert answer.accepted and answer.remote == "mx1.far.test"
