"""Nothing the queue holds begins another command, names another recipient or adds a parameter (RFC 5321 §4.1.1)."""

import dataclasses
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.message.address import AddressError, parse_address, parse_path, split_path
from gk.message.compose import ComposeError, message_id
from gk.outbound import commands
from gk.smtp import extensions
from gk.store.queued import Claim, ClaimedRecipient
from tests.message.fuzz import examples
from tests.outbound.conftest import Post

CLAIM = Claim(1, 1, 1, 1, "alice@example.test", None, None, 0.0, "far.test", ())
ALL = ("size", "dsn", "smtputf8", "8bitmime", "requiretls")


def claim(**changes: Any) -> Claim:
    return dataclasses.replace(CLAIM, **changes)


def rcpt(notify: str | None, orcpt: str | None, offers: tuple[str, ...] = ALL) -> str:
    recipient = ClaimedRecipient(0, "zoe@far.test", notify, orcpt, 0, None)
    return commands.rcpt(recipient, "zoe@far.test", offers).decode()


@pytest.mark.parametrize(
    ("address", "ascii_", "utf8"),
    [
        ("zoe@far.test", "zoe@far.test", "zoe@far.test"),
        ("", "", ""),
        ('"a b"@far.test', '"a b"@far.test', '"a b"@far.test'),
        ("zoe@[192.0.2.1]", "zoe@[192.0.2.1]", "zoe@[192.0.2.1]"),
        ("zoe@bücher.test", "zoe@xn--bcher-kva.test", "zoe@bücher.test"),
        ("zoë@far.test", None, "zoë@far.test"),
        ("zoe@far.test> SIZE=1", None, None),
        ("zoe@far.test\r\nDATA", None, None),
        ("<zoe@far.test>", None, None),
        ("@far.test:zoe@near.test", None, None),
        ("zoe", None, None),
        ('"a\r\nb"@far.test', None, None),
        ("zoe@\ud800.test", None, None),
    ],
)
def test_an_address_is_spelled_as_the_server_takes_it(address: str, ascii_: str | None, utf8: str | None) -> None:
    assert (commands.spelled(address, False), commands.spelled(address, True)) == (ascii_, utf8)


def test_parameters_go_where_they_are_offered() -> None:
    asked = claim(envid="QQ+2B1", ret="HDRS", requiretls=1)
    line = commands.mail(asked, "alice@example.test", ALL, 7, eight=True, international=True).decode()
    assert line == "MAIL FROM:<alice@example.test> SIZE=7 BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=HDRS ENVID=QQ+2B1"
    assert commands.mail(claim(envid="QQ", ret="FULL"), "", (), 7, eight=False, international=False) == b"MAIL FROM:<>"
    assert rcpt("SUCCESS,DELAY", "rfc822;z+2Be@b.test") == (
        "RCPT TO:<zoe@far.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;z+2Be@b.test"
    )
    assert rcpt("NEVER", "rfc822;z@b.test", ()) == "RCPT TO:<zoe@far.test>"


def test_an_original_recipient_beyond_ascii_is_written_for_a_server_of_ascii() -> None:
    assert rcpt(None, "utf-8;zoë@b.test") == "RCPT TO:<zoe@far.test> ORCPT=utf-8;zoë@b.test"
    assert rcpt(None, "utf-8;zoë@b.test", ("dsn",)) == "RCPT TO:<zoe@far.test> ORCPT=utf-8;zo\\x{EB}@b.test"


@pytest.mark.parametrize(
    ("notify", "orcpt"),
    [("NEVER,SUCCESS", None), ("SUCCESS NOTIFY=NEVER", None), ("", None), ("never\r\nDATA", None), (None, "rfc822"),
     (None, "rfc822;a b"), (None, "rfc822;a\r\nRSET"), (None, "rfc822;+0D+0A"), (None, "utf-8;é b"), (None, ";a")],
)  # fmt: skip
def test_a_parameter_against_its_grammar_is_left_out(notify: str | None, orcpt: str | None) -> None:
    assert rcpt(notify, orcpt) == "RCPT TO:<zoe@far.test>"


_BITS = st.sampled_from(
    ["\r\n", "\n", "\r", "\0", " ", "<", ">", '"', "\\", "@", "@far.test", "zoe", ";", "=", "+0D", "+0A", "+2B",
     "rfc822;", "utf-8;", "é", "\x85", "\u2028", "\ud800", "\x7f", "NEVER", "SUCCESS", ",", " SIZE=9", ".",
     "\r\nRCPT TO:<eve@x.test>"]
)  # fmt: skip
_TEXTS = st.lists(_BITS | st.text(max_size=3), max_size=6).map("".join)
_ADDRESSES = _TEXTS | _TEXTS.map(lambda text: f"{text}@far.test") | _TEXTS.map(lambda text: f'"{text}"@far.test')
_OFFERS = st.sets(st.sampled_from(ALL)).map(tuple)
_LINE = re.compile(rb"[^\x00-\x1f\x7f]{1,4096}")


@examples
@given(_ADDRESSES, _TEXTS, _TEXTS, st.booleans(), st.integers(-1, 1), _OFFERS)
def test_mail_is_one_command_with_one_sender(
    address: str, envid: str, ret: str, eight: bool, requiretls: int, offers: tuple[str, ...]
) -> None:
    sender = commands.spelled(address, "smtputf8" in offers)
    if sender is None:
        return
    asked = claim(sender=address, envid=envid, ret=ret, requiretls=requiretls)
    line = commands.mail(asked, sender, offers, 9, eight=eight, international="smtputf8" in offers)
    assert _LINE.fullmatch(line) and line.startswith(b"MAIL FROM:<")
    path, rest = split_path(line.removeprefix(b"MAIL FROM:"))
    found = parse_path(path, null=True, utf8=True)
    assert (str(found) if found else "") == sender
    options = extensions.mail_options(rest.decode(), auth=False, secure=True)
    assert options.envid in (None, envid) and options.ret in (None, ret)
    assert options.requiretls == (requiretls > 0)
    assert {word.partition("=")[0] for word in rest.decode().split()} <= {
        "SIZE", "BODY", "SMTPUTF8", "REQUIRETLS", "RET", "ENVID",
    }  # fmt: skip


@examples
@given(_ADDRESSES, _TEXTS, _TEXTS, _OFFERS)
def test_rcpt_is_one_command_with_one_recipient(address: str, notify: str, orcpt: str, offers: tuple[str, ...]) -> None:
    to = commands.spelled(address, "smtputf8" in offers)
    if not to:
        return
    line = commands.rcpt(ClaimedRecipient(0, address, notify, orcpt, 0, None), to, offers)
    assert _LINE.fullmatch(line) and line.startswith(b"RCPT TO:<")
    path, rest = split_path(line.removeprefix(b"RCPT TO:"))
    assert str(parse_path(path, utf8=True)) == to == str(parse_address(to))
    assert {word.partition("=")[0] for word in rest.decode().split()} <= {"NOTIFY", "ORCPT"}
    options = extensions.rcpt_options(rest.decode())
    assert options.notify in (None, notify)
    assert options.orcpt in (None, orcpt) or not orcpt.isascii()


@examples
@given(_TEXTS)
def test_a_message_id_is_one_word_or_none_at_all(domain: str) -> None:
    try:
        made = message_id(domain)
    except ComposeError:
        return
    assert re.fullmatch(rb"<[0-9a-f]{32}@[!-;=?-~]{1,255}>", made)


@examples
@given(_ADDRESSES)
def test_what_an_address_is_written_as_is_read_as_the_same(text: str) -> None:
    try:
        address = parse_address(text)
    except AddressError:
        return
    assert parse_address(str(address)) == address
    assert not re.search(r"[\x00-\x1f\x7f]", str(address))


async def test_who_is_no_address_is_refused_and_the_others_get_their_mail(post: Post) -> None:
    mx = await post.stranger()
    bad, good = await post.deliver("zoe@far.test> SIZE=1 <x@far.test", "zoe@far.test")
    assert (bad.code, bad.text) == (553, "5.1.3 that is no address")
    assert good.accepted and mx.kept[0].rcpt == ["<zoe@far.test>"]
