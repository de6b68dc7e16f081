"""How long a property is tried: a few hundred examples, 10,000 with GK_FUZZ=1; and bytes that look like mail."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

examples = settings(
    max_examples=10_000 if os.environ.get("GK_FUZZ") else 300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

_WORDS = [
    *(b"\r\n", b"\r", b"\r\r\n", b"\r\n\r\n", b"From ", b">From ", b">>From ", b"From a@b Thu Jan  1 00:00:00 1970"),
    *(
        b"From - ",
        b"Status: RO\r\n",
        b"X-Status: A\r\n",
        b"X-Keywords: a\r\n",
        b"Content-Length: 5\r\n",
        b"\0",
        b"\xff",
    ),
    *(
        b"X-GK-Export: date=1 zone=0 size=3 flags=\r\n",
        b"X-GK-Export: ",
        b"Subject: x\r\n",
        b"Message-ID: <a@b>\r\n",
        b"x",
        b" ",
    ),
]
crlf_mail = (
    st.lists(
        st.one_of(st.sampled_from(_WORDS), st.binary(max_size=8).map(lambda raw: raw.replace(b"\n", b""))), max_size=40
    )
    .map(b"".join)
    .map(lambda raw: raw or b"x")
)
