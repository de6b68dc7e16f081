"""Every command has a transcript, and the server keeps to each of them."""

import ssl
from pathlib import Path

import pytest

from gk.imap import registry
from tests.dialogue import play
from tests.imap.conftest import House, house

FOLDER = Path(__file__).parent.parent / "transcripts" / "imap"
TRANSCRIPTS = sorted(FOLDER.glob("*.txt"))
NEED_TLS = {"starttls"}
MESSAGE = "L: From: Ann <ann@example.org>\nL: Subject: {0}\nL: \nL: {0}\n"
MACROS = {
    "login": "S: * OK …\nC: l LOGIN alice@example.test demo-password\nS: l OK …",
    "three": "".join(  # INBOX holds the messages one, two, three
        f"C: m APPEND INBOX {{…+}}\n{MESSAGE.format(word)}S: …\nS: m OK [APPENDUID …\n"
        for word in ("one", "two", "three")
    ),
    "inbox": "C: i SELECT INBOX\nS: …\nS: i OK [READ-WRITE]",
}


@pytest.mark.parametrize("path", [p for p in TRANSCRIPTS if p.stem not in NEED_TLS], ids=lambda path: path.stem)
async def test_the_server_keeps_to_the_transcript(imap: House, path: Path) -> None:
    await play(path, imap.host, imap.port, macros=MACROS)


@pytest.mark.parametrize("name", sorted(NEED_TLS))
async def test_the_server_keeps_to_the_transcript_where_tls_is_required(
    tmp_path: Path, name: str, certificate: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async with house(tmp_path / "data", tls=certificate, require_tls=True) as imap:
        await play(FOLDER / f"{name}.txt", imap.host, imap.port, tls=trusting, macros=MACROS)


def test_every_command_has_a_transcript() -> None:
    registry.load()
    spoken = {path.stem for path in TRANSCRIPTS}
    missing = [name for name in registry.names() if name.lower().replace(" ", "-") not in spoken]
    assert missing == []
