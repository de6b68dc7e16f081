"""Dovecot as the account elsewhere: on a free loopback port, its mail in a directory of the test."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers import need
from tests.server import PASSWORD, free_ports

USER = "ann"
NOBODY = 65534

CONF = """
base_dir = {root}/run
state_dir = {root}/state
listen = 127.0.0.1
protocols = imap
ssl = no
disable_plaintext_auth = no
log_path = {root}/dovecot.log
mail_location = maildir:{root}/mail
first_valid_uid = 100
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={uid} home={root}/mail
}}
namespace inbox {{
  inbox = yes
  separator = {separator}
  prefix = {prefix}
  mailbox Gesendet {{
    special_use = \\Sent
    auto = subscribe
  }}
{mailboxes}
}}
{sasl}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""

SASL = """
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""
MAILBOX = """\
  mailbox {name} {{
    special_use = {use}
    auto = create
  }}
"""


@dataclass
class Dovecot:
    port: int
    mail: Path

    @property
    def url(self) -> str:
        return f"imap://{USER}@127.0.0.1:{self.port}"


@contextmanager
def dovecot(
    root: Path,
    *,
    separator: str = "/",
    prefix: str = "",
    mail: Path | None = None,
    uses: Mapping[str, str] | None = None,
    sasl: int = 0,
) -> Iterator[Dovecot]:
    """Serve a Maildir, `mail` or an empty one, for as long as the block; `uses` are mailboxes with a special use.

    On the port `sasl` it answers an SMTP server that asks whether a password is right.
    """
    program = need("dovecot", "dovecot-imapd")
    if os.geteuid() != 0:
        pytest.skip("only root can start dovecot's processes")
    for path in (root, *root.parents):
        if path.stat().st_uid == os.geteuid():
            path.chmod(path.stat().st_mode | 0o055)
    (port,) = free_ports(1)
    if mail is None:
        (root / "mail").mkdir()
    else:
        shutil.copytree(mail, root / "mail")
    for path in (root / "mail", *(root / "mail").rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    made = "\n".join(MAILBOX.format(name=name, use=use) for name, use in (uses or {}).items())
    conf = root / "dovecot.conf"
    conf.write_text(
        CONF.format(
            sasl=SASL.format(port=sasl) if sasl else "",
            root=root,
            password=PASSWORD,
            uid=NOBODY,
            separator=separator,
            prefix=prefix,
            port=port,
            mailboxes=made,
        )
    )
    (root / "state").mkdir()
    process = subprocess.Popen([program, "-F", "-c", str(conf)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        for _ in range(200):
            with socket.socket() as door:
                if door.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, process.stderr.read() if process.stderr else b""
            time.sleep(0.05)
        yield Dovecot(port, root / "mail")
    finally:
        process.terminate()
        process.wait(10)
        if process.stderr:
            process.stderr.close()
