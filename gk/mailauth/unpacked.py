"""What is in a report somebody sent: gzip, zip or plain (RFC 9990 §2.6.1, RFC 8460 §5.2), unpacked within bounds."""

import io
import zipfile
import zlib

PACKED, UNPACKED = 10 << 20, 32 << 20  # octets of an attachment, and of what is in it
ENTRIES = 20  # files of one archive; a report is in a single one
_ENTRY = b"PK\x01\x02"  # of its directory, which zipfile reads as a whole
_GZIP, _ZIP = b"\x1f\x8b", b"PK"


class ReportError(ValueError):
    """This is no report that can be read; the message says why."""


def unpacked(content: bytes) -> bytes:
    """The document in an attachment, by its first octets, whatever its name says. Raises ReportError."""
    if len(content) > PACKED:
        raise ReportError("the attachment is too large")
    if content.startswith(_GZIP):
        return _gzip(content)
    return _zip(content) if content.startswith(_ZIP) else content


def _gzip(content: bytes) -> bytes:
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        found = reader.decompress(content, UNPACKED + 1)
    except zlib.error:
        raise ReportError("the gzip file is damaged") from None
    if len(found) > UNPACKED:
        raise ReportError("it unpacks to more than any honest report")
    if not reader.eof:
        raise ReportError("the gzip file is damaged")
    return found


def _zip(content: bytes) -> bytes:
    if content.count(_ENTRY) > ENTRIES:
        raise ReportError("the archive has too many files")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(files) != 1 or files[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ReportError("the archive does not hold one file")
            with archive.open(files[0]) as file:
                found = file.read(UNPACKED + 1)
    except ReportError:
        raise
    except Exception:  # zipfile raises half a dozen types on what strangers make
        raise ReportError("the archive is damaged") from None
    if len(found) > UNPACKED:
        raise ReportError("it unpacks to more than any honest report")
    return found
