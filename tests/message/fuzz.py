"""How many examples a property test tries: a few hundred, or 10,000 under GK_FUZZ=1; and bytes that look like mail."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

examples = settings(
    max_examples=10_000 if os.environ.get("GK_FUZZ") == "1" else 200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

_WORDS = [
    *(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\n\n", b" ", b"\t", b"\0", b"\xff", b"\xc3\xa9", b"x", b"1"),
    *(b'"', b"(", b")", b"<", b">", b"@", b",", b":", b";", b"\\", b"[", b"]", b".", b"=", b"*", b"%41", b"'", b"/"),
    *(b"--", b"--a", b"--a--", b"--ab", b"\r\n--a\r\n", b"\r\n--ab\r\n", b"\n--a--\n", b"boundary=a", b"boundary=ab"),
    *(b"Content-Type: ", b"multipart/mixed; boundary=a\r\n\r\n", b"multipart/digest; boundary=ab\r\n\r\n"),
    *(b"message/rfc822", b"text/html; charset=utf-8", b"Content-Transfer-Encoding: base64\r\n", b"Subject: ", b"To: "),
    *(b"Content-Disposition: attachment; filename*0*=utf-8''x; filename*1=y\r\n", b"=?utf-8?q?=C3=A9?=", b"=?", b"?="),
    *(b"Fri, 20 Nov 2026 10:00:00 +0000", b"a@b.example", b"Name <a@b.example>", b"group: a@b;", b"re: ", b"[fwd: "),
]

mail = st.lists(st.one_of(st.sampled_from(_WORDS), st.binary(max_size=8)), max_size=60).map(b"".join)
