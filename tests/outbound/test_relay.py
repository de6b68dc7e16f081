"""Which server of the configuration takes whose mail, under which login, and that no session is used for another's."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from gk.config import Config, Outbound, OutboundRoute
from gk.errors import ConfigError
from gk.outbound.relay import Relay, Relays
from gk.tls.certs import make
from tests.outbound.conftest import Post
from tests.strangers import Drop, MxSession

ONE, TWO, THREE = (Relay(f"{name}.test", 25, "none", None) for name in ("one", "two", "three"))


@pytest.mark.parametrize(
    ("domain", "relay"),
    [
        ("far.test", ONE), ("FAR.test", ONE), ("far.test.", ONE), ("a.far.test", THREE),
        ("below.test", THREE), ("a.below.test", TWO), ("a.b.c.below.test", TWO), ("own.below.test", None),
        ("deep.own.below.test", TWO), ("notbelow.test", THREE), ("münchen.test", ONE), ("xn--mnchen-3ya.test", ONE),
        ("[192.0.2.1]", THREE), ("test", THREE), ("", THREE), (".", THREE), (".".join("a" * 4000), THREE),
    ],
)  # fmt: skip
def test_the_most_exact_route_takes_the_mail(domain: str, relay: Relay | None) -> None:
    routes = {"far.test": ONE, "münchen.test": ONE, ".below.test": TWO, "own.below.test": None}
    assert Relays(routes, THREE).to(domain) == relay
    assert Relays({**routes, "*": THREE}).to(domain) == relay


def test_without_routes_every_domain_has_its_own_servers() -> None:
    assert Relays.of(Config()).to("far.test") is None


def config(path: Path, **route: str) -> Config:
    given = {"user": "me", "password_file": "password"} | route
    return Config(
        path=path / "gk.toml", outbound=Outbound(routes=(OutboundRoute(("far.test",), "r.test:465", **given),))
    )


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (None, 0o600, "No such file"), (b"", 0o600, "must hold one password"), (b"two\nlines", 0o600, "must hold one"),
        (b"\xff\xfe", 0o600, "no text in UTF-8"), (b"x" * 5000, 0o600, "must hold one"),
        (b"s3cr3t\n", 0o604, "open to every user"),
    ],
)  # fmt: skip
def test_a_password_file_that_will_not_do_stops_the_start(
    tmp_path: Path, content: bytes | None, mode: int, why: str
) -> None:
    if content is not None:
        (tmp_path / "password").write_bytes(content)
        (tmp_path / "password").chmod(mode)
    with pytest.raises(ConfigError, match=why) as caught:
        Relays.of(config(tmp_path))
    assert "outbound.routes.password_file" in str(caught.value) and "s3cr3t" not in str(caught.value)


def test_a_password_is_read_once_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "password").touch(0o600)
    (tmp_path / "password").write_text("s3cr3t\n")
    relay = Relays.of(config(tmp_path)).to("far.test")
    assert relay is not None and relay.password == "s3cr3t"
    assert "s3cr3t" not in repr(relay)


def test_authorities_that_cannot_be_read_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(ConfigError, match=r"outbound\.routes\.ca: .*ca\.pem must be a PEM file"):
        Relays.of(config(tmp_path, ca="ca.pem", user="", password_file=""))


# --- over real sockets ------------------------------------------------------------------------------------------------


@pytest.fixture
def tls(tmp_path: Path) -> Callable[[str], tuple[ssl.SSLContext, ssl.SSLContext]]:
    """A server's context with a certificate for a name, and a client's that believes it."""

    def contexts(name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        chain, key = tmp_path / f"{name}.pem", tmp_path / f"{name}.key"
        make(chain, key, [name])
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(chain, key)
        return server, ssl.create_default_context(cafile=chain)

    return contexts


Tls = Callable[[str], tuple[ssl.SSLContext, ssl.SSLContext]]


def relayed(post: Post, **routes: Relay | None) -> None:
    """Send by these routes, named by the first label of their domains in .test."""
    post.courier._relays = Relays({f"{name}.test": relay for name, relay in routes.items()})


async def test_one_domain_goes_to_its_relay_with_a_login_and_another_to_its_own_servers(post: Post, tls: Tls) -> None:
    server, client = tls("relay.test")
    own = await post.stranger()
    mx = await post.mx("127.0.0.3", tls=server, extensions=("AUTH PLAIN", "PIPELINING"))
    post.zone.add("relay.test", "A", "127.0.0.3")
    relayed(post, near=Relay("relay.test", post.port, "starttls", client, "me", "s3cr3t"))
    (answer,) = await post.deliver("yves@near.test")
    assert answer.accepted and answer.remote == "relay.test" and answer.tls == "TLSv1.3"
    assert "AUTH PLAIN AG1lAHMzY3IzdA==" in mx.lines
    (answer,) = await post.deliver("zoe@far.test")
    assert answer.accepted and answer.remote == "mx0.far.test"
    assert not [line for line in own.lines if line.startswith("AUTH")]


async def test_a_session_is_used_again_for_the_same_login_and_for_no_other(post: Post, tls: Tls) -> None:
    server, client = tls("relay.test")
    mx = await post.mx("127.0.0.3", tls=server, implicit=True, extensions=("AUTH PLAIN", "PIPELINING"))
    post.zone.add("relay.test", "A", "127.0.0.3")
    ann, bob = (Relay("relay.test", post.port, "tls", client, user, "s3cr3t") for user in ("ann", "bob"))
    anonymous = Relay("relay.test", post.port, "tls", client)
    relayed(post, one=ann, two=ann, three=bob, four=anonymous)
    sessions = []
    for domain in ("one", "two", "three", "four", "one"):
        (answer,) = await post.deliver(f"zoe@{domain}.test")
        assert answer.accepted
        sessions.append(mx.sessions)
    assert sessions == [1, 1, 2, 3, 3]
    assert len([line for line in mx.lines if line.startswith("AUTH")]) == 2


async def test_a_relay_and_an_exchanger_at_the_same_address_share_no_session(post: Post) -> None:
    mx = await post.stranger()
    post.zone.add("mx0.far.test", "A", "127.0.0.2")
    relayed(post, near=Relay("mx0.far.test", post.port, "none", None))
    for recipient in ("zoe@far.test", "yves@near.test"):
        (answer,) = await post.deliver(recipient)
        assert answer.accepted
    assert mx.sessions == 2


@pytest.mark.parametrize("extensions", [("AUTH PLAIN",), ("PIPELINING",)])
async def test_a_relay_without_starttls_gets_neither_login_nor_mail(
    post: Post, tls: Tls, extensions: tuple[str, ...]
) -> None:
    mx = await post.mx("127.0.0.3", extensions=extensions)
    post.zone.add("relay.test", "A", "127.0.0.3")
    relayed(post, far=Relay("relay.test", post.port, "starttls", tls("relay.test")[1], "me", "s3cr3t"))
    (answer,) = await post.deliver()
    assert answer.code == 0 and "STARTTLS" in answer.text
    assert not [line for line in mx.lines if line.startswith(("AUTH", "MAIL"))]


async def test_a_relay_with_anothers_certificate_gets_nothing(post: Post, tls: Tls) -> None:
    server, client = tls("elsewhere.test")
    mx = await post.mx("127.0.0.3", tls=server, extensions=("AUTH PLAIN",))
    post.zone.add("relay.test", "A", "127.0.0.3")
    relayed(post, far=Relay("relay.test", post.port, "starttls", client, "me", "s3cr3t"))
    (answer,) = await post.deliver()
    assert answer.code == 0 and "TLS failed" in answer.text
    assert not [line for line in mx.lines if line.startswith(("AUTH", "MAIL"))]


async def test_a_login_in_clear_stays_on_this_machine(post: Post) -> None:
    """The configuration allows it for loopback only; what is checked again is where the connection leads."""
    mx = await post.mx("127.0.0.3", extensions=("AUTH PLAIN",))
    relayed(post, far=Relay("127.0.0.3", post.port, "none", None, "me", "s3cr3t"))
    assert (await post.deliver())[0].accepted
    assert "AUTH PLAIN AG1lAHMzY3IzdA==" in mx.lines


@pytest.mark.parametrize(
    "echo", [b"535 5.7.8 AUTH PLAIN AG1lAHMzY3IzdA== is wrong\r\n", b"535 s3cr3t?\r\n", b"535 czNjcjN0\r\n"]
)
async def test_a_password_that_is_echoed_is_not_kept(post: Post, echo: bytes, caplog: pytest.LogCaptureFixture) -> None:
    await post.mx("127.0.0.3", {"AUTH": echo}, extensions=("AUTH PLAIN",))
    relayed(post, far=Relay("127.0.0.3", post.port, "none", None, "me", "s3cr3t"))
    (answer,) = await post.deliver()
    assert (answer.code, answer.text) == (0, "535 the server repeats what it was sent")
    assert "s3cr3t" not in caplog.text and "czNjcjN0" not in caplog.text


async def test_what_a_relay_says_of_a_login_defers_and_is_shown(post: Post) -> None:
    await post.mx("127.0.0.3", {"AUTH": b"535 5.7.8 no such account\r\n"}, extensions=("AUTH PLAIN",))
    relayed(post, far=Relay("127.0.0.3", post.port, "none", None, "me", "s3cr3t"))
    (answer,) = await post.deliver()
    assert (answer.code, answer.text) == (0, "535 5.7.8 no such account")


async def test_a_relay_that_closes_at_the_login_defers(post: Post) -> None:
    async def close(session: MxSession) -> None:
        raise Drop

    await post.mx("127.0.0.3", {"AUTH": close}, extensions=("AUTH PLAIN",))
    relayed(post, far=Relay("127.0.0.3", post.port, "none", None, "me", "s3cr3t"))
    (answer,) = await post.deliver()
    assert answer.code == 0
