"""Signatures others verify: what is in them, what they cover, and what breaks them."""

import asyncio
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.mailauth.keys import Keys
from gk.mailauth.signing import LIFE, TIMES, Signer
from gk.mailauth.tags import tags
from tests.corpus import corpus_path
from tests.mailauth import verifiers
from tests.mailauth.conftest import DOMAIN, Clock
from tests.mailauth.fuzzing import examples
from tests.strangers import Zone

HEADER = (
    b"Received: from somewhere\r\nFrom: Ann <ann@example.test>\r\nTo: bob@far.test\r\n"
    b"Subject: caf\xc3\xa9\t and  more\r\n \tfolded \r\nDate: Fri, 20 Nov 2026 12:00:00 +0000\r\n"
    b"Message-ID: <1@example.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
)
MESSAGE = HEADER + b"\r\nHello  Bob, \r\n\r\n\ttabs\t\r\n\r\n\r\n"
WORDS = ["a", "Zoé", "word", " ", "\t", "  ", "\r\n", "\r\n\r\n", ".", "From ", "=20", "\x00"]


@pytest.fixture
def signer(keys: Keys) -> Signer:
    keys.ensure([DOMAIN])
    return Signer(keys)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Keys for properties, whose examples share them."""
    keys = Keys(tmp_path_factory.mktemp("keys"))
    keys.ensure([DOMAIN])
    return keys


def said(fields: bytes) -> list[dict[str, str]]:
    """The tags of each signature."""
    found = fields.decode().split("DKIM-Signature:")[1:]
    return [{k: re.sub(r"\s", "", v) for k, v in tags(text.replace("\r\n", "")).items()} for text in found]


def signed(signer: Signer, message: bytes) -> bytes:
    return signer.sign(DOMAIN, message, len(message)) + message


async def test_two_signatures_say_what_they_cover_and_until_when(keys: Keys, clock: Clock) -> None:
    keys.ensure([DOMAIN])
    fields = await Signer(keys, clock).fields("EXAMPLE.test", MESSAGE, len(MESSAGE))
    rsa, ed25519 = said(fields)
    assert (rsa["a"], rsa["s"]) == ("rsa-sha256", "gk2026a-r")
    assert (ed25519["a"], ed25519["s"]) == ("ed25519-sha256", "gk2026a-e")
    for found in (rsa, ed25519):
        assert (found["v"], found["c"], found["d"]) == ("1", "relaxed/relaxed", DOMAIN)
        assert int(found["x"]) - int(found["t"]) == LIFE and int(found["t"]) == clock()
        assert "l" not in found
        assert found["h"] == (
            "From:From:Subject:Subject:Date:Date:To:To:Cc:Reply-To:Message-ID:Message-ID:"
            "MIME-Version:MIME-Version:Content-Type:Content-Type:Content-Transfer-Encoding"
        )
    assert max(map(len, fields.split(b"\r\n"))) <= 78 and fields.endswith(b"\r\n")


async def test_the_same_message_gets_the_same_fields(keys: Keys, clock: Clock) -> None:
    keys.ensure([DOMAIN])
    first, second = [await Signer(keys, clock).fields(DOMAIN, MESSAGE, len(MESSAGE)) for _ in range(2)]
    assert first == second


def test_list_fields_are_signed_as_often_as_they_occur(signer: Signer) -> None:
    message = b"List-Id: <l.test>\r\nlist-unsubscribe-post: List-Unsubscribe=One-Click\r\n" + MESSAGE
    assert said(signed(signer, message)[: -len(message)])[0]["h"].endswith(":List-Id:List-Unsubscribe-Post")


def test_a_domain_without_keys_is_not_signed_for(signer: Signer) -> None:
    assert signer.signs(DOMAIN) and not signer.signs("other.test") and not signer.signs("*.test")
    assert signer.sign("other.test", MESSAGE, len(MESSAGE)) == b""


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\r\n",
        b"\r\nFrom: in the body\r\n",
        b"Subject: no author\r\n\r\n",
        b"From: a\r\n" + b"To: b\r\n" * (TIMES + 1),
    ],
)
async def test_what_names_no_author_or_too_many_fields_is_not_signed(signer: Signer, message: bytes) -> None:
    assert await signer.fields(DOMAIN, message, len(message)) == b""


@pytest.mark.parametrize(
    "message",
    [
        MESSAGE,
        HEADER + b"\r\n",
        HEADER + b"\r\n\r\n \r\n\t\r\n",
        b"From:ann@example.test\r\n\r\nshort",
        b"From: ann@example.test\r\nTo: a\r\nto: b\r\nTO : c\r\nSubject:\r\n\r\n.\r\n..\r\n",
        HEADER + b"Cc: " + b",\r\n  ".join(b"user%d@far.test" % n for n in range(300)) + b"\r\n\r\nHello\r\n",
        HEADER + b"\r\n" + b"x" * 900_000 + b" \t\r\n" * 50_000 + b"end\r\n",
    ],
    ids=["plain", "empty", "blank", "no-line-end", "repeated", "long-field", "large"],
)
def test_dkimpy_verifies_both_signatures(signer: Signer, keys: Keys, message: bytes) -> None:
    whole = message if message.endswith(b"\r\n") else message + b"\r\n"  # as SMTP ends it
    fields = signer.sign(DOMAIN, message, len(message))
    assert verifiers.dkimpy(fields + whole.replace(b"TO : c", b"TO: c"), verifiers.records(keys, DOMAIN)) == [
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Hello  Bob", b"Hello Rob"),
        (b"caf\xc3\xa9", b"cafe"),
        (b"From: Ann", b"From: eve@evil.test\r\nFrom: Ann"),
        (b"To: bob", b"Cc: eve@evil.test\r\nTo: bob"),
        (b"To: bob", b"Reply-To: eve@evil.test\r\nTo: bob"),
        (b"Subject: ", b"Subject: You won\r\nSubject: "),
        (b"MIME-Version: 1.0\r\n", b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n"),
        (b"Content-Type: text/plain", b"Content-Type: text/html\r\nContent-Type: text/plain"),
        (b"tabs\t\r\n", b"tabs\t\r\n\r\nmore\r\n"),
    ],
)
def test_what_is_changed_or_added_on_the_way_breaks_both(signer: Signer, keys: Keys, old: bytes, new: bytes) -> None:
    whole = signed(signer, MESSAGE)
    changed = whole.replace(old, new, 1)
    assert changed != whole
    assert not any(verifiers.dkimpy(changed, verifiers.records(keys, DOMAIN)))


def test_what_relays_do_to_blanks_breaks_neither(signer: Signer, keys: Keys) -> None:
    whole = signed(signer, MESSAGE).replace(b"Subject: caf", b"SUBJECT:   caf").replace(b"Hello  Bob, ", b"Hello Bob,")
    assert (
        verifiers.dkimpy(b"Received: by a relay\r\n" + whole + b"\r\n\r\n", verifiers.records(keys, DOMAIN))
        == [True] * 2
    )


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Subject", "To", "cc", "Reply-To", "References", "List-Id", "X-Other", "date"]),
            st.text(st.sampled_from("aé \t:;=,<>@\"'.-_"), max_size=30),
        ),
        max_size=12,
    ),
    st.lists(st.sampled_from(WORDS), max_size=40),
)
@examples
def test_dkimpy_verifies_whatever_is_written(lasting: Keys, fields: list[tuple[str, str]], words: list[str]) -> None:
    header = "".join(f"{name}: {value.strip()}\r\n" for name, value in [*fields, ("From", "ann@example.test")])
    message = header.encode() + b"\r\n" + "".join(words).encode() + b"\r\n"
    whole = signed(Signer(lasting), message)
    assert verifiers.dkimpy(whole, verifiers.records(lasting, DOMAIN)) == [True, True]


@given(st.binary(max_size=400), st.booleans())
@examples
def test_any_bytes_are_signed_or_not_but_never_an_error(lasting: Keys, raw: bytes, authored: bool) -> None:
    message = b"From: ann@example.test\r\n" * authored + raw
    fields = Signer(lasting).sign(DOMAIN, message, len(message))
    assert fields == b"" or fields.count(b"DKIM-Signature:") == 2


def corpus() -> list[bytes]:
    """Real mail as it would be submitted: with CRLF and an author, and headers every verifier takes for such."""
    found = []
    for path in sorted(corpus_path("mime").rglob("*")):
        if not path.is_file() or path.suffix in (".json", ".ref") or path.stat().st_size > 1 << 20:
            continue
        raw = re.sub(rb"\r\n|\r|\n", b"\r\n", path.read_bytes()).lstrip(b"\r\n")
        header, _, rest = raw.partition(b"\r\n\r\n")
        lines = re.split(rb"\r\n(?![ \t])", header)
        known = [line for line in lines if re.match(rb"(?!DKIM-Signature)[!-9;-~]+:", line) and line.strip()]
        if not any(line.lower().startswith(b"from:") for line in known):
            known.append(b"From: ann@example.test")
        found.append(b"\r\n".join(known) + b"\r\n\r\n" + rest.rstrip(b"\0") + b"\r\n")
    return found


def test_dkimpy_verifies_real_mail(signer: Signer, keys: Keys) -> None:
    messages = corpus()
    published = verifiers.records(keys, DOMAIN)
    assert len(messages) > 60
    assert [verifiers.dkimpy(signed(signer, message), published) for message in messages] == [[True, True]] * len(
        messages
    )


@pytest.mark.peer
def test_opendkim_verifies_real_mail(signer: Signer, keys: Keys, tmp_path: Path) -> None:
    """All but what it does not take for mail, or cannot read from a file: From without an address, NUL."""
    authored = re.compile(rb"^From:[^\r]*\w@\w", re.MULTILINE | re.IGNORECASE)
    real = [m for m in corpus() if b"\0" not in m and authored.search(m.partition(b"\r\n\r\n")[0])]
    assert len(real) > 60
    messages = [signed(signer, message) for message in (*real, MESSAGE, HEADER + b"\r\n", HEADER + b"\r\n\r\n \r\n")]
    found = verifiers.opendkim(messages, verifiers.records(keys, DOMAIN), tmp_path)
    assert [at for at, results in enumerate(found) if results != ["rsa-sha256=pass", "ed25519-sha256=pass"]] == []
    broken = signed(signer, MESSAGE).replace(b"Hello", b"Jello")
    (results,) = verifiers.opendkim([broken], verifiers.records(keys, DOMAIN), tmp_path)
    assert results == ["rsa-sha256=fail", "ed25519-sha256=fail"]


@pytest.mark.peer
async def test_mail_dkim_verifies_real_mail(signer: Signer, keys: Keys, dns: Zone, tmp_path: Path) -> None:
    for name, text in verifiers.records(keys, DOMAIN).items():
        dns.add(name, "TXT", " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255)))
    messages = [
        signed(signer, message) for message in (*corpus(), MESSAGE, HEADER + b"\r\n", HEADER + b"\r\n\r\n \r\n")
    ]
    messages.append(signed(signer, MESSAGE).replace(b"Hello", b"Jello"))
    found = await asyncio.to_thread(verifiers.mail_dkim, messages, dns.port, tmp_path)
    rsa = [next(text for text in results if text.startswith("rsa")) for results in found]
    assert rsa == ["rsa-sha256=pass"] * (len(messages) - 1) + ["rsa-sha256=fail"]


def test_both_signatures_of_a_message_of_two_kilobytes_cost_a_millisecond_at_most(signer: Signer) -> None:
    message = HEADER + b"\r\n" + b"Some words of a usual mail, wrapped at about seventy characters.\r\n" * 26
    assert 1_900 < len(message) < 2_100
    best = 1.0
    for _ in range(5):
        before = time.process_time()
        for _ in range(20):
            signer.sign(DOMAIN, message, len(message))
        best = min(best, (time.process_time() - before) / 20)
    assert best <= 0.001
