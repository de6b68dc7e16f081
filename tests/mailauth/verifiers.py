"""Those who verify what GK signs: dkimpy, OpenDKIM and Perl's Mail::DKIM, each told the keys in its own way."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import dkim
import pytest

from gk.mailauth.keys import Keys
from tests.peers import need

PERL = r"""
use strict; use warnings; use Mail::DKIM::Verifier; use Mail::DKIM::DNS; use Net::DNS;
my $port = shift;
Mail::DKIM::DNS::resolver(Net::DNS::Resolver->new(nameservers => ['127.0.0.1'], port => $port, igntc => 1));
while (my $path = <STDIN>) {
    chomp $path;
    open(my $file, '<:raw', $path) or die "$path: $!";
    my $dkim = Mail::DKIM::Verifier->new;
    while (my $line = <$file>) { $dkim->PRINT($line) }
    close $file; $dkim->CLOSE;
    print join(' ', map { $_->algorithm . '=' . $_->result } $dkim->signatures), "\n";
}
"""


def records(keys: Keys, domain: str) -> dict[str, str]:
    """The key records by name."""
    return {f"{key.selector}._domainkey.{domain}": key.record for key in keys.signing(domain)}


def dkimpy(message: bytes, published: dict[str, str]) -> list[bool]:
    """Whether each signature verifies."""

    def answer(name: bytes, timeout: float = 5) -> bytes | None:
        text = published.get(name.decode().rstrip("."))
        return text.encode() if text else None

    found = []
    for at in range(message.count(b"\r\n\tbh=")):
        try:
            found.append(dkim.DKIM(message).verify(idx=at, dnsfunc=answer))
        except dkim.ValidationError:  # how it says that the body was changed
            found.append(False)
    return found


def opendkim(messages: Sequence[bytes], published: dict[str, str], directory: Path) -> list[list[str]]:
    """ "algorithm=result" of each signature of each message."""
    program = need("opendkim")
    (directory / "published").write_text("".join(f"{name} {text}\n" for name, text in published.items()))
    (directory / "opendkim.conf").write_text(
        f"Mode v\nTestPublicKeys {directory}/published\nSyslog no\nBackground no\n"
        "AlwaysAddARHeader yes\nAuthservID verifier\nMaximumHeaders 0\n"
    )
    paths = _written(messages, directory)
    found = []
    for at in range(0, len(paths), 50):
        batch = paths[at : at + 50]
        done = subprocess.run(
            [program, "-x", str(directory / "opendkim.conf"), "-v", "-v", "-t", ",".join(batch)],
            capture_output=True, timeout=50, check=True,
        )  # fmt: skip
        results = done.stdout.decode("latin-1").split("### INSHEADER")[1:]
        assert len(results) == len(batch), done.stderr[-2000:]
        found += [
            [f"{algorithm}={result}" for result, algorithm in re.findall(r"dkim=(\w+).*?header\.a=([\w-]+)", text)]
            for text in results
        ]
    return found


def mail_dkim(messages: Sequence[bytes], port: int, directory: Path) -> list[list[str]]:
    """The same by Mail::DKIM, which asks the DNS on loopback."""
    program = need("perl")
    if subprocess.run([program, "-MMail::DKIM", "-e", "1"], capture_output=True, check=False).returncode:
        pytest.skip("Mail::DKIM is not installed (apt-get install libmail-dkim-perl)")
    script = directory / "verify.pl"
    script.write_text(PERL)
    done = subprocess.run(
        [program, str(script), str(port)], input="\n".join(_written(messages, directory)) + "\n",
        capture_output=True, text=True, timeout=50, check=True,
    )  # fmt: skip
    return [line.split() for line in done.stdout.splitlines()]


def _written(messages: Sequence[bytes], directory: Path) -> list[str]:
    paths = []
    for at, message in enumerate(messages):
        path = directory / f"message{at}"
        path.write_bytes(message)
        paths.append(str(path))
    return paths
