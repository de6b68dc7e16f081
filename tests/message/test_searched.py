"""The text of a message that a search sees (RFC 3501 section 6.4.4), in pieces."""

import base64
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.message.charset import decode, decoder
from gk.message.scan import scan
from gk.message.searched import PIECE, plain, searchable, texts
from gk.message.text import fold
from tests.message.fuzz import examples
from tests.message.messages import eml, mime


def test_a_search_sees_decoded_headers_and_texts() -> None:
    raw = eml("alternative")
    part = scan(raw)
    header = searchable(raw, part, body=False, header=True, limit=10_000)
    assert "Subject: Réunion de mardi" in header and "Zoë" in header
    assert "Bonjour" not in header
    body = searchable(raw, part, body=True, header=False, limit=10_000)
    assert "Bonjour à tous,\nla réunion est mardi." in body
    assert "Bonjour à tous, la réunion est mardi." in body
    assert "<b>réunion</b>" in body
    assert "Réunion de mardi" not in body
    assert "preamble" not in body


def test_a_search_sees_messages_inside_the_message() -> None:
    raw = eml("forwarded")
    body = searchable(raw, scan(raw), body=True, header=False, limit=10_000)
    assert "Subject: the mail inside" in body and "Hidden treasure." in body
    assert "Fwd:" not in body


def test_a_search_never_sees_more_than_its_limit() -> None:
    raw = mime("Subject: x", "", "word " * 10_000)
    assert len(searchable(raw, scan(raw), body=True, header=True, limit=100)) == 100
    assert searchable(raw, scan(raw), body=True, header=True, limit=0) == ""


def test_html_reads_as_its_text() -> None:
    assert (
        "".join(plain(["<p>caf&eacute; <b>bar</b></p><style>p {}</style><script>if (a<b) {}</script>end"]))
        == "café bar end"
    )
    assert "".join(plain(["a < b and c > d"])) == "a < b and c > d"
    assert "".join(plain(["<" * 100_000])) == "<" * 100_000


HTML = (
    "<p>caf&eacute; &amp; <b title='a'>bar</b>\r\n  x</p><STYLE media=print>p {}</style >"
    "<script>if (a<b) { '</p>' }</script>end <!-- note --> of a < b &lt;p&gt; </ the text"
)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 20])
def test_html_reads_the_same_however_it_is_cut(size: int) -> None:
    pieces = [HTML[at : at + size] for at in range(0, len(HTML), size)]
    assert "".join(plain(pieces)) == "".join(plain([HTML]))
    assert "".join(plain([HTML])) == "café & bar x end of a < b <p> </ the text"


@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
@pytest.mark.parametrize("charset", ["utf-8", "iso-2022-jp", "utf-16", "unknown-9"])
def test_a_large_text_is_seen_whole_in_pieces_of_bounded_size(encoding: str, charset: str) -> None:
    text = "".join(f"{number} été 日本語 = é\n" if number % 9 else "x" * 3000 + "\n" for number in range(20_000))
    text = text.replace("é", "e") if charset == "iso-2022-jp" else text
    data = text.encode("utf-8" if charset == "unknown-9" else charset)
    encode = {"8bit": bytes, "base64": base64.encodebytes, "quoted-printable": quopri.encodestring}[encoding]
    head = f"Subject: x\r\nContent-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n"
    raw = head.encode() + b"\r\n" + encode(data)
    pieces = list(texts(raw, scan(raw), body=True, header=False))
    assert "".join(pieces) == text + "\n"
    assert max(map(len, pieces)) <= 2 * PIECE


def test_a_line_longer_than_a_piece_is_seen_whole() -> None:
    raw = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=C3=A9" * 100_000
    assert searchable(raw, scan(raw), body=True, header=False, limit=1 << 20) == "é" * 100_000 + "\n"


@examples
@given(st.binary(max_size=200), st.sampled_from([b"utf-8", b"iso-2022-jp", b"utf-7", b"utf-16", b"hz", b"gbk", None]))
def test_any_bytes_decode_piece_by_piece_and_never_raise(data: bytes, charset: bytes | None) -> None:
    decoding = decoder(charset)
    text = "".join(decoding(data[at : at + 1], False) for at in range(len(data))) + decoding(b"", True)
    assert isinstance(text, str)
    if charset == b"utf-8":
        assert text == decode(data, charset)


@examples
@given(st.text(alphabet="<>/scriptyle &;aé\r\n\"'!-=", max_size=120), st.integers(1, 9))
def test_any_html_reads_the_same_however_it_is_cut(html: str, size: int) -> None:
    pieces = [html[at : at + size] for at in range(0, len(html), size)]
    assert "".join(plain(pieces)).split() == "".join(plain([html])).split()


def test_what_is_folded_in_pieces_is_what_is_folded_at_once() -> None:
    raw = mime("Subject: x", "", "E\u0301COLE stra\u00dfe\n" * 10_000)
    pieces = texts(raw, scan(raw), body=True, header=True)
    assert "".join(map(fold, pieces)) == fold(searchable(raw, scan(raw), body=True, header=True, limit=1 << 24))
