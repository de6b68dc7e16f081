"""`gk demo`: the whole server on loopback with sample mail; no root, no DNS, no model."""

import asyncio
import os
import sys
from importlib import resources
from pathlib import Path

import click

from gk import app, log
from gk.actions import registry
from gk.actions.context import Rooms
from gk.cli import serve
from gk.config import Config, load
from gk.store.values import SEEN, Flags

PASSWORD = "demo-password"  # noqa: S105 - printed for everybody, on loopback only
ACCOUNTS = ("alice@example.test", "bob@example.test")

TEXT = """\
# The demo: loopback only, plain-text logins allowed. Made by «gk demo»; delete this directory to start afresh.
hostname = "mail.example.test"
domains  = ["example.test"]
data     = "data"

[smtp]
mx          = ["127.0.0.1:2525"]
submission  = ["127.0.0.1:2587"]
submissions = ["127.0.0.1:2465"]

[imap]
starttls = ["127.0.0.1:2143"]
tls      = ["127.0.0.1:2993"]

[managesieve]
listen = ["127.0.0.1:24190"]

[http]
http = ["127.0.0.1:8080"]

[security]
require_tls = false

[limits]
connections_per_address = 300
sessions_per_user = 200
"""

GREETING = """\
GK is running on this machine; everything is in {directory}.

  read    IMAP 127.0.0.1 port 2143 (or 2993 with TLS)   user alice@example.test   password {password}
  filter  Sieve scripts by ManageSieve, 127.0.0.1 port 24190
  send    SMTP 127.0.0.1 port 2587 (or 2465 with TLS)   the same user; bob@example.test is there too

Send a mail as a stranger would:
  printf 'Subject: hello\\r\\n\\r\\nHello.\\r\\n' | curl -sS smtp://127.0.0.1:2525 --mail-from you@example.org \\
      --mail-rcpt alice@example.test -T -
See it arrive:
  curl -sS imap://127.0.0.1:2143/INBOX -u alice@example.test:{password} -X 'STATUS INBOX (MESSAGES UNSEEN)'
Ask about it, in English or French:
  scripts/gk --config {directory}/gk.toml ask --as alice@example.test "who wrote today?"

Stop with Ctrl-C.
"""


@click.command("demo")
@click.option(
    "--dir", "directory", type=click.Path(path_type=Path), default=Path("demo"), help="Where it lives; default: demo."
)
def command(directory: Path) -> None:
    """Run everything on loopback with sample mail for alice and bob."""
    os.umask(0o077)
    path = directory / "gk.toml"
    log.setup("warning", "text")
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        fresh = directory / "gk.toml.new"
        fresh.write_text(TEXT)
        asyncio.run(_fill(load(fresh)))
        fresh.replace(path)  # last: a demo that was interrupted is filled again
    config = load(path)

    def ready(rooms: Rooms) -> None:
        sys.stdout.write(GREETING.format(directory=directory, password=PASSWORD))
        sys.stdout.flush()

    serve.run(config, ready)


async def _fill(config: Config) -> None:
    """The two accounts and their mail."""
    samples = sorted(resources.files("gk.cli").joinpath("samples").iterdir(), key=lambda file: file.name)
    async with app.rooms(config) as rooms:
        context = rooms.context(frozenset({"admin"}))
        store = rooms.store
        for address in ACCOUNTS:
            if store.accounts.by_address(address) is None:
                await registry.run("user_add", {"address": address, "password": PASSWORD}, context)
        for sample in samples:
            account = store.accounts.get(f"{sample.name.split('-')[1]}@example.test")
            mailbox = store.mailboxes.get(account.id, "Sent" if "-sent-" in sample.name else "INBOX")
            content = sample.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            flags = Flags(SEEN) if "-sent-" in sample.name else Flags()
            await store.mailboxes.append(mailbox, [(await store.prepare(content), flags, None)])
