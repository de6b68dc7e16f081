"""What `gk import` and `gk export` share: the other side's password, and the report at the end."""

import dataclasses
import sys
from pathlib import Path

import click

from gk.cli.door import from_stdin, show, table
from gk.errors import Refused
from gk.transfer.remote import Remote, parse
from gk.transfer.values import Summary

password_file = click.option(
    "--password-file", type=click.Path(path_type=Path), metavar="F", help="A file with the password of the other side."
)
insecure = click.option(
    "--insecure", is_flag=True, help="Do without TLS, or with a certificate nobody vouches for, where it must be."
)
STOPPED = "stopped; the same command goes on from here"
__all__ = ["STOPPED", "from_stdin", "insecure", "is_url", "password_file", "remote", "report"]


def is_url(text: str) -> bool:
    return text.lower().startswith(("imap://", "imaps://"))


def remote(url: str, file: Path | None, stdin: bool, insecure: bool) -> tuple[Remote, str, bool]:
    """The other side's address, its password, and whether it need not be proven."""
    where = parse(url)
    if file is not None:
        try:
            password = file.read_text().rstrip("\r\n")
        except UnicodeDecodeError:
            raise Refused(f"{file} is no text") from None
    elif stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt(f"Password of {where.user} at {where.host}", hide_input=True, err=True)
    if not password:
        raise Refused("there is no password")
    return where, password, insecure


def report(summary: Summary, json_: bool, done: str) -> int:
    """Say what was done; the exit code."""
    columns = ["folder", "mailbox", "messages", "duplicates", "left out", "MB"]
    rows = [
        {
            "folder": f.source, "mailbox": f.target, "messages": f.messages, "duplicates": f.duplicates,
            "left out": f.left_out, "MB": f"{f.bytes / 1e6:,.1f}",
        }
        for f in summary.folders
    ]  # fmt: skip
    messages, size = sum(f.messages for f in summary.folders), sum(f.bytes for f in summary.folders)
    duplicates = sum(f.duplicates for f in summary.folders)
    lines = [table(rows, columns)] if rows else []
    lines.append(f"{messages:,} messages {done} ({size / 1e6:,.1f} MB), {duplicates:,} were there already")
    lines += [f"note: {note}" for note in summary.notes]
    lines += [f"left out: {missed.where}: {missed.why}" for missed in summary.left_out]
    if summary.missed > len(summary.left_out):
        lines.append(f"left out: {summary.missed - len(summary.left_out):,} more")
    if summary.missed:
        lines.append(f"{summary.missed:,} left out")
    plain = {
        "folders": [dataclasses.asdict(f) for f in summary.folders], "messages": messages, "bytes": size,
        "duplicates": duplicates, "missed": summary.missed, "notes": summary.notes,
        "left_out": [{"where": m.where, "why": m.why} for m in summary.left_out],
    }  # fmt: skip
    show(plain, json_, "\n".join(lines))
    return 1 if summary.missed else 0
