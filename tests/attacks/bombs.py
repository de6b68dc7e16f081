"""Messages made to be expensive, for whoever takes them in, stores them, shows them or searches them."""

import base64
import random
from collections.abc import Callable
from functools import partial

from tests.message.test_bombs import BOMBS as SCANNED
from tests.message.test_bombs import FROM, field, nested, parts

MIB = 1 << 20
QP = b"quoted-printable"


def one(kind: bytes, encoding: bytes, body: bytes) -> bytes:
    """A message of one part."""
    return FROM + b"Content-Type: %b\r\nContent-Transfer-Encoding: %b\r\n\r\n" % (kind, encoding) + body


def html(body: bytes) -> bytes:
    return one(b"text/html", b"8bit", body)


def multipart(boundary: bytes, body: bytes) -> bytes:
    return FROM + b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n" % boundary + body


def lines(data: bytes, width: int = 76) -> bytes:
    return b"".join(data[at : at + width] + b"\r\n" for at in range(0, len(data), width))


def garbage(size: int, alphabet: bytes) -> bytes:
    return bytes(random.Random(size).choices(alphabet, k=size))


def charsets(*names: bytes) -> bytes:
    """A part and an encoded word in each of these charsets."""
    body = b"".join(
        b"--b\r\nContent-Type: text/plain; charset=%b\r\nContent-Description: =?%b?B?////AAAA?=\r\n\r\n\xff\xfeabc\r\n"
        % (name, name.strip(b'"'))
        for name in names
    )
    subject = b" ".join(b"=?%b?Q?=FF=FE=E4?=" % name.strip(b'"') for name in names)
    return b"Subject: " + subject + b"\r\n" + multipart(b"b", body)


CODECS = (
    b"zlib_codec", b"zip", b"bz2", b"hex", b"rot13", b"uu", b"quopri", b"base64", b"idna", b"punycode", b"mbcs",
    b"unicode_escape", b"raw_unicode_escape", b"undefined", b"oem", b"utf-7", b"utf_8_sig", b"utf-16", b"utf-32",
    b"cp65001", b"../../etc/passwd", b"os", b"__main__", b'"a b"', b"x" * 10_000, b"iso-2022-jp", b"hz", b"iso2022_kr",
)  # fmt: skip

MORE: dict[str, Callable[[], bytes]] = {
    "one folded field of 1 MiB": lambda: FROM + b"X-Long: a" + b"\r\n " + b"b" * 70 + (b"\r\n " + b"c" * 70) * 14_350
    + b"\r\n\r\nbody",
    "header of 1 MiB less one byte": lambda: FROM + b"X: y\r\n" * ((MIB - len(FROM) - 700) // 6) + b"\r\nbody",
    "header only, no empty line": lambda: b"From: a@b\r\nSubject: nothing follows\r\n",
    "body only": lambda: b"\r\nno header at all\r\n",
    "nothing": lambda: b"\r\n",
    "one line of 60 KiB": lambda: FROM + b"\r\n" + b"x" * (60 << 10) + b"\r\n",
    "header line of 60 KiB": lambda: FROM + b"Subject: " + b"x" * (60 << 10) + b"\r\n\r\nbody",
    "600,000 empty lines": lambda: FROM + b"\r\n" * 600_000,
    "1,000,000 short lines": lambda: FROM + b"\r\n" + b"a\r\n" * 1_000_000,
    "45 Received fields": lambda: b"Received: from a by b; c\r\n" * 45 + FROM + b"\r\nbody",
    "10,000 Received fields": lambda: b"Received: from a by b; c\r\n" * 10_000 + FROM + b"\r\nbody",
    "message of 49 MiB": lambda: one(b"image/x", b"base64", (b"QUJD" * 19 + b"\r\n") * (49 * MIB // 78)),
    "text of 20 MiB in quoted-printable": lambda: one(b"text/plain", QP, (b"=41" * 25 + b"\r\n") * 270_000),
    "html of 8 MiB of open tags": lambda: html((b"<a <b <!-- " * 90 + b"\r\n") * 8_000),
    "html of 500,000 entities": lambda: html((b"&amp;&#1114112;&#x0;" * 50 + b"\r\n") * 10_000),
    "html of 200,000 scripts without end": lambda: html((b"<script><style>" * 50 + b"\r\n") * 4_000),
    "4 MiB of base64 garbage": lambda: one(b"text/plain", b"base64", lines(garbage(4 * MIB, b"AZaz09+/=-_ .,!?"), 100)),
    "1 MiB of padding": lambda: one(b"text/plain", b"base64", lines(b"=" * MIB)),
    "base64 in one line of 60 KiB": lambda: one(b"text/plain", b"base64", b"A" * (60 << 10) + b"\r\n"),
    "2 MiB of soft breaks": lambda: one(b"text/plain", QP, b"=\r\n" * 700_000),
    "2 MiB of equal signs": lambda: one(b"text/plain", QP, lines(b"=" * 2 * MIB)),
    "uuencode of 2 MiB": lambda: one(b"text/plain", b"x-uuencode", (b"M" + b"!" * 60 + b"\r\n") * 33_000),
    "charsets named like codecs of Python": partial(charsets, *CODECS),
    "2 MiB of UTF-7": lambda: one(b"text/plain; charset=utf-7", b"8bit", lines(b"+AGE-" * 400_000)),
    "2 MiB of combining marks": lambda: one(
        b"text/plain; charset=utf-8", b"8bit", lines("e\u0301\u0316\u0327".encode() * 300_000, 70)
    ),
    "2 MiB of ligatures that fold to 18 times": lambda: one(
        b"text/plain; charset=utf-8", b"8bit", lines("\ufdfa".encode() * 700_000, 75)
    ),
    "boundary of regular expressions": partial(
        multipart, b'".*+?(a+)+$[^b]{1,99}"', b"--.*+?(a+)+$[^b]{1,99}\r\n\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaa!\r\n" * 3_000
    ),
    "empty boundary": partial(multipart, b'""', b"--\r\n\r\nx\r\n" * 100_000),
    "boundary of one blank": partial(multipart, b'" "', b"-- \r\n\r\nx\r\n" * 100_000),
    "boundary of 71 octets": partial(multipart, b"x" * 71, (b"--" + b"x" * 71 + b"\r\n\r\nx\r\n") * 20_000),
    "boundary of 5,000 octets": partial(multipart, b"x" * 5000, (b"--" + b"x" * 5000 + b"\r\n\r\nx\r\n") * 500),
    "boundary of hyphens": partial(multipart, b"----", b"------\r\n\r\nx\r\n--------\r\n" * 50_000),
    "boundary that ends at once": partial(multipart, b"b", b"--b--\r\n" * 200_000),
    "500,000 lines that nearly are the boundary": partial(multipart, b"abcdefgh", b"--abcdefg\r\n" * 500_000),
    "90 levels over 8 MiB": lambda: nested(90, lambda n: b"b%d." % n) + b"\r\n" + lines(b"x" * 8 * MIB),
    "90 levels closed again": lambda: nested(90, lambda n: b"b%d." % n)
    + b"\r\nx\r\n" + b"".join(b"--b%d.--\r\n" % n for n in range(89, -1, -1)),
    "a boundary inside each part of 200 levels": lambda: nested(200, lambda n: b"b" * (200 - n)),
    "9,000 text parts with names": partial(parts, 9_000, header=b'Content-Type: text/plain; name="=?utf-8?q?=C3=A9?="'),
    "9,000 messages side by side": partial(
        parts, 9_000, header=b"Content-Type: message/rfc822\r\n\r\nFrom: a@b\r\nTo: c@d, e@f\r\nSubject: x"
    ),
    "1,000 parts with 100 parameters": partial(
        parts, 1_000, header=b"Content-Type: text/plain" + b"".join(b";\r\n p%d=x" % n for n in range(100))
    ),
    "100,000 encoded words without blanks": lambda: field(b"Subject", b"=?utf-8?q?a?=" * 100_000),
    "encoded words that never end": lambda: field(b"Subject", b"=?" * 250_000),
    "encoded words with question marks only": lambda: field(b"Subject", b"?" * 500_000),
    "an encoded word of 200 KiB": lambda: field(b"Subject", b"=?utf-8?B?" + b"QUJD" * 50_000 + b"?="),
    "an address of 200 KiB": lambda: field(b"To", b"a" * 200_000 + b"@b.example"),
    "a display name of 200 KiB": lambda: field(b"To", b"x " * 100_000 + b"<a@b.example>"),
    "a route of 50,000 hosts": lambda: field(b"To", b"<" + b"@a," * 50_000 + b"@b:c@d>"),
    "nested groups": lambda: field(b"To", b"g:" * 100_000 + b";" * 100_000),
    "100,000 backslashes in quotes": lambda: field(b"From", b'"' + b"\\" * 100_001 + b'" <a@b>'),
    "a comment in each place": lambda: field(b"To", b"(a)a(b)@(c)b(d), " * 15_000),
    "a Date of 200 KiB": lambda: field(b"Date", b"(" * 100_000 + b"1" * 100_000),
    "a Date of digits": lambda: field(b"Date", b"Mon, " + b"9" * 200_000 + b" Jan 2026 00:00:00 +9999"),
    "a Message-ID of 200 KiB": lambda: field(b"Message-ID", b"<" * 100_000 + b"@" * 100_000),
    "In-Reply-To without end": lambda: field(b"In-Reply-To", b"<a@b" * 50_000),
    "a thousand Content-Types": lambda: multipart(b"b\r\nContent-Type: multipart/mixed" * 1_000, b"--b\r\n\r\nx"),
    "8 bits everywhere": lambda: b"Subject: " + garbage(60_000, bytes(range(128, 256))) + b"\r\n\r\n"
    + lines(garbage(MIB, bytes(range(128, 256)))),
    "percent signs": lambda: field(b"Content-Disposition", b"attachment; filename*=utf-8''" + b"%E9" * 80_000),
    "RFC 2231 pieces out of order": lambda: field(
        b"Content-Type", b"text/plain" + b"".join(b";\r\n name*%d*=x" % (n * 7919 % 10_000) for n in range(10_000))
    ),
    "base64 of a message in each other": lambda: _eggs(30),
}  # fmt: skip

ONLY_APPENDED: dict[str, Callable[[], bytes]] = {
    "1 MiB of NUL": lambda: FROM + b"\r\n" + b"\0" * MIB,
    "NUL in the header": lambda: (
        b"Subject: a\0b\r\nFrom: \0\0@\0\r\nContent-Type: multipart/\0; boundary=\0\r\n\r\n--\0\r\n"
    ),
    "bare CR everywhere": lambda: FROM + b"X: a\rb\r\n\r\n" + b"\r" * MIB,
    "bare LF everywhere": lambda: b"Subject: x\n\n" + b"\n" * MIB,
    "one line of 8 MiB": lambda: FROM + b"\r\n" + b"x" * 8 * MIB,
}


def _eggs(levels: int) -> bytes:
    """Base64 of base64 of …, as long as it stays small."""
    raw = b"From: a@b\r\n\r\nyolk"
    while levels and len(raw) < MIB:
        raw = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines(
            base64.b64encode(raw)
        )
        levels -= 1
    return FROM + raw


BOMBS = SCANNED | MORE | ONLY_APPENDED
