"""Postfix with a queue of its own that relays to the sink of scripts/bench_outbound.py, with Debian's defaults."""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.bench.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_peername_lookup = no
disable_dns_lookups = yes
transport_maps = texthash:{root}/conf/transport
alias_maps =
alias_database =
local_recipient_maps =
maillog_file_prefixes = {root}
maillog_file = {root}/log
message_size_limit = 52428800
defer_transports = smtp
"""
FILLERS = 10  # sessions that fill its queue


class Postfix:
    """A running Postfix; its queue waits until it is let go."""

    def __init__(self, root: Path, port: int) -> None:
        self._root, self._port = root, port
        self.pid = 0

    def command(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [name, "-c", str(self._root / "conf"), *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )

    def fill(self, messages: int, domains: int, contents: Sequence[bytes]) -> None:
        """Queue messages to u<n>@d<n % domains>.test."""
        workers = [
            threading.Thread(target=self._fill, args=(range(first, messages, FILLERS), domains, contents))
            for first in range(FILLERS)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def _fill(self, numbers: Sequence[int], domains: int, contents: Sequence[bytes]) -> None:
        with socket.create_connection(("127.0.0.1", self._port)) as sock, sock.makefile("rb") as replies:
            replies.readline()
            for number in numbers:
                envelope = f"MAIL FROM:<user@bench.test>\r\nRCPT TO:<u{number}@d{number % domains}.test>\r\nDATA\r\n"
                sock.sendall((f"HELO bench\r\n{envelope}" if number < FILLERS else envelope).encode())
                for _ in range(4 if number < FILLERS else 3):
                    replies.readline()
                content = contents[number % len(contents)].replace(b"\r\n.", b"\r\n..")
                sock.sendall(content + (b"" if content.endswith(b"\r\n") else b"\r\n") + b".\r\n")
                reply = replies.readline()
                assert reply.startswith(b"250"), reply

    def let_go(self) -> None:
        """Send what waits."""
        self.command("postconf", "-e", "defer_transports=")
        self.command("postfix", "reload")
        self.command("postqueue", "-f")


@contextmanager
def postfix(root: Path, port: int, targets: Sequence[tuple[str, str]]) -> Iterator[Postfix]:
    """Postfix at 127.0.0.1:port; `targets` are (domain, "address:port") of what it relays."""
    for name in ("conf", "queue", "data"):
        (root / name).mkdir(parents=True)
    root.chmod(0o755)
    shutil.chown(root / "data", "postfix")
    (root / "conf/main.cf").write_text(MAIN.format(root=root))
    lines = [f"{domain} smtp:[{target.partition(':')[0]}]:{target.partition(':')[2]}\n" for domain, target in targets]
    (root / "conf/transport").write_text("".join(lines))
    services = []
    for line in Path("/usr/share/postfix/master.cf.dist").read_text().splitlines():
        fields = line.split()
        if line.startswith("#") or not fields:
            continue
        if not line[0].isspace():
            if fields[:2] == ["smtp", "inet"]:
                fields[0] = f"127.0.0.1:{port}"
            fields[4] = "n"  # no chroot
            line = " ".join(fields)
        services.append(line)
    (root / "conf/master.cf").write_text("\n".join(services) + "\n")
    for name in ("/usr/share/postfix/dynamicmaps.cf", "/etc/postfix/postfix-files"):
        if Path(name).exists():
            shutil.copy(name, root / "conf")
    running = Postfix(root, port)
    start = ["postfix", "-c", str(root / "conf"), "start"]
    with (root / "start").open("w") as log:  # a file: the master keeps a pipe open
        subprocess.run(start, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)
    try:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        running.pid = int((root / "queue/pid/master.pid").read_text())
        yield running
    finally:
        subprocess.run([*start[:-1], "stop"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
