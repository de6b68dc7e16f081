"""A real chasquid with a configuration of its own on loopback, and certificates of the test's own authority.

It asks the resolver of /etc/resolv.conf for everything, so it runs where that file is another: in a mount namespace.
"""

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
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.authority import issue

PATIENCE = 20.0
PASSWORD = "demo-password"
DOMAIN, NAME, USER = "chasquid.test", "mx0.chasquid.test", "zoe@chasquid.test"

CONFIG = """\
hostname: "{name}"
max_data_size_mb: 50
smtp_address: "{host}:{port}"
submission_address: "{host}:{submission}"
mail_delivery_agent_bin: "/bin/sh"
mail_delivery_agent_args: "-c"
mail_delivery_agent_args: "f=$(mktemp {root}/mail/.XXXXXX) && cat > $f && mv $f {root}/mail/${{f##*/.}}"
data_dir: "{root}/data"
mail_log_path: "{root}/maillog"
"""


class Chasquid:
    """chasquid for chasquid.test, whose zoe may log in at its submission port; `ca` is who signed its certificate."""

    def __init__(self, root: Path, submission: int) -> None:
        self._mail, self.log, self.ca, self.submission = root / "mail", root / "log", root / "ca.pem", submission

    def message(self) -> bytes:
        """The next message for zoe, with CRLF line ends; waits for it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for file in sorted(self._mail.glob("[!.]*")):
                content = file.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                file.unlink()
                return content
            time.sleep(0.02)
        raise AssertionError(f"no message came; {self.log.read_text()}")


def need() -> None:
    """Skip the test where chasquid cannot run with a resolver of its own."""
    missing = [name for name in ("chasquid", "chasquid-util", "unshare") if shutil.which(name) is None]
    if os.geteuid() or missing:
        reason = f"needs root and {', '.join(missing) or 'nothing else'}: apt-get install chasquid"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine gives no mount namespaces")


@contextlib.contextmanager
def chasquid(host: str, port: int, submission: int, resolver: str) -> Iterator[Chasquid]:
    """chasquid at host:port; it finds others by the DNS at resolver:53, at the same port."""
    with tempfile.TemporaryDirectory(prefix="gk-chasquid-") as directory:
        root = Path(directory)
        for name in ("data", "mail", f"conf/domains/{DOMAIN}", f"conf/certs/{NAME}"):
            (root / name).mkdir(parents=True)
        authority = issue(authority=True, common="chasquid's authority")
        authority.pem(root / "ca.pem")
        certificate = issue(NAME, issuer=authority)
        certificate.pem(root / f"conf/certs/{NAME}/fullchain.pem")
        key = certificate.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (root / f"conf/certs/{NAME}/privkey.pem").write_bytes(key)
        text = CONFIG.format(name=NAME, host=host, port=port, submission=submission, root=root)
        (root / "conf/chasquid.conf").write_text(text)
        (root / "resolv.conf").write_text(f"nameserver {resolver}\noptions timeout:1 attempts:2\n")
        add = ["chasquid-util", f"-C={root}/conf", "user-add", USER, f"--password={PASSWORD}"]
        subprocess.run(add, check=True, capture_output=True)
        inside = f'mount --bind {root}/resolv.conf /etc/resolv.conf && exec chasquid "$@"'
        options = [f"-config_dir={root}/conf", f"-testing__outgoing_smtp_port={port}"]
        with (root / "log").open("wb") as log:
            running = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c", inside, "sh", *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            for each in (port, submission):
                _wait(running, host, each, root / "log")
            yield Chasquid(root, submission)
        finally:
            running.terminate()
            running.wait(PATIENCE)


def _wait(running: "subprocess.Popen[bytes]", host: str, port: int, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and running.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((host, port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"chasquid did not start; {log.read_text()}")
