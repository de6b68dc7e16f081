"""The text of attachments that are documents: DOCX, and PDF where the `extract` extra (pypdf) is installed.

For the words of a message only: IMAP's SEARCH does not look into attachments. Strangers wrote these files, so size,
pages and time are bounded, and whatever goes wrong with one of them leaves it without text.
"""

import html
import io
import re
import signal
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from gk.message.part import Part
from gk.message.searched import Sliced
from gk.message.text import file_name, transfer_decode, walk

try:
    import pypdf
except ImportError:  # the extra is not installed
    pypdf = None

SIZE = 10 << 20  # octets of an attachment as it stands in the message
PAGES = 50
XML = 8 << 20  # octets of a document inside its archive
TEXT = 64 << 10  # characters of all attachments of a message together
ATTACHMENTS = 10
SECONDS = 5.0  # for all attachments of a message together

_RUN = re.compile(r"<w:t(?:\s[^<>]*+)?>([^<]*+)</w:t>|(</w:p>|<w:tab/>|<w:br/>)")
_DOCX = b"vnd.openxmlformats-officedocument.wordprocessingml.document"


class _Late(Exception):
    """The time is up."""


def attached_text(raw: Sliced, part: Part) -> str:
    """The text of the documents attached to a message, at most 64 Ki characters. In the main thread only."""
    out: list[str] = []
    left = TEXT
    readers = [(item, read) for item in walk(part) if (read := _reader(item)) is not None][:ATTACHMENTS]
    if not readers:
        return ""
    with _deadline(SECONDS):
        for item, read in readers:
            try:
                text = read(transfer_decode(raw[item.body : item.end], item.encoding))[:left]
            except _Late:
                break
            except (Exception, RecursionError, MemoryError):  # noqa: S112 - a parser met a stranger's file
                continue
            out.append(text)
            left -= len(text)
    return "\n".join(out)


def _reader(part: Part) -> Callable[[bytes], str] | None:
    if part.children or part.type not in (b"application", b"binary") or not 0 < part.end - part.body <= SIZE:
        return None
    name = (file_name(part) or "").lower()
    if part.subtype == _DOCX or (part.subtype == b"octet-stream" and name.endswith(".docx")):
        return docx_text
    if pypdf is not None and (part.subtype == b"pdf" or (part.subtype == b"octet-stream" and name.endswith(".pdf"))):
        return pdf_text
    return None


def docx_text(data: bytes) -> str:
    """The paragraphs of a word-processing document (ECMA-376 part 1, 17.3); raises for what is none."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open("word/document.xml") as file:
        xml = file.read(XML).decode("utf-8", "replace")
    return html.unescape("".join(run[1] or "\n" for run in _RUN.finditer(xml)))


def pdf_text(data: bytes) -> str:
    """The text of the first pages; raises for what is no PDF."""
    pages = pypdf.PdfReader(io.BytesIO(data)).pages
    out: list[str] = []
    for number in range(min(PAGES, len(pages))):
        out.append(pages[number].extract_text())
        if sum(map(len, out)) > TEXT:
            break
    return "\n".join(out)


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    def late(number: int, frame: FrameType | None) -> None:
        raise _Late

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _Late:  # between two attachments
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
