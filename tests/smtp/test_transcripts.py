"""Every command has a transcript, and the servers keep to each of them."""

from pathlib import Path

import pytest

from gk.smtp.session import Session
from tests.dialogue import play
from tests.smtp.conftest import house

FOLDER = Path(__file__).parent.parent / "transcripts" / "smtp"
TRANSCRIPTS = sorted(FOLDER.glob("*.txt"))
EHLO = "C: EHLO client.example.org\nS: …\nS: 250 HELP"
MACROS = {
    "ehlo": EHLO,
    "hello": f"S: 220 …\n{EHLO}",
    "secure": f"S: 220 …\n{EHLO}\nC: STARTTLS\nS: 220 …\nT:\n{EHLO}",
}


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
async def test_the_server_keeps_to_the_transcript(tmp_path: Path, path: Path) -> None:
    role = "submission" if path.stem.startswith(("submission", "plain")) else "mx"
    async with house(tmp_path / "data", require_tls=not path.stem.startswith("plain")) as opened:
        await play(path, opened.host, opened.ports[role], tls=opened.client_tls(), macros=MACROS)


def test_every_command_has_a_transcript() -> None:
    spoken = {path.stem.removeprefix("submission-") for path in TRANSCRIPTS}
    commands = {name.removeprefix("smtp_").lower() for name in dir(Session) if name.startswith("smtp_")}
    assert commands - spoken == set()
