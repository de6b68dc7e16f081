"""`gk init`: a first configuration, and the first account."""

import os
from pathlib import Path

import click

from gk.cli import dns
from gk.cli.door import act, ask_password, from_stdin
from gk.config import load
from gk.errors import Refused
from gk.mailauth.domain import canonical
from gk.message.address import AddressError, parse_address

SYSTEM = Path("/etc/gk")
SYSTEM_DATA = "/var/lib/gk"

TEXT = """\
# GK's configuration. Every key with its default is in the sample gk.toml that came with GK, and in «gk config show».
hostname = "mail.{domain}"
domains  = ["{domain}"]
data     = "{data}"

[managesieve]
listen = ["0.0.0.0:4190"]
"""

NEXT = """\
Wrote {path} and made the account {address}.

Next:
  1. Publish the DNS records below; «gk --config {path} dns check» tells when all are there.
  2. Start the server:  gk --config {path} serve
  3. In a mail program: IMAP mail.{domain} port 993 (TLS), SMTP mail.{domain} port 465 (TLS), user {address}.

"""


@click.command("init")
@click.argument("address")
@click.option(
    "--dir", "directory", type=click.Path(path_type=Path), default=Path(), help="Where gk.toml goes; default: here."
)
@from_stdin
def command(address: str, directory: Path, password_stdin: bool) -> None:
    """Write gk.toml for the domain of ADDRESS, and make that account."""
    try:
        who = parse_address(address)
    except AddressError as error:
        raise Refused(f"{address!r} is not an address: {error}") from None
    path = directory / "gk.toml"
    if path.exists():
        raise Refused(f"{path} is there already; add accounts with «gk --config {path} user add {address}»")
    password = ask_password(password_stdin)
    os.umask(0o077)
    directory.mkdir(parents=True, exist_ok=True)
    data = SYSTEM_DATA if directory.resolve() == SYSTEM else "data"
    domain = canonical(who.domain)
    path.write_text(TEXT.format(domain=domain, data=data))
    path.chmod(0o644)
    try:
        config = load(path)
        config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        act(config, "user_add", {"address": address, "password": password})
        records = act(config, "dns_records", {"domain": domain})
    except BaseException:
        path.unlink()  # half an installation is none
        raise
    click.echo(NEXT.format(path=path, address=who.key, domain=domain), nl=False)
    click.echo(dns.table(records["domains"], records["sts_policy"]))
