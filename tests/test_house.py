"""The promises the house makes: they hold, or this fails."""

import re
import subprocess
import sys
from pathlib import Path

from gk import discover
from gk.actions import registry
from gk.cli.main import VERBS
from gk.imap import registry as commands

TOP = Path(__file__).parent.parent


def test_the_import_contracts_hold() -> None:
    lint = [str(Path(sys.executable).parent / "lint-imports")]
    done = subprocess.run(lint, cwd=TOP, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


def test_every_imap_command_has_a_transcript() -> None:
    commands.load()
    transcripts = {path.stem for path in (TOP / "tests/transcripts/imap").glob("*.txt")}
    assert set(discover.names("gk.imap.commands")) <= transcripts


def test_every_action_is_described_and_tested() -> None:
    tests = "\n".join(path.read_text() for path in (TOP / "tests").rglob("*.py") if path != Path(__file__))
    for name, action in registry.every().items():
        assert action.doc.strip().endswith("."), name
        assert action.scope, name
        assert name in tests or name.replace("_", " ") in tests, f"no test speaks of {name}"


def test_every_verb_has_its_file_and_its_line_in_the_help() -> None:
    for verb, line in VERBS.items():
        assert discover.module("gk.cli", verb).command.name == verb
        assert line.endswith(".")


def test_the_readmes_two_commands_are_there_and_run_by_ci() -> None:
    readme = (TOP / "README.md").read_text()
    first_minute = readme.partition("## First minute")[2].partition("## First hour")[0]
    assert re.findall(r"^    (scripts/\w+)(?: \w+)?", first_minute, re.MULTILINE) == ["scripts/gk", "scripts/test"]
    assert "scripts/test" in (TOP / ".ci/run").read_text()
    help_ = subprocess.run(
        [TOP / "scripts/gk", "--help"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert all(verb in help_ for verb in VERBS)


def test_every_link_in_the_documents_leads_somewhere() -> None:
    for document in [*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            if not target.startswith("http"):
                assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_a_decision_takes_twenty_five_lines_at_most() -> None:
    for record in (TOP / "docs/adr").glob("*.md"):
        assert len(record.read_text().splitlines()) <= 25, record.name
