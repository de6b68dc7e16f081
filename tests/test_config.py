"""gk.toml: what is read, what is refused, and in which words."""

import dataclasses
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from gk import config as configuration
from gk.config import Bans, Config, Limits, as_tree, documented, endpoint, load, notes, parse, set_local
from gk.errors import ConfigError

TOP = Path(__file__).resolve().parent.parent
FUZZ = 10_000 if os.environ.get("GK_FUZZ") == "1" else 300

MINIMAL = """\
hostname = "mail.example.org"
domains  = ["example.org"]
data     = "/var/lib/gk"

[smtp]                                # each a list of "address:port"
mx          = ["0.0.0.0:25"]
submission  = ["0.0.0.0:587"]
submissions = ["0.0.0.0:465"]
[imap]
starttls = ["0.0.0.0:143"]
tls      = ["0.0.0.0:993"]
[http]
https = ["0.0.0.0:443"]
http  = ["0.0.0.0:80"]
[dns]
resolver = []
[outbound]
port = 25
smarthost = ""
[security]
require_tls = true
[limits]
connections_per_address = 30
new_connections_per_minute = 300
sessions_per_user = 15
"""


def write(directory: Path, text: str) -> Path:
    path = directory / "gk.toml"
    path.write_text(text)
    return path


def said(path: Path, **environ: str) -> str:
    """The one line a wrong configuration is refused with."""
    with pytest.raises(ConfigError) as caught:
        load(path, environ)
    text = str(caught.value)
    assert "\n" not in text
    return text


def wrong(directory: Path, text: str) -> str:
    return said(write(directory, 'domains = ["example.org"]\n' + text))


def test_the_minimal_file_loads(tmp_path: Path) -> None:
    config = load(write(tmp_path, MINIMAL), {})
    assert config.hostname == "mail.example.org" and config.domains == ("example.org",)
    assert config.data == Path("/var/lib/gk")
    assert config.http.https == ("0.0.0.0:443",)
    assert config.limits == Limits()


def test_three_keys_are_enough_and_the_data_lies_beside_the_file(tmp_path: Path) -> None:
    config = load(write(tmp_path, 'hostname = "mail.example.org"\ndomains = "example.org"\n'), {})
    assert config.data == tmp_path / "data"
    assert config.domains == ("example.org",)
    assert config.path == tmp_path / "gk.toml"


def test_the_table_of_limits_names_every_limit_and_no_other() -> None:
    text = (TOP / "docs/limits.md").read_text()
    named = set(re.findall(r"`(?:limits\.|bans\.)?([a-z_]+)`", text))
    for table in (Limits, Bans):
        known = {field.name for field in dataclasses.fields(table)}
        assert known - named == ({"enabled"} if table is Bans else set())
    keys = {name for name, default, _ in documented() if default is not None}
    assert set(re.findall(r"`((?:limits|bans)\.[a-z_]+)`", text)) <= keys


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[smtp]\nmxx = []", "unknown key smtp.mxx; did you mean smtp.mx?"),
        ("[limit]\nrecipients = 5", "unknown key limit; did you mean limits?"),
        ("require_tls = false", "unknown key require_tls; did you mean security.require_tls?"),
        ("[limits]\nrecipients = 0", "limits.recipients must be a whole number from 1 to"),
        ("[limits]\nrecipients = -1", "limits.recipients must be a whole number from 1 to"),
        ("[limits]\nrecipients = true", "limits.recipients must be a whole number"),
        ("[limits]\nrecipients = 1.5", "limits.recipients must be a whole number"),
        (f"[limits]\nrecipients = {10**30}", "limits.recipients must be a whole number"),
        ('[limits]\nrecipients = "5"', "limits.recipients must be a whole number"),
        ("[security]\nrequire_tls = 0", "security.require_tls must be true or false, not 0"),
        ("hostname = 5", "hostname must be a text in quotes"),
        ("hostname = 1979-05-27", "hostname must be a text in quotes"),
        ('hostname = "mail\\r\\nEvil: yes"', "hostname must be a text in quotes, of printable characters"),
        ('hostname = "mail example"', 'hostname must be a name like "mail.example.org"'),
        ('hostname = "-mail.example"', 'hostname must be a name like "mail.example.org"'),
        ('hostname = "mäil.example"', 'hostname must be a name like "mail.example.org"'),
        ("smtp = 5", "smtp must be a table"),
        ("[smtp]\nmx = 25", "smtp.mx must be a list, not 25"),
        ("[smtp]\nmx = [25]", "smtp.mx must be a text in quotes"),
        ('[smtp]\nmx = ["25"]', 'smtp.mx: "25" is not "address:port"'),
        ('[smtp]\nmx = ["0.0.0.0:65536"]', 'is not "address:port"'),
        ('[smtp]\nmx = ["0.0.0.0:' + "9" * 5000 + '"]', 'is not "address:port"'),
        ('[smtp]\nmx = ["mail.example.org:25"]', '"mail.example.org" is no IP address'),
        ('[dns]\nresolver = ["localhost:53"]', "must be an address, not a name"),
        ('[log]\nlevel = "loud"', 'log.level must be one of debug, info, warning, error, not "loud"'),
        ('[log]\nformat = "xml"', 'log.format must be one of text, json, not "xml"'),
        ('[outbound]\nsmarthost_tls = "maybe"', "outbound.smarthost_tls must be one of starttls, tls, none"),
        ('[outbound]\nsmarthost = "isp"', 'outbound.smarthost: "isp" is not "address:port"'),
        ("[outbound]\nretry_minutes = []", "outbound.retry_minutes needs at least one pause"),
        ("[outbound]\nretry_minutes = [0]", "outbound.retry_minutes must be a whole number from 1"),
        ("[outbound]\nport = 70000", "outbound.port must be a port"),
        (
            '[outbound]\nsmarthost = "isp.test:25"\nsmarthost_user = "me"\nsmarthost_tls = "none"',
            "would send the password to isp.test in clear",
        ),
        ("[security]\nrequire_tls = false", "require_tls = false is for loopback only, but smtp.submission listens on"),
        ('[aliases]\ninfo = ["ann@example.org"]', 'aliases."info" needs an @'),
        ('[aliases]\n"info@example.org" = ["ann"]', 'leads to "ann", which is no address'),
        ('[aliases]\n"info@example.org" = ["@example.org"]', 'only a domain can be "@example.org"'),
        (
            '[aliases]\n"@example.org" = ["@elsewhere.test"]',
            'only a domain can be "@elsewhere.test", and one in domains',
        ),
        ('[reports]\naddress = "ann@elsewhere.test"', "reports.address must be an address at one of domains"),
        ('[bans]\nnever = ["the office"]', 'bans.never: "the office" is no address or network'),
        ("[bans]\nfirst_minutes = 0", "bans.first_minutes must be a whole number from 1"),
        ('[clamd]\nfail = "maybe"', 'clamd.fail must be open or closed, not "maybe"'),
        ('[clamd]\naddress = "clamd"', 'clamd.address: "clamd" is not "address:port"'),
        ('[rspamd]\naddress = "/run/rspamd"', 'rspamd.address: "/run/rspamd" is not "address:port"'),
        ('[spam]\nenabled = false\n[rspamd]\naddress = "h:1"', "rspamd.address needs spam.enabled = true"),
        ('[reports]\naddress = "ann"', "reports.address must be an address at one of domains"),
        ("[reports]\nsend = true", "reports.send needs reports.address"),
        ("domains = []", "Cannot overwrite"),
        ("x = " + "[" * 5000, "nested too deeply"),
        ("not toml", "gk.toml: "),
        ("[tls]\ncertificates = [{ chain = 'a', kee = 'b' }]", "unknown key tls.certificates.kee; did you mean"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line_that_names_it(tmp_path: Path, text: str, expected: str) -> None:
    line = wrong(tmp_path, text)
    assert expected in line
    assert line.startswith(str(tmp_path / "gk.toml"))


def test_a_file_without_domains_is_refused(tmp_path: Path) -> None:
    assert 'domains is empty; write domains = ["example.org"]' in said(write(tmp_path, ""))
    assert "'a b' is no domain" in said(write(tmp_path, 'domains = ["a b"]'))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert "no such file" in said(tmp_path / "absent.toml")
    assert "Is a directory" in said(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'hostname = "\xe9"')
    assert "latin.toml" in said(tmp_path / "latin.toml")


def test_plain_text_logins_are_for_loopback_only(tmp_path: Path) -> None:
    doors = '[smtp]\nsubmission = ["{0}:587"]\nsubmissions = []\n[imap]\nstarttls = ["{0}:143"]\ntls = []\n'
    head = 'domains = ["example.org"]\n[security]\nrequire_tls = false\n'
    for host in ("127.0.0.1", "127.9.9.9", "[::1]", "localhost"):
        load(write(tmp_path, head + doors.format(host)), {})
    for host in ("0.0.0.0", "192.0.2.1", "[::]"):
        assert "loopback only" in said(write(tmp_path, head + doors.format(host)))


def test_the_overlay_of_the_data_directory_wins(tmp_path: Path) -> None:
    path = write(tmp_path, 'domains = ["example.org"]\n[limits]\nrecipients = 5\nkeywords = 7\n')
    config = load(path, {})
    overlay = set_local(config, "limits.recipients", "9")
    assert overlay == tmp_path / "data" / "gk.local.toml"
    assert overlay.stat().st_mode & 0o777 == 0o600
    again = load(path, {})
    assert (again.limits.recipients, again.limits.keywords) == (9, 7)
    assert path.read_text().endswith("recipients = 5\nkeywords = 7\n")


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("log.level", "debug", {"log": {"level": "debug"}}),
        ("log.level", '"debug"', {"log": {"level": "debug"}}),
        ("smtp.mx", '["127.0.0.1:25"]', {"smtp": {"mx": ["127.0.0.1:25"]}}),
        ("security.require_tls", "true", {"security": {"require_tls": True}}),
        (
            'aliases."info@example.org"',
            '["ann@example.org"]',
            {"aliases": {"info@example.org": ["ann@example.org"]}},
        ),
    ],
)
def test_a_key_is_set_with_a_toml_value_or_a_plain_text(tmp_path: Path, key: str, text: str, expected: Any) -> None:
    config = load(write(tmp_path, 'domains = ["example.org"]'), {})
    assert tomllib.loads(set_local(config, key, text).read_text()) == expected


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("limits.recipients", "many"),
        ("limits.recipient", "5"),
        ("data", "/elsewhere"),
        ("", "5"),
        ("a b", "5"),
        ("log.level", "de\nbug"),
        ("log\n.level", "debug"),
        ("hostname", "\udcff"),
        ("log", "[" * 5000),
    ],
)
def test_a_wrong_key_is_not_set(tmp_path: Path, key: str, text: str) -> None:
    config = load(write(tmp_path, 'domains = ["example.org"]'), {})
    with pytest.raises(ConfigError):
        set_local(config, key, text)
    assert not (tmp_path / "data" / "gk.local.toml").exists()


def test_a_fault_in_the_overlay_is_said_under_its_name(tmp_path: Path) -> None:
    path = write(tmp_path, 'domains = ["example.org"]')
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "gk.local.toml").write_text("[log]\nlevl = 'debug'")
    assert said(path).startswith(str(tmp_path / "data" / "gk.local.toml"))


def test_environment_variables_stand_for_their_keys(tmp_path: Path) -> None:
    path = write(tmp_path, 'domains = ["example.org"]')
    assert load(path, {"LOG_LEVEL": "WARNING"}).log.level == "warning"
    assert load(path, {"DEBUG": "True"}).log.level == "debug"
    assert load(path, {"DEBUG": "0"}).log.level == "info"
    assert load(path, {"EMAIL_DOMAIN": "a.test, b.test"}).domains == ("a.test", "b.test")
    assert load(write(tmp_path, ""), {"EMAIL_DOMAIN": "a.test"}).domains == ("a.test",)


def test_a_wrong_environment_variable_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, 'domains = ["example.org"]')
    assert said(path, LOG_LEVEL="loud").startswith("$LOG_LEVEL: log.level must be one of")
    assert said(path, EMAIL_DOMAIN="a b").startswith("$EMAIL_DOMAIN: domains")


def test_a_database_url_names_the_data_directory(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL)
    assert load(path, {"DATABASE_URL": "sqlite:////srv/mail"}).data == Path("/srv/mail")
    assert load(path, {"DATABASE_URL": "sqlite:////srv/mail/gk.db"}).data == Path("/srv/mail")
    assert load(path, {"DATABASE_URL": "sqlite:///here"}).data == tmp_path / "here"
    assert "PostgreSQL is not supported yet" in said(path, DATABASE_URL="postgresql://u:p@db/gk")
    assert "PostgreSQL is not supported yet" in said(path, DATABASE_URL="postgresql+asyncpg://db/gk")
    for url in ("sqlite://", "sqlite:///", "mysql://db/gk", "nonsense"):
        assert "must be sqlite:///directory" in said(path, DATABASE_URL=url)


def test_a_redis_url_is_answered_with_a_note() -> None:
    assert "not needed" in notes({"REDIS_URL": "redis://localhost"})[0]
    assert notes({}) == []


def test_without_a_file_anywhere_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(configuration.reading, "DEFAULT_FILES", (Path("gk.toml"),))
    with pytest.raises(ConfigError, match=r"gk init you@example\.org"):
        load(None, {})


@pytest.mark.parametrize(
    ("text", "parts"),
    [("0.0.0.0:25", ("0.0.0.0", 25)), ("[::1]:993", ("::1", 993)), ("a.test:0", ("a.test", 0))],
)
def test_an_endpoint_is_an_address_and_a_port(text: str, parts: tuple[str, int]) -> None:
    assert endpoint(text) == parts


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from([name.split(".")[0] for name, _, _ in documented()]) | st.text(max_size=6)
inner_names = st.sampled_from([name.split(".")[-1] for name, _, _ in documented()]) | st.text(max_size=6)


@given(st.dictionaries(names, values | st.dictionaries(inner_names, values, max_size=4), max_size=5))
@settings(max_examples=FUZZ)
def test_no_tree_of_values_raises_anything_but_a_config_error(tree: dict[str, Any]) -> None:
    try:
        assert isinstance(parse(tree), Config)
    except ConfigError as error:
        assert "\n" not in str(error)


@given(st.text(max_size=200) | st.binary(max_size=200))
@settings(max_examples=FUZZ)
def test_no_file_raises_anything_but_a_config_error(content: str | bytes) -> None:
    path = Path(tempfile.gettempdir()) / f"gk-config-{os.getpid()}.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    try:
        load(path, {})
    except ConfigError as error:
        assert "\n" not in str(error)
    finally:
        path.unlink()


@given(st.text(max_size=60), st.text(max_size=60))
@settings(max_examples=FUZZ)
def test_no_key_that_is_set_raises_anything_but_a_config_error(key: str, text: str) -> None:
    try:
        configuration.reading._assignment(key, text)
    except ConfigError:
        pass


def test_the_configuration_is_shown_as_toml_that_gives_the_same_again(tmp_path: Path) -> None:
    config = load(write(tmp_path, MINIMAL), {})
    again = load(write(tmp_path, tomli_w.dumps(as_tree(config))), {})
    assert again == config


def test_the_sample_file_is_up_to_date_and_names_every_key() -> None:
    made = subprocess.run(
        [sys.executable, TOP / "scripts" / "make_sample_config.py", "-"], capture_output=True, text=True, check=True
    ).stdout
    assert (TOP / "gk.toml").read_text() == made, "run scripts/make_sample_config.py"
    load(TOP / "gk.toml", {})
    for name, _, doc in documented():
        assert doc, name
        key = name.rpartition(".")[2]
        assert f"[{key}]\n" in made or f"{key} = " in made, name


def test_every_default_of_the_sample_file_can_be_taken_out_of_its_comment(tmp_path: Path) -> None:
    text = (TOP / "gk.toml").read_text()
    lines = [line.removeprefix("# ") if re.match(r'# [\w"@.]+ = ', line) else line for line in text.splitlines()]
    config = load(write(tmp_path, "\n".join(lines).replace('"ann@example.org"', '"ann@example.org"')), {})
    assert config.limits == Limits()
    assert config.aliases == {"info@example.org": ("ann@example.org",)}


def test_every_limit_has_a_default_within_its_bounds() -> None:
    parse(as_tree(Config(domains=("example.org",))))


ROUTE = '[[outbound.routes]]\ndomains = ["far.test"]\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ROUTE + "hots = 1", "unknown key outbound.routes.hots; did you mean outbound.routes.host?"),
        (ROUTE + 'host = "relay.test"', 'outbound.routes.host: "relay.test" is not "address:port"'),
        (ROUTE + 'host = "relay.test:0"', "no port"),
        (ROUTE + 'tls = "maybe"', "outbound.routes.tls must be one of starttls, tls, none"),
        (ROUTE + 'user = "me"', "outbound.routes.user needs a host"),
        (ROUTE + 'host = "r.test:25"\nuser = "me"', "outbound.routes.user and routes.password_file go together"),
        (
            ROUTE + 'host = "r.test:25"\npassword_file = "p"',
            "outbound.routes.user and routes.password_file go together",
        ),
        (
            ROUTE + 'host = "r.test:25"\nuser = "me"\npassword_file = "p"\ntls = "none"',
            'outbound.routes.tls = "none" would send the password to r.test in clear',
        ),
        (ROUTE + ROUTE, 'outbound.routes.domains: "far.test" is in two routes'),
        (ROUTE.replace("far", "FAR") + ROUTE, "is in two routes"),
        ("[[outbound.routes]]\ndomains = []", "a route needs domains"),
        ('[[outbound.routes]]\ndomains = ["a b"]', 'outbound.routes.domains: "a b" is no domain'),
        ('[[outbound.routes]]\ndomains = ["*.far.test"]', 'outbound.routes.domains: "*.far.test" is no domain'),
        ('[outbound]\nsmarthost = "isp.test:25"\n[[outbound.routes]]\ndomains = ["*"]', "both take everything else"),
        ('[outbound]\nsmarthost = "isp.test:25"\nsmarthost_user = "me"', "smarthost_password_file go together"),
        ('[outbound.source]\n"example.org" = ["mail"]', 'outbound.source."example.org": "mail" is no IP address'),
        ('[outbound.source]\n"example.org" = []', 'outbound.source."example.org" is empty'),
        ('[outbound.source]\n"example.org" = ["192.0.2.1", "192.0.2.2"]', "has two addresses of IPv4"),
        ('[outbound.source]\n"example.org" = ["0.0.0.0"]', '"0.0.0.0" is no address mail can leave from'),
        ('[outbound.source]\n"@example.org" = ["192.0.2.1"]', '"@example.org" is no domain'),
    ],
)
def test_a_way_out_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in wrong(tmp_path, text)


def test_routes_and_sources_are_read_as_they_are_written(tmp_path: Path) -> None:
    text = """
[[outbound.routes]]
domains = ["far.test", ".below.test"]
host = "relay.test:465"
user = "me"
password_file = "password"
tls = "tls"
[[outbound.routes]]
domains = "*"
[outbound.source]
"Example.org" = ["192.0.2.1", "2001:db8::1"]
"*" = "192.0.2.2"
"""
    outbound = load(write(tmp_path, MINIMAL.replace('[outbound]\nport = 25\nsmarthost = ""\n', "") + text), {}).outbound
    assert [route.domains for route in outbound.routes] == [("far.test", ".below.test"), ("*",)]
    assert outbound.routes[0].host == "relay.test:465" and outbound.routes[0].tls == "tls"
    assert outbound.routes[1].host == "" and outbound.routes[1].tls == "starttls"
    assert outbound.source == {"example.org": ("192.0.2.1", "2001:db8::1"), "*": ("192.0.2.2",)}


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ('url = "127.0.0.1:11434"\nmodel = "m"', "must be like"),
        ('url = "http://user:secret@127.0.0.1/v1"\nmodel = "m"', "must be like"),
        ('url = "http://[::1/v1"\nmodel = "m"', "must be like"),
        ('url = "http://models.example.net/v1"\nmodel = "m"', "in clear to loopback only"),
        ('url = "https://models.example.net/v1"', "model is missing"),
    ],
)
def test_a_model_that_cannot_be_asked_is_refused(model: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "gk.toml"
    path.write_text(f'domains = ["example.org"]\n[[ai.models]]\n{model}\n')
    with pytest.raises(ConfigError, match=why) as refused:
        load(path, {})
    assert "secret" not in str(refused.value)
    path.write_text('domains = ["example.org"]\n[[ai.models]]\nurl = "http://localhost:11434/v1"\nmodel = "m"\n')
    assert load(path, {}).ai.models[0].seconds == 60
