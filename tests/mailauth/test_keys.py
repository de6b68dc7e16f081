"""Key files: who may read them, what state they are in, and what is left after damage."""

import json
import logging
import os
import random
import stat
from pathlib import Path

import pytest

from gk.errors import ConfigError, Refused
from gk.mailauth.domain import canonical
from gk.mailauth.keys import RETIRED_FOR, Keys
from gk.mailauth.pair import following
from gk.mailauth.signing import Signer
from tests.mailauth.conftest import DOMAIN, Clock
from tests.mailauth.test_signing import MESSAGE


def states(keys: Keys) -> dict[str, str]:
    return {pair.name: pair.state for pair in keys.pairs(DOMAIN)}


def again(tmp_path: Path, clock: Clock) -> Keys:
    """The keys as another process finds them."""
    return Keys(tmp_path / "keys", clock)


def test_the_first_pair_is_made_once_and_only_its_owner_reads_it(keys: Keys, tmp_path: Path) -> None:
    assert keys.ensure([DOMAIN, "Bücher.test", "*.test", "", "a" * 300]) == [DOMAIN, "xn--bcher-kva.test"]
    assert keys.ensure([DOMAIN]) == []
    assert states(keys) == {"gk2026a": "active"}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"gk2026a-r.pem", "gk2026a-e.pem", "pairs.json"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "keys" / "dkim").rglob("*") if p.is_dir()} == {0o700}


def test_another_process_finds_the_same_keys(keys: Keys, tmp_path: Path, clock: Clock) -> None:
    keys.ensure([DOMAIN])
    found = again(tmp_path, clock)
    assert found.domains() == [DOMAIN]
    assert [k.record for k in found.signing(DOMAIN)] == [k.record for k in keys.signing(DOMAIN)]
    rsa, ed25519 = found.signing(DOMAIN)
    assert rsa.record.startswith("v=DKIM1; k=rsa; p=MIIBIjAN") and len(ed25519.record.partition("p=")[2]) == 44


def test_a_pair_waits_signs_retires_and_goes(keys: Keys, tmp_path: Path, clock: Clock) -> None:
    keys.ensure([DOMAIN])
    assert keys.prepare(DOMAIN).name == keys.prepare(DOMAIN).name == "gk2026b"
    assert states(keys) == {"gk2026a": "active", "gk2026b": "next"}
    assert keys.signing(DOMAIN)[0].selector == "gk2026a-r"
    keys.activate(DOMAIN, "gk2026b")
    assert states(again(tmp_path, clock)) == {"gk2026a": "retired", "gk2026b": "active"}
    assert keys.signing(DOMAIN)[1].selector == "gk2026b-e"
    clock.now += RETIRED_FOR - 1
    assert keys.drop_retired(DOMAIN) == []
    clock.now += 1
    assert keys.drop_retired(DOMAIN) == ["gk2026a"]
    assert states(again(tmp_path, clock)) == {"gk2026b": "active"}
    assert not list(tmp_path.rglob("gk2026a*"))


def test_a_selector_is_never_used_twice(keys: Keys, tmp_path: Path, clock: Clock) -> None:
    keys.ensure([DOMAIN])
    keys.prepare(DOMAIN)
    keys.remove(DOMAIN, "gk2026b")
    assert again(tmp_path, clock).prepare(DOMAIN).name == "gk2026c"


def test_the_letters_of_a_year_do_not_end_and_time_does_not_run_back() -> None:
    assert following("", 2026) == "gk2026a"
    assert [following(f"gk2026{x}", 2026) for x in ("a", "z", "az", "zz")] == [
        "gk2026b",
        "gk2026aa",
        "gk2026ba",
        "gk2026aaa",
    ]
    assert following("gk2026c", 2027) == "gk2027a"
    assert following("gk2026c", 2025) == "gk2026d"


def test_neither_the_log_nor_a_text_holds_a_private_key(
    keys: Keys, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    keys.ensure([DOMAIN])
    keys.prepare(DOMAIN)
    keys.activate(DOMAIN, "gk2026b")
    shown = caplog.text + repr(keys.pairs(DOMAIN)) + str(keys.signing(DOMAIN))
    for path in tmp_path.rglob("*.pem"):
        for line in path.read_text().splitlines():
            assert line not in shown
    assert "event=dkim_activated domain=example.test pair=gk2026b" in shown


@pytest.mark.parametrize("name", ["", "..", "../x", "gk2026b", "a/b", "gk2026a-r"])
def test_what_is_not_there_is_neither_activated_nor_removed(keys: Keys, name: str) -> None:
    keys.ensure([DOMAIN])
    with pytest.raises(Refused):
        keys.remove(DOMAIN, name)
    with pytest.raises(Refused):
        keys.activate(DOMAIN, name)


NO_DOMAINS = (
    "",
    ".",
    "..",
    "../../etc",
    "*.example.org",
    "a..b",
    "-a.test",
    "a" * 64,
    "a b.test",
    "é" * 200,
    "[192.0.2.1]",
)
DAMAGES = (
    b"", b"{", b"[]", b'{"last": 1, "pairs": {}}', b'{"last":"gk2026a","pairs":{"x":{}}}', b"[" * 60_000, None,
)  # fmt: skip


def test_a_domain_has_one_spelling() -> None:
    assert canonical(" A.Test.\n") == "a.test"
    assert canonical("BÜCHER.example") == canonical("xn--bcher-kva.example")


@pytest.mark.parametrize("text", NO_DOMAINS)
def test_what_is_no_domain_gets_no_directory(keys: Keys, tmp_path: Path, text: str) -> None:
    with pytest.raises(Refused):
        canonical(text)
    assert keys.ensure([text]) == [] and keys.signing(text) == ()
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("damage", DAMAGES)
def test_without_states_the_oldest_pair_signs(keys: Keys, tmp_path: Path, clock: Clock, damage: bytes | None) -> None:
    keys.ensure([DOMAIN])
    keys.prepare(DOMAIN)
    path = tmp_path / "keys" / "dkim" / DOMAIN / "pairs.json"
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    found = again(tmp_path, clock)
    assert states(found) == {"gk2026a": "active", "gk2026b": "next"}
    found.activate(DOMAIN, "gk2026b")
    assert states(again(tmp_path, clock)) == {"gk2026a": "retired", "gk2026b": "active"}


def test_a_damaged_key_leaves_the_other_one_signing(keys: Keys, tmp_path: Path, clock: Clock) -> None:
    keys.ensure([DOMAIN])
    path = tmp_path / "keys" / "dkim" / DOMAIN / "gk2026a-r.pem"
    path.write_bytes(path.read_bytes()[:100])
    found = again(tmp_path, clock)
    assert found.pairs(DOMAIN)[0].damaged == ("gk2026a-r",)
    fields = Signer(found).sign(DOMAIN, MESSAGE, len(MESSAGE))
    assert fields.count(b"DKIM-Signature") == 1 and b"a=ed25519-sha256" in fields
    (path.parent / "gk2026a-e.pem").unlink()
    assert Signer(again(tmp_path, clock)).sign(DOMAIN, MESSAGE, len(MESSAGE)) == b""


def test_any_damage_is_survived(keys: Keys, tmp_path: Path, clock: Clock) -> None:
    keys.ensure([DOMAIN])
    keys.prepare(DOMAIN)
    chance = random.Random(6376)
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for _ in range(50):
        path = chance.choice(sorted(kept))
        content = bytearray(kept[path])
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        found = again(tmp_path, clock)
        assert set(states(found)) <= {"gk2026a", "gk2026b", "gk2026c", *states(found)}
        fields = Signer(found).sign(DOMAIN, MESSAGE, len(MESSAGE))
        assert fields.count(b"DKIM-Signature") <= 2
        path.write_bytes(kept[path])


def test_a_restored_copy_is_closed_to_others(keys: Keys, tmp_path: Path, clock: Clock) -> None:
    keys.ensure([DOMAIN])
    path = tmp_path / "keys" / "dkim" / DOMAIN / "gk2026a-r.pem"
    path.chmod(0o644)
    assert again(tmp_path, clock).signing(DOMAIN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_keys_cannot_be_made_where_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("")
    with pytest.raises(ConfigError):
        Keys(tmp_path / "keys").ensure([DOMAIN])


def test_a_crash_between_the_files_leaves_the_former_states(keys: Keys, tmp_path: Path, clock: Clock) -> None:
    keys.ensure([DOMAIN])
    directory = tmp_path / "keys" / "dkim" / DOMAIN
    before = (directory / "pairs.json").read_bytes()
    keys.prepare(DOMAIN)
    (directory / "pairs.json").write_bytes(before)  # the keys were written, the states not yet
    (directory / ".pairs.json.new").write_bytes(b"{")
    found = again(tmp_path, clock)
    assert states(found) == {"gk2026a": "active"}
    assert found.prepare(DOMAIN).name == "gk2026b"
    assert json.loads((directory / "pairs.json").read_bytes())["last"] == "gk2026b"
    assert os.listdir(directory) and not (directory / ".pairs.json.new").exists()
