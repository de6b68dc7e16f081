"""The tables of gk.toml: one frozen dataclass each, a key's `doc` is its reference."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gk.config.abuse import Bans, Greylist
from gk.config.ai import Ai
from gk.config.key import key
from gk.config.remote import Remote
from gk.config.replies import Replies
from gk.config.retention import Retention
from gk.config.scanners import Clamd, Rspamd
from gk.config.triage import Triage


@dataclass(frozen=True, slots=True)
class Smtp:
    """Mail from other servers and from users' programs."""

    mx: tuple[str, ...] = key(("0.0.0.0:25",), "Where other servers deliver mail.")
    submission: tuple[str, ...] = key(("0.0.0.0:587",), "Where users send mail: STARTTLS, then AUTH.")
    submissions: tuple[str, ...] = key(("0.0.0.0:465",), "Where users send mail: TLS from the first byte.")


@dataclass(frozen=True, slots=True)
class Imap:
    """Where users read mail."""

    starttls: tuple[str, ...] = key(("0.0.0.0:143",), "IMAP with STARTTLS.")
    tls: tuple[str, ...] = key(("0.0.0.0:993",), "IMAP with TLS from the first byte.")


@dataclass(frozen=True, slots=True)
class Managesieve:
    """Where users' programs put Sieve scripts."""

    listen: tuple[str, ...] = key((), 'ManageSieve with STARTTLS; usually ["0.0.0.0:4190"], which «gk init» writes.')


@dataclass(frozen=True, slots=True)
class Http:
    """Reserved for the web pages; nothing listens there yet."""

    https: tuple[str, ...] = key((), "HTTPS listeners; accepted, not served yet.")
    http: tuple[str, ...] = key((), "HTTP listeners; accepted, not served yet.")


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate for the names in it."""

    chain: str = key("", "PEM file: the certificate, then its issuers.")
    key: str = key("", "PEM file of the private key, readable by the service only.")


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificates; without any, one is made and signed by GK itself at the first start."""

    certificates: tuple[Certificate, ...] = key(
        (), "PEM files, one entry per certificate: { chain = ..., key = ... }; the client's SNI chooses."
    )


@dataclass(frozen=True, slots=True)
class Dns:
    """Name resolution."""

    resolver: tuple[str, ...] = key((), 'Resolvers as "address:port"; empty: those of the system.')
    validating: bool = key(
        False, "The resolvers check DNSSEC, and nobody is between them and GK; needed for DANE, not on loopback."
    )


@dataclass(frozen=True, slots=True)
class OutboundRoute:
    """How mail to some domains leaves."""

    domains: tuple[str, ...] = key(
        (), '"example.com" is that domain, ".example.com" every one below it, "*" all that no route names.'
    )
    host: str = key("", '"host:port" that takes the mail; empty: each domain\'s own MX, whatever the smarthost is.')
    user: str = key("", "Login there; empty: none.")
    password_file: str = key("", "File that holds the password, readable by the service only.")
    tls: str = key("starttls", "starttls (required), tls (from the first byte) or none.")
    ca: str = key("", "PEM file of the authorities believed there; empty: those of the system.")


@dataclass(frozen=True, slots=True)
class Outbound:
    """Mail to other servers."""

    port: int = key(25, "Port of the MX hosts.")
    smarthost: str = key("", '"host:port" that takes all outgoing mail; empty: each domain\'s own MX.')
    smarthost_user: str = key("", "Login at the smarthost; empty: none.")
    smarthost_password_file: str = key("", "File that holds the password for the smarthost.")
    smarthost_tls: str = key("starttls", "starttls (required), tls (from the first byte) or none.")
    routes: tuple[OutboundRoute, ...] = key(
        (),
        "Other ways for some domains, each an [[outbound.routes]]: "
        "{ domains = [...], host = ..., user = ..., password_file = ..., tls = ..., ca = ... }.",
    )
    source: Mapping[str, tuple[str, ...]] = key(
        {},
        'Addresses of this machine mail leaves from, by the sender\'s domain: "example.org" = ["192.0.2.1", '
        '"2001:db8::1"], at most one of a family, and only to servers of these families; "*" is for the others.',
    )
    retry_minutes: tuple[int, ...] = key((2, 4, 8, 16, 32, 60), "Pauses between attempts; the last one repeats.")
    expire_hours: int = key(120, "How long a message is tried before its sender is told it failed.")
    warn_hours: int = key(4, "When the sender is told that a message is late.")
    batch: int = key(10, "Queued messages claimed at once.")
    per_domain: int = key(20, "Connections to one domain at once.")
    per_address: int = key(2, "Connections to one MX address at once.")
    tls_ca: str = key("", "PEM file of the authorities believed for MTA-STS; empty: those of the system.")


@dataclass(frozen=True, slots=True)
class Judge:
    """Who really sent mail from other servers, and what becomes of forgeries."""

    enabled: bool = key(True, "Mail from other servers is judged before it is accepted.")
    trusted: tuple[str, ...] = key(
        ("127.0.0.0/8", "::1"), "Addresses and networks of clients whose mail is taken unjudged: relays of one's own."
    )
    dmarc: str = key(
        "enforce", "enforce: refuse or file as junk as the author's domain asks; quarantine: never refuse; or off."
    )
    dmarc_domains: Mapping[str, str] = key(
        {}, 'The same for single domains, or reject: "example.net" = "off" where their own mail fails.'
    )
    trusted_sealers: tuple[str, ...] = key(
        (), "Domains whose ARC seal is believed where DMARC fails: mailing lists and forwarders one uses."
    )
    dns_seconds: int = key(10, "What all DNS questions about one message may take; what has no answer then is open.")


@dataclass(frozen=True, slots=True)
class Spam:
    """Which mail of other servers is junk. Users who move mail into or out of Junk teach what is junk for them."""

    enabled: bool = key(True, "Mail that is judged is scored; without, only the author's domain makes junk.")
    junk: float = key(5.0, "Points from which a message goes to Junk.")
    refuse: float = key(0.0, "Points from which a message is not taken at all; 0: never, Junk is enough.")
    points: Mapping[str, float] = key(
        {}, "Points of single rules in place of their own, by the names «gk why» shows: pretends_a_brand = 0 is never."
    )
    lists: Mapping[str, float] = key(
        {},
        'DNS lists to ask about clients, and their points: "zen.example.net" = 3.0; less than 0 for lists one trusts.',
    )
    dangerous: tuple[str, ...] = key(
        (), "Endings of names of attached files that count as programs, besides those known as such: zip."
    )


@dataclass(frozen=True, slots=True)
class Reports:
    """What others report of mail in one's name, and what they are told."""

    address: str = key("", "Address here that reports come to, named in rua= of one's records; ours are sent from it.")
    mailbox: str = key("INBOX", "The mailbox of that address's account «gk reports» reads.")
    send: bool = key(
        False, "DMARC and TLS reports are sent once a day to the domains that ask for them; needs reports.address."
    )


@dataclass(frozen=True, slots=True)
class Security:
    """What is never given up, except on loopback."""

    require_tls: bool = key(True, "No password before TLS; false is accepted on loopback listeners only.")


@dataclass(frozen=True, slots=True)
class Rules:
    """Where users' mail goes."""

    tag_to_folder: bool = key(True, "Mail for user+folder@ goes into the mailbox «folder» of the user, if it is there.")


@dataclass(frozen=True, slots=True)
class Limits:
    """Every bound on what strangers and users can make GK do."""

    message_bytes: int = key(50 << 20, "Largest message, announced by SIZE and APPENDLIMIT.")
    recipients: int = key(1000, "Recipients of one message from a logged-in user.")
    recipients_from_strangers: int = key(100, "Recipients of one message from anybody else.")
    command_line: int = key(4096, "Bytes of an SMTP command line.")
    text_line: int = key(64 << 10, "Bytes of one line of a message.")
    header_bytes: int = key(1 << 20, "Bytes of a message's header section.")
    received_fields: int = key(50, "Received fields before a message counts as looping.")
    errors_before_delay: int = key(10, "SMTP errors of a session answered without delay.", 0)
    errors_per_session: int = key(20, "SMTP errors after which a session is closed.")
    unknown_recipients_before_delay: int = key(5, "Unknown recipients of a session answered without delay.", 0)
    unknown_recipients: int = key(20, "Unknown recipients after which a session is closed.")
    banner_seconds: int = key(60, "From the banner to EHLO.")
    command_seconds: int = key(60, "Wait for the next SMTP command.")
    data_seconds: int = key(120, "Wait for the next block of a message.")
    session_seconds: int = key(1200, "An SMTP session without a finished transaction.")
    stress_seconds: int = key(
        10, "The SMTP waits above, and that for a login, while more than 80 % of the connections are taken."
    )
    connections: int = key(2000, "Connections in all, per protocol.")
    connections_per_address: int = key(30, "Connections from one address.")
    connections_per_network: int = key(120, "Connections from one /24 or /56.")
    connections_before_login: int = key(500, "IMAP connections not logged in yet.")
    new_connections_per_minute: int = key(300, "New connections from one address a minute.")
    login_failures_before_delay: int = key(5, "Failed logins of an address answered without delay.", 0)
    login_failures_per_minute: int = key(10, "Failed logins of an address a minute; three times that per network.")
    login_failures_per_day: int = key(50, "Failed logins of an address a day; three times that per network.")
    login_failures_per_account: int = key(100, "Failed logins of an account a day before new addresses must wait.")
    login_seconds: int = key(60, "From an IMAP or ManageSieve connection to its login.")
    login_line: int = key(8 << 10, "Bytes of an IMAP line before login.")
    login_literals: int = key(4 << 10, "Bytes of IMAP literals before login, in all.")
    login_commands: int = key(20, "IMAP commands before login.")
    line: int = key(64 << 10, "Bytes of an IMAP line after login.")
    literals: int = key(1 << 20, "Bytes of the literals of one IMAP command, APPEND apart.")
    literal_count: int = key(100, "Literals of one IMAP command.")
    nesting: int = key(50, "Depth of parentheses in an IMAP command.")
    pipelined: int = key(1000, "IMAP commands waiting in one session.")
    bad_commands: int = key(20, "IMAP commands that make no sense before the session ends.")
    sessions_per_user: int = key(15, "Sessions of one user from one address, per protocol.")
    idle_minutes: int = key(30, "IMAP session without a command.")
    search_keys: int = key(1000, "Keys of one SEARCH.")
    list_patterns: int = key(50, "Patterns of one LIST.")
    keywords: int = key(500, "Keywords of one mailbox.")
    keyword_bytes: int = key(64, "Bytes of a keyword.")
    mailboxes: int = key(5000, "Mailboxes of one user.")
    messages: int = key(10_000_000, "Messages of one user.")
    quota_bytes: int = key(0, "Bytes of one user's mail, where «gk user quota» says nothing else; 0: no limit.", 0)
    quota_warning: int = key(90, "Percent of that at which the user is warned, once; 0: never.", 0)
    scripts: int = key(100, "Sieve scripts of one user.")
    script_bytes: int = key(64 << 10, "Bytes of a Sieve script.")
    rules: int = key(200, "Rules of one user.")
    rejects: int = key(1000, "Messages that were not taken and are remembered, without their content; 0: none.", 0)
    rejects_days: int = key(30, "For how long.")
    queue_messages: int = key(100_000, "Messages in the outgoing queue.")
    messages_per_day: int = key(
        1000, "Recipients elsewhere one user's messages may have in a day of UTC, each counted; 0: no limit.", 0
    )
    new_recipients_per_day: int = key(200, "Those among them the user never wrote to before; 0: no limit.", 0)
    journal_messages: int = key(10_000, "Delivered messages not yet filed before deliveries wait.")
    journal_bytes: int = key(256 << 20, "Bytes of the same.")
    free_space_bytes: int = key(100 << 20, "Free disk space below which mail is refused, or 5 % if that is less.", 0)


@dataclass(frozen=True, slots=True)
class Log:
    """Standard error, without addresses."""

    level: str = key("info", "debug, info, warning or error.")
    format: str = key("text", "text or json.")


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration, checked."""

    hostname: str = key("localhost", "The name this server calls itself; its MX and certificate carry it.")
    domains: tuple[str, ...] = key((), "Domains whose mail lives here.")
    data: Path = key(Path("data"), "Directory of everything GK keeps; relative to the configuration file.")
    smtp: Smtp = key(Smtp(), "")
    imap: Imap = key(Imap(), "")
    managesieve: Managesieve = key(Managesieve(), "")
    http: Http = key(Http(), "")
    tls: Tls = key(Tls(), "")
    dns: Dns = key(Dns(), "")
    outbound: Outbound = key(Outbound(), "")
    judge: Judge = key(Judge(), "")
    spam: Spam = key(Spam(), "")
    ai: Ai = key(Ai(), "")
    clamd: Clamd = key(Clamd(), "")
    rspamd: Rspamd = key(Rspamd(), "")
    greylist: Greylist = key(Greylist(), "")
    triage: Triage = key(Triage(), "")
    retention: Retention = key(Retention(), "")
    replies: Replies = key(Replies(), "")
    reports: Reports = key(Reports(), "")
    security: Security = key(Security(), "")
    rules: Rules = key(Rules(), "")
    limits: Limits = key(Limits(), "")
    bans: Bans = key(Bans(), "")
    log: Log = key(Log(), "")
    aliases: Mapping[str, tuple[str, ...]] = key(
        {},
        'Addresses that lead to others, here or elsewhere: "info@example.org" = ["ann@example.org", "x@example.net"];'
        ' "@example.org" takes the rest, and as the target of "@example.net" all that is not an account there.',
    )
    remote: tuple[Remote, ...] = key(
        (),
        "Mailboxes users have elsewhere, each a [[remote]]: name, address, owner, host, password_file, smtp_host;"
        " docs/remote.md tells all keys.",
    )
    path: Path | None = field(default=None, metadata={"doc": None})  # where it was read from; not a key


def documented() -> list[tuple[str, Any, str]]:
    """Every key as (dotted name, default, sentence), in the order of the dataclasses; tables come with their docs."""
    rows: list[tuple[str, Any, str]] = []
    for item in dataclasses.fields(Config):
        doc, default = item.metadata["doc"], _default(item)
        if doc is None:
            continue
        if dataclasses.is_dataclass(default):
            rows.append((item.name, None, type(default).__doc__ or ""))
            rows += [(f"{item.name}.{f.name}", _default(f), f.metadata["doc"]) for f in dataclasses.fields(default)]
        else:
            rows.append((item.name, default, doc))
    return rows


def as_tree(value: Any) -> Any:
    """A Config, or a part of one, as plain TOML values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: as_tree(getattr(value, f.name)) for f in dataclasses.fields(value) if f.metadata["doc"] is not None
        }
    if isinstance(value, Mapping):
        return {k: as_tree(v) for k, v in value.items()}
    if isinstance(value, tuple):
        return [as_tree(v) for v in value]
    return str(value) if isinstance(value, Path) else value


def _default(item: "dataclasses.Field[Any]") -> Any:
    factory = item.default_factory
    return item.default if factory is dataclasses.MISSING else factory()
