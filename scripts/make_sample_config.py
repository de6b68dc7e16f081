"""Writes the sample gk.toml at the top of the project: every key with its sentence and its default.

python scripts/make_sample_config.py [FILE]     ("-": to standard output)
"""

import sys
import textwrap
from pathlib import Path
from typing import Any

import tomli_w

TOP = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP))

from gk.config import as_tree, documented  # noqa: E402 - only now can it be found

HEAD = """\
# GK's configuration: every key, with its default behind a "#". Only the three keys that have none there are needed.
# «gk init you@example.org» writes such a file; «gk config check» reads it; «gk config set» changes gk.local.toml in the
# data directory, which overrides this file. Listeners are lists of "address:port".
"""
NEEDED = {"hostname": "mail.example.org", "domains": ["example.org"], "data": "/var/lib/gk"}


def sample() -> str:
    """The whole file: plain keys first, as TOML wants it, then the tables."""
    rows = documented()
    tables = [name for name, default, _ in rows if default is None]
    lines = [HEAD]
    for name, default, doc in rows:
        if "." not in name and name not in tables and not isinstance(default, dict):
            lines += [*comment(doc), assignment(name, NEEDED.get(name, default), needed=name in NEEDED), ""]
    for table, default, doc in rows:
        if table in tables:
            lines += [*comment(doc), f"[{table}]"]
            for name, value, sentence in rows:
                if name.startswith(f"{table}."):
                    lines += [*comment(sentence), assignment(name.partition(".")[2], value, needed=False)]
            lines.append("")
        elif isinstance(default, dict) and "." not in table:
            lines += [*comment(doc), f"[{table}]", '# "info@example.org" = ["ann@example.org"]', ""]
    return "\n".join(lines)


def comment(text: str) -> list[str]:
    return textwrap.wrap(text, 116, initial_indent="# ", subsequent_indent="# ")


def assignment(name: str, value: Any, *, needed: bool) -> str:
    text = tomli_w.dumps({name: as_tree(value)}).strip() if value != {} else f"{name} = {{}}"
    text = " ".join(line.strip() for line in text.splitlines()).replace("[ ", "[").replace(", ]", "]")
    return text if needed else f"# {text}"


if __name__ == "__main__":
    target = sys.argv[1] if len(sys.argv) > 1 else str(TOP / "gk.toml")
    if target == "-":
        print(sample(), end="")
    else:
        Path(target).write_text(sample())
