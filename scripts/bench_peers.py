"""GK beside Postfix and Dovecot, on this machine, in interleaved rounds: the table of docs/performance.md.

usage: python scripts/bench_peers.py smtp|imap [options of scripts/bench/run.py]        as root, on a quiet machine
GK_BENCH_DIR names the directory on the disk to be measured. Needs apt postfix dovecot-imapd dovecot-lmtpd.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
BENCH = TOP / "scripts" / "bench"
BASE = Path(os.environ.setdefault("GK_BENCH_DIR", str(Path(tempfile.gettempdir()) / "gk-bench")))
PASSWORD = "bench-password"
PEERS = {"smtp": ["postfix"], "imap": ["postfix", "dovecot-hp"]}
TARGETS = {"smtp": "postfix", "imap": "dovecot-hp"}

CONFIG = """\
hostname = "mail.bench.test"
domains = ["bench.test"]
data = "data"
[smtp]
mx = ["127.0.0.1:16525"]
submission = ["127.0.0.1:16587"]
submissions = ["127.0.0.1:16465"]
[imap]
starttls = ["127.0.0.1:16143"]
tls = ["127.0.0.1:16993"]
[security]
require_tls = false
[limits]
connections = 5000
connections_per_address = 4000
connections_per_network = 4000
connections_before_login = 4000
sessions_per_user = 4000
new_connections_per_minute = 1000000
messages_per_day = 0
new_recipients_per_day = 0
[log]
level = "warning"
"""


def gk(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "gk", "--config", str(BASE / "gk" / "gk.toml"), *arguments]


def main() -> None:
    what, *options = sys.argv[1:]
    environment = dict(os.environ) | {"PYTHONPATH": str(TOP)}
    home = BASE / "gk"
    home.mkdir(parents=True, exist_ok=True)
    (home / "gk.toml").write_text(CONFIG)
    if not (home / "data" / "gk.db").exists():
        command = gk("user", "add", "user@bench.test", "--password-stdin")
        subprocess.run(command, input=PASSWORD + "\n", text=True, env=environment, check=True)
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(gk("serve"), env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        if "--alone" not in options:
            subprocess.run(
                [sys.executable, str(BENCH / "peers.py"), "start", *PEERS[what]], env=environment, check=True
            )
        while subprocess.run(gk("status"), env=environment, capture_output=True, check=False).returncode:
            if server.poll() is not None:
                sys.exit((home / "log").read_text())
            time.sleep(0.1)
        target = "gk=127.0.0.1:16525/16143?user=user@bench.test&password=bench-password&rcpt=user@bench.test"
        target += f"&pid={server.pid}"
        if "--alone" in options:
            options.remove("--alone")
            targets = target
        else:
            targets = f"{TARGETS[what]},{target}"
        subprocess.run(
            [sys.executable, str(BENCH / "run.py"), what, "--targets", targets, *options], env=environment, check=True
        )
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
        subprocess.run([sys.executable, str(BENCH / "peers.py"), "stop"], env=environment, check=False)


if __name__ == "__main__":
    main()
