"""The received chain: public vectors, our seals, whose word counts, and chains made to hurt."""

import dkim as dkimpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.mailauth import arc
from gk.mailauth.arc import Arc, Sealer
from gk.mailauth.authentic import Authentic, Sent
from gk.mailauth.iprev import Iprev
from gk.mailauth.letter import Letter
from gk.mailauth.results import header
from gk.mailauth.spf import Spf
from tests.corpus import corpus_path
from tests.mailauth.fuzzing import examples
from tests.mailauth.signed import TEXT, Author
from tests.mailauth.yamlish import documents

PASSED = (
    "Authentication-Results: mail.a.test;\r\n\tspf=pass smtp.mailfrom=x@b.test;\r\n\tdmarc=pass header.from=b.test;"
    "\r\n\tarc=none\r\n"
)


def verified(message: bytes, published: dict[str, bytes]) -> Arc:
    letter = Letter(message, 0, len(message))
    return arc.verify(letter, {name: published.get(name) for name in arc.wanted(letter)})


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory) -> Author:
    return Author(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Author:
    return Author(tmp_path_factory.mktemp("keys"), "list.test")


async def sealed(by: Author, message: bytes, results: str = PASSED) -> bytes:
    return await Sealer(by.keys).seal(by.domain, message, len(message), results.encode()) + message


def test_the_public_vectors_pass() -> None:
    wrong, count = [], 0
    for scenario in documents(corpus_path("arc", "arc-validation-part0.yml").read_text()):
        published = {name.lower(): text.encode() for name, text in (scenario["txt-records"] or {}).items()}
        for name, test in scenario["tests"].items():
            count += 1
            message = test["message"].replace("\r\n", "\n").replace("\n", "\r\n").encode()
            expected = test["cv"].lower() or "fail"  # a chain that ended proves nothing
            if verified(message, published).result != expected:
                wrong.append(name)
    assert wrong == [] and count == 77


async def test_our_seals_hold_for_dkimpy_and_for_us_one_above_the_other(author: Author, other: Author) -> None:
    keys = author.published | other.published
    message = await sealed(author, author.sign())
    for number in (1, 2, 3):
        result, sets, reason = dkimpy.arc_verify(message, dnsfunc=lambda name, timeout=5: keys.get(name.decode()[:-1]))
        assert (result, len(sets), reason) == (b"pass", number, "success")
        found = verified(message, keys)
        assert (found.result, len(found.sealers)) == ("pass", number)
        by = other if number % 2 else author
        message = await sealed(by, b"Subject: [list] hello\r\n" + message, PASSED.replace("arc=none", "arc=pass"))
    assert found.sealers == ("a.test", "list.test", "a.test")


async def test_a_changed_message_breaks_the_chain(author: Author) -> None:
    message = await sealed(author, TEXT)
    assert verified(message.replace(b"Hello.", b"Hallo."), author.published).result == "fail"
    assert verified(message.replace(b"dmarc=pass", b"dmarc=fail"), author.published).result == "fail"
    assert verified(message.replace(b"ARC-Seal", b"ARC-Saal"), author.published).result == "fail"


async def test_no_answer_about_a_key_is_a_temporary_error(author: Author) -> None:
    message = await sealed(author, TEXT)
    assert arc.verify(Letter(message, 0, len(message)), {}).result == "temperror"


async def test_a_broken_chain_is_not_sealed_again(author: Author) -> None:
    message = await sealed(author, TEXT)
    assert await sealed(author, message, PASSED.replace("arc=none", "arc=fail")) == message
    gap = message.replace(b" i=1;", b" i=3;")
    assert await sealed(author, gap, PASSED.replace("arc=none", "arc=pass")) == gap
    assert await Sealer(author.keys).seal("nobody.test", TEXT, len(TEXT), PASSED.encode()) == b""
    assert await sealed(author, TEXT, "") == TEXT  # nobody looked at it


@pytest.mark.parametrize(
    "forged", ["x@b.test; arc=pass", '"; arc=pass"@b.test', "arc=pass@b.test", "b.test;\r\n\tarc=passable"]
)
async def test_a_sender_cannot_say_that_a_broken_chain_is_whole(author: Author, forged: str) -> None:
    message = await sealed(author, TEXT)
    sent = Sent("192.0.2.1", "x.test", forged)
    found = Authentic(Spf("none", ""), (), (), Arc("fail"), Iprev("fail", "192.0.2.1"))
    assert await sealed(author, message, header(found, sent, "mail.a.test").decode()) == message


@pytest.mark.parametrize(
    ("sealers", "reported", "trusted", "expected"),
    [
        (["list.test"], [b"dmarc=pass"], {"list.test"}, "list.test"),
        (["list.test"], [b"dmarc=fail"], {"list.test"}, None),
        (["list.test"], [b"dmarc=pass"], set(), None),
        (["list.test"], [b"spf=pass; dkim=fail"], {"list.test"}, "list.test"),
        (["list.test"], [b"dmarc=fail; spf=pass"], {"list.test"}, None),
        (["list.test"], [b"x=(dmarc=pass) y; spf=fail"], {"list.test"}, None),
        (["list.test", "evil.test"], [b"dmarc=fail", b"dmarc=pass"], {"list.test"}, None),
        (["evil.test", "list.test"], [b"dmarc=pass", b"dmarc=pass"], {"list.test"}, None),
        (["b.test", "list.test"], [b"dmarc=fail", b"dmarc=pass"], {"list.test", "b.test"}, "list.test"),
    ],
)
def test_only_a_trusted_seal_that_saw_the_author_speaks_for_a_message(
    sealers: list[str], reported: list[bytes], trusted: set[str], expected: str | None
) -> None:
    chain = Arc("pass", tuple(sealers), tuple(b"i=1; mail.test; " + text for text in reported))
    assert arc.vouched(chain, trusted) == expected
    assert arc.vouched(Arc("fail", chain.sealers, chain.reported), trusted) is None


@pytest.mark.parametrize(
    "fields",
    [
        b"ARC-Seal: i=1; cv=none; a=rsa-sha256; d=a.test; s=s; b=AA==\r\n" * 1000,
        b"ARC-Seal: i=" + b"9" * 5000 + b"; cv=none\r\n",
        b"ARC-Message-Signature:" + b" " * 8000 + b"i=1\r\n",
        b"ARC-Authentication-Results: i=1;" + b"(" * 7000 + b"\r\n",
        b"ARC-Seal: =\r\nARC-Message-Signature: ;\r\nARC-Authentication-Results: i=1\r\n",
        b"".join(
            b"ARC-Seal: i=%d; cv=pass; a=rsa-sha256; d=a.test; s=s; b=AA==\r\nARC-Authentication-Results: i=%d; x\r\n"
            b"ARC-Message-Signature: i=%d; a=rsa-sha256; d=a.test; s=s; h=from; bh=AA==; b=AA==\r\n" % (n, n, n)
            for n in range(1, 51)
        ),
    ],
)
def test_a_hostile_chain_fails(fields: bytes) -> None:
    assert verified(fields + TEXT, {}).result in ("fail", "none")


@examples
@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"]),
            st.one_of(
                st.binary(max_size=40), st.just(b" i=1; cv=none; a=rsa-sha256; d=a.test; s=s; h=from; bh=AA==; b=AA==")
            ),
        ),
        max_size=6,
    )
)
def test_any_chain_has_a_result(fields: list[tuple[bytes, bytes]]) -> None:
    text = b"".join(name + b":" + value.replace(b"\r", b"").replace(b"\n", b"") + b"\r\n" for name, value in fields)
    assert verified(text + TEXT, {"s._domainkey.a.test": b"v=DKIM1; p=AA=="}).result in ("none", "fail", "temperror")
