"""The text of attached documents, which strangers wrote."""

import base64
import io
import random
import signal
import zipfile

import pytest

from gk.message import extract
from gk.message.extract import attached_text, docx_text
from gk.message.scan import scan
from tests.message.messages import mime

XML = (
    '<?xml version="1.0"?><w:document><w:body><w:p><w:r><w:t>Quarterly</w:t></w:r><w:r><w:t xml:space="preserve">'
    " r&#233;sum&amp;</w:t></w:r></w:p><w:p><w:r><w:t>second</w:t></w:r></w:p></w:body></w:document>"
)


def docx(xml: str, name: str = "word/document.xml") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, xml)
    return out.getvalue()


def attached(data: bytes, name: str = "report.docx") -> str:
    raw = mime(
        "Content-Type: application/octet-stream",
        f"Content-Disposition: attachment; filename={name}",
        "Content-Transfer-Encoding: base64",
        "",
        base64.encodebytes(data).decode(),
    )
    return attached_text(raw, scan(raw))


def test_a_document_reads_as_its_paragraphs() -> None:
    assert attached(docx(XML)) == "Quarterly résum&\nsecond\n"
    assert attached(docx(XML), "report.zip") == ""


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", docx(XML, "other.xml"), docx(XML)[:-30], b"%PDF-1.4"])
def test_what_is_no_document_has_no_text(data: bytes) -> None:
    assert attached(data) == ""


def test_a_bomb_is_read_as_far_as_its_limit() -> None:
    bomb = docx("<w:t>" + "x" * (100 << 20))
    assert len(bomb) < 200_000
    assert docx_text(bomb) == ""  # cut before its end


def test_damage_never_raises_and_leaves_no_timer() -> None:
    chance, good = random.Random(1), docx(XML)
    for _ in range(300):
        data = bytearray(good)
        for _ in range(3):
            data[chance.randrange(len(data))] = chance.randrange(256)
        assert isinstance(attached(bytes(data)), str)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_document_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    long = docx("<w:t>x</w:t>" * 600_000)
    assert attached(long).startswith("xxx")
    monkeypatch.setattr(extract, "SECONDS", 0.001)
    assert attached(long) == ""
