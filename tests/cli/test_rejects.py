"""`gk rejects list` and `gk rejects show` (rejects_list, rejects_show)."""

import asyncio
from typing import Any

from gk import app
from gk.config import load
from tests.site import Site

TOLD: dict[str, Any] = {
    "action": "refuse", "score": 12.5, "results": {"spf": ["fail"], "dkim": ["none"]}, "reply": "550 5.7.1 no",
    "findings": [
        {"rule": "spf", "score": 2.0, "text": "fail for example.org", "where": None, "asked": "", "answer": ""},
        {"rule": "words", "score": 10.5, "text": "cheap\x1b[31m", "where": None, "asked": "", "answer": ""},
    ],
    "message": "id1", "client": "192.0.2.1", "helo": "mx.example.org", "sender": "", "size": 1234,
    "recipients": ["alice@example.test", "bob@example.test"], "recipient_count": 30,
}  # fmt: skip


def test_what_was_refused_is_listed_and_shown(site: Site) -> None:
    site.add_alice()
    assert site.click("rejects", "list").stdout == "nothing was refused\n"

    async def refuse() -> None:
        async with app.rooms(load(site.path)) as rooms:
            await rooms.store.rejects.add(TOLD)
            await rooms.store.rejects.add({**TOLD, "sender": "eve@example.org", "findings": [], "recipient_count": 1})

    asyncio.run(refuse())
    with site.served():
        heading, newest, oldest = site.click("rejects", "list").stdout.splitlines()
        assert heading.split() == ["id", "at", "action", "client", "from", "to", "reason"]
        assert "eve@example.org" in newest and newest.endswith("550 5.7.1 no")
        assert "<>" in oldest and "alice@example.test +29" in oldest and oldest.endswith("words: cheap\\x1b[31m")
        (entry,) = site.json("rejects", "list", "--limit", "1")
        assert entry["sender"] == "eve@example.org"
        first, *rest = site.click("rejects", "show", str(entry["id"] - 1)).stdout.splitlines()
        assert first.endswith(" refuse, score 12.5: 550 5.7.1 no")
        assert rest == [
            "  from <> by 192.0.2.1 (mx.example.org), 1234 bytes",
            "  to alice@example.test, bob@example.test and 28 more",
            "  spf=fail, dkim=none",
            "spf +2: fail for example.org",
            "words +10.5: cheap\\x1b[31m",
        ]
        assert "is remembered" in site.run("rejects", "show", "999").stderr
        assert "the limit is" in site.run("rejects", "list", "--limit", "0").stderr
