"""A real Postfix with a configuration of its own on loopback; the machine's is not touched."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gk.tls.certs import make

MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mx0.postfix.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_bind_address = {host}
smtpd_peername_lookup = no
disable_dns_lookups = yes
relayhost = [127.0.0.1]:{gk}
virtual_mailbox_domains = postfix.test
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = inline:{{ zoe@postfix.test=zoe/ }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
virtual_minimum_uid = 1
alias_maps =
alias_database =
local_recipient_maps =
maillog_file_prefixes = {root}
maillog_file = {root}/log
message_size_limit = 52428800
virtual_mailbox_limit = 0
local_header_rewrite_clients =
smtpd_tls_security_level = may
smtpd_tls_chain_files = {root}/key.pem, {root}/chain.pem
smtp_tls_security_level = may
"""

SASL = """\
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{port}
smtpd_sasl_authenticated_header = yes
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_relay_restrictions = permit_sasl_authenticated, reject
"""


class Postfix:
    """Postfix for postfix.test; everything else it hands to GK's exchanger."""

    def __init__(self, root: Path) -> None:
        self._mail = root / "mail" / "zoe"
        self.log = root / "log"

    def message(self) -> bytes:
        """The next message in zoe's mailbox, with CRLF line ends; waits for it."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            for file in sorted((self._mail / "new").glob("*")):
                content = file.read_bytes().replace(b"\n", b"\r\n")
                file.unlink()
                return content
            time.sleep(0.02)
        raise AssertionError(f"no message came; {self.log.read_text()}")


@contextlib.contextmanager
def postfix(host: str, port: int, gk: int, *, sasl: int = 0) -> Iterator[Postfix]:
    """Postfix at host:port, GK's exchanger being at 127.0.0.1:gk. Skips the test where there is none.

    With `sasl`, the port of a Dovecot that knows passwords, it takes mail of users who log in and of nobody else.
    """
    if shutil.which("postfix", path="/usr/sbin:/usr/bin") is None or os.geteuid() != 0:
        if os.environ.get("CI"):
            pytest.fail("CI needs root and postfix: apt-get install postfix")
        pytest.skip("needs root and postfix: apt-get install --no-install-recommends postfix")
    with tempfile.TemporaryDirectory(prefix="gk-postfix-") as directory:
        root = Path(directory)
        root.chmod(0o755)
        for name in ("conf", "queue", "data", "mail"):
            (root / name).mkdir()
        shutil.chown(root / "data", "postfix")
        shutil.chown(root / "mail", "postfix")
        make(root / "chain.pem", root / "key.pem", ["mx0.postfix.test"])
        uid = (root / "mail").stat().st_uid
        main = MAIN.format(root=root, host=host, gk=gk, uid=uid) + (SASL.format(port=sasl) if sasl else "")
        (root / "conf" / "main.cf").write_text(main)
        services = []
        for line in Path("/usr/share/postfix/master.cf.dist").read_text().splitlines():
            fields = line.split()
            if line.startswith("#") or not fields:
                continue
            if not line[0].isspace():
                if fields[:2] == ["smtp", "inet"]:
                    fields[0] = f"{host}:{port}"
                fields[4] = "n"  # no chroot
                line = " ".join(fields)
            services.append(line)
        (root / "conf" / "master.cf").write_text("\n".join(services) + "\n")
        for name in ("/usr/share/postfix/dynamicmaps.cf", "/etc/postfix/postfix-files"):
            if Path(name).exists():
                shutil.copy(name, root / "conf")
        command = ["postfix", "-c", str(root / "conf")]
        with (root / "start").open("w") as log:  # a file: the master keeps a pipe open
            subprocess.run([*command, "start"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)
        try:
            _wait(host, port, root / "log")
            yield Postfix(root)
        finally:
            subprocess.run([*command, "stop"], stdin=subprocess.DEVNULL, capture_output=True)


def _wait(host: str, port: int, log: Path) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex((host, port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"postfix did not start; {log.read_text() if log.exists() else ''}")
