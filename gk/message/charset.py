"""Charsets of mail: a fixed table, never a codec by the name a stranger gives (RFC 2045 section 2.2, RFC 2047).

Python's codec registry also holds zlib, idna, rot13 and others that raise, blow up or run slowly; labels outside the
table are read as UTF-8 where that fits and as Windows-1252 where it does not.
"""

import codecs
from collections.abc import Callable

# ISO 8859-1 and ASCII are read as Windows-1252, which is what such mail holds when it uses 0x80 to 0x9F.
_CODECS = {
    "utf-8": "utf-8 utf8 utf-8-sig unicode-1-1-utf-8 x-utf-8 utf",
    "cp1252": "windows-1252 cp1252 cp-1252 x-cp1252 iso-8859-1 iso8859-1 iso_8859-1 iso_8859-1:1987 8859-1 latin1 "
    "latin-1 l1 iso-ir-100 cp819 ibm819 csisolatin1 iso-8859-1-windows-3.1-latin-1 win-1252 ansi windows1252",
    "ascii": "us-ascii ascii ansi_x3.4-1968 iso646-us us 646 csascii ibm367 cp367 iso-ir-6 usascii",
    "iso8859-2": "iso-8859-2 iso8859-2 iso_8859-2 latin2 latin-2 l2 csisolatin2",
    "iso8859-3": "iso-8859-3 iso8859-3 iso_8859-3 latin3 latin-3 l3",
    "iso8859-4": "iso-8859-4 iso8859-4 iso_8859-4 latin4 latin-4 l4",
    "iso8859-5": "iso-8859-5 iso8859-5 iso_8859-5 cyrillic",
    "iso8859-6": "iso-8859-6 iso8859-6 iso_8859-6 iso-8859-6-i iso-8859-6-e arabic",
    "iso8859-7": "iso-8859-7 iso8859-7 iso_8859-7 greek",
    "iso8859-8": "iso-8859-8 iso8859-8 iso_8859-8 iso-8859-8-i iso-8859-8-e hebrew logical",
    "cp1254": "windows-1254 cp1254 iso-8859-9 iso8859-9 iso_8859-9 latin5 latin-5 l5",
    "iso8859-10": "iso-8859-10 iso8859-10 iso_8859-10 latin6 latin-6 l6",
    "cp874": "windows-874 cp874 iso-8859-11 iso8859-11 tis-620 tis620",
    "iso8859-13": "iso-8859-13 iso8859-13 iso_8859-13 latin7 latin-7",
    "iso8859-14": "iso-8859-14 iso8859-14 iso_8859-14 latin8 latin-8",
    "iso8859-15": "iso-8859-15 iso8859-15 iso_8859-15 latin9 latin-9 l9",
    "iso8859-16": "iso-8859-16 iso8859-16 iso_8859-16 latin10 latin-10",
    "cp1250": "windows-1250 cp1250 x-cp1250",
    "cp1251": "windows-1251 cp1251 cp-1251 x-cp1251 win-1251",
    "cp1253": "windows-1253 cp1253 x-cp1253",
    "cp1255": "windows-1255 cp1255 x-cp1255",
    "cp1256": "windows-1256 cp1256 x-cp1256",
    "cp1257": "windows-1257 cp1257 x-cp1257",
    "cp1258": "windows-1258 cp1258 x-cp1258",
    "cp437": "cp437 ibm437 437",
    "cp850": "cp850 ibm850 850",
    "cp852": "cp852 ibm852 852",
    "cp858": "cp858 ibm858 ibm00858",
    "cp866": "cp866 ibm866 866",
    "koi8_r": "koi8-r koi8 koi8_r koi",
    "koi8_u": "koi8-u koi8-ru",
    "mac_roman": "macintosh mac x-mac-roman x-mac macroman",
    "mac_cyrillic": "x-mac-cyrillic x-mac-ukrainian maccyrillic",
    "gb18030": "gb18030 gbk gb2312 gb_2312-80 x-gbk cp936 936 windows-936 euc-cn eucgb2312 csgb2312 chinese",
    "hz": "hz-gb-2312 hz",
    "big5hkscs": "big5 big5-hkscs big-5 big5hkscs cn-big5 x-x-big5 csbig5",
    "cp950": "cp950 windows-950",
    "cp932": "shift_jis shift-jis sjis x-sjis ms_kanji cp932 windows-31j ms932 csshiftjis",
    "euc_jp": "euc-jp eucjp x-euc-jp x-euc cseucpkdfmtjapanese",
    "iso2022_jp_2": "iso-2022-jp iso-2022-jp-2 iso-2022-jp-1 csiso2022jp jis",
    "iso2022_jp_ext": "iso-2022-jp-ext iso-2022-jp-3",
    "cp949": "euc-kr euckr ks_c_5601-1987 ks_c_5601 ksc5601 ksc_5601 cp949 windows-949 uhc korean cseuckr",
    "iso2022_kr": "iso-2022-kr csiso2022kr",
    "johab": "johab cp1361",
    "utf-7": "utf-7 utf7 unicode-1-1-utf-7",
    "utf-16": "utf-16 utf16 iso-10646-ucs-2 ucs-2 unicode",
    "utf-16-le": "utf-16le",
    "utf-16-be": "utf-16be unicodefffe",
    "utf-32": "utf-32 utf32",
    "utf-32-le": "utf-32le",
    "utf-32-be": "utf-32be",
}
_TABLE = {label.encode(): codec for codec, labels in _CODECS.items() for label in labels.split()}


def decode(data: bytes, charset: bytes | None) -> str:
    """`data` as text; what the charset cannot hold becomes U+FFFD, never an error."""
    codec = _TABLE.get(charset.strip(b" \t\r\n\"'").lower()) if charset else None
    if codec is None or codec == "ascii":
        if data.isascii():
            return data.decode("ascii")
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return data.decode("cp1252", "replace")
    try:
        return data.decode(codec, "replace")
    except UnicodeError:  # a few multibyte codecs raise on truncated input whatever they are told
        return data.decode("cp1252", "replace")


def decoder(charset: bytes | None) -> Callable[[bytes, bool], str]:
    """A function that decodes a text of this charset piece by piece; its second argument says which is the last."""
    codec = _TABLE.get(charset.strip(b" \t\r\n\"'").lower()) if charset else None
    if codec is None or codec == "ascii":
        return _Unlabelled().decode
    return _Labelled(codec).decode


class _Labelled:
    def __init__(self, codec: str) -> None:
        self._decoder = codecs.getincrementaldecoder(codec)("replace")

    def decode(self, data: bytes, last: bool) -> str:
        try:
            return self._decoder.decode(data, last)
        except UnicodeError:  # as in `decode`
            self._decoder.reset()
            return data.decode("cp1252", "replace")


class _Unlabelled:
    """UTF-8 as long as it is, from the first octets that are not on Windows-1252."""

    def __init__(self) -> None:
        self._decoder: codecs.IncrementalDecoder = codecs.getincrementaldecoder("utf-8")()

    def decode(self, data: bytes, last: bool) -> str:
        held = self._decoder.getstate()[0]
        try:
            return self._decoder.decode(data, last)
        except UnicodeDecodeError:
            self._decoder = codecs.getincrementaldecoder("cp1252")("replace")
            return self._decoder.decode(held + data, last)


def is_known(charset: bytes) -> bool:
    """Whether the label is in the table."""
    return charset.strip(b" \t\r\n\"'").lower() in _TABLE
