"""The composition root: builds every room from explicit arguments and nests their lifetimes."""

import asyncio
import logging
import random
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from gk import config as configuration
from gk.accounts.aliases import Directory
from gk.accounts.bans import LOOPBACK, Bans
from gk.accounts.limits import Failures, Gate
from gk.accounts.login import Logins
from gk.accounts.passwords import Passwords
from gk.actions.context import Names, Rooms
from gk.ai.engine_http import HttpModel
from gk.ai.engine_llama import LlamaModel
from gk.ai.health import Probing
from gk.ai.metered import Metered
from gk.ai.metering import Price
from gk.ai.model import Model
from gk.ai.models import Models
from gk.ai.replying import templates
from gk.ai.replying.deciding import Deciding
from gk.ai.replying.policy import Policy
from gk.ai.replying.responder import Responder
from gk.ai.triaging import Triaging
from gk.bus import Bus
from gk.config import AiModel, Config, beside, endpoint, is_loopback, secret
from gk.control.client import SOCKET
from gk.control.server import ControlServer
from gk.errors import ConfigError, Unavailable
from gk.events import CertificateRenewed, ConfigReloaded
from gk.imap.server import ImapServer
from gk.inbound.accept import Accept
from gk.inbound.answers import Answers
from gk.inbound.forwarding import Forwarding
from gk.inbound.greylist import Greylisted
from gk.inbound.judge import Judge
from gk.inbound.local import Local, Signed
from gk.inbound.notices import Notices
from gk.inbound.quota import QuotaWatch
from gk.inbound.remote.watching import Watching
from gk.inbound.rules import Rules
from gk.inbound.spam.around import Neighbourhood
from gk.inbound.spam.clamd import Clamd
from gk.inbound.spam.learner import Learner
from gk.inbound.spam.lists import Lists
from gk.inbound.spam.outside import Outside, Program
from gk.inbound.spam.personal import Personal
from gk.inbound.spam.rspamd import Rspamd
from gk.inbound.spam.scanning import Scanner
from gk.inbound.spam.scored import Scored
from gk.log import setup
from gk.mailauth.arc import Sealer
from gk.mailauth.authentic import Authenticator
from gk.mailauth.keys import Keys
from gk.mailauth.records import Offer
from gk.mailauth.rotation import Rotation
from gk.mailauth.signing import Signer
from gk.mailauth.sts import Sts
from gk.mailauth.tally import Tally
from gk.mailauth.verifying import Verifying
from gk.managesieve.server import ManageSieveServer
from gk.memory import Memory
from gk.metrics import LoopLag
from gk.net import systemd
from gk.net.dns import Resolver, SystemResolver
from gk.net.fetch import Fetch
from gk.net.listener import Listener
from gk.outbound.batch import Batch
from gk.outbound.courier import Courier
from gk.outbound.policy import Policies, authorities
from gk.outbound.relay import Relays
from gk.outbound.reporting import Reporting
from gk.outbound.route import Route
from gk.outbound.runner import Runner
from gk.outbound.sender_relay import SenderRelays
from gk.outbound.source import Sources
from gk.outbound.submit import Submit
from gk.outbound.transport import Transport
from gk.service import supervise
from gk.smtp.server import SmtpServer
from gk.store.counting import Activity
from gk.store.db import Store
from gk.store.retention import Retaining
from gk.store.search.indexer import Indexer
from gk.tls.certs import KEYS, Certificates

log = logging.getLogger(__name__)

SWITCH_INTERVAL = 0.0005  # seconds a thread may keep the others waiting: a tenth of Python's own


@asynccontextmanager
async def rooms(config: Config) -> AsyncIterator[Rooms]:
    """The store and what acts on it, without a server: for the CLI when no daemon runs."""
    async with Store.open(config, Bus()) as store:
        yield _rooms(config, store)[0]


def _rooms(config: Config, store: Store) -> tuple[Rooms, Rules]:
    elsewhere = {remote.address: remote.owner for remote in config.remote if remote.smtp_host}
    directory = Directory(store.accounts, store.mailboxes, config.domains, config.aliases, elsewhere)
    names = Names(
        Keys(config.data / KEYS),
        Offer.of(config),
        lambda: SystemResolver(config.dns.resolver, remember=False),
        config.reports,
    )
    signer = Signer(names.keys)
    answers = Answers(store, directory, Submit(store, directory, config.hostname, signer), config.hostname)
    notices = Notices(store, config.hostname)
    tagged = config.rules.tag_to_folder
    rules = Rules(store, directory, answers, notices, config.hostname, tag_to_folder=tagged)
    local = Local(store, rules, Forwarding(store, directory, Signed(signer)))
    submit = Submit(store, directory, config.hostname, signer, local)
    batch = Batch(store, directory, submit, config.hostname)
    models = _models(config, store)
    deciding = _deciding(config, store, directory, models)
    remotes = Watching(config, store, store.bus, lambda: SystemResolver(config.dns.resolver), notices)
    bans = _bans(config, store)
    return Rooms(store, directory, Passwords(), names, batch, bans, models, remotes, deciding), rules


def _deciding(config: Config, store: Store, directory: Directory, models: Models) -> Deciding | None:
    """Who decides about answers; None where there are no rules for that."""
    if not config.replies.rules:
        return None
    forms = templates.checked(config.replies, beside(config, config.replies.templates))
    return Deciding(store, directory, Policy(config.replies), forms, models)


def _models(config: Config, store: Store) -> Models:
    return Models(
        [(_engine(config, one), Price(one.price_asked, one.price_said)) for one in config.ai.models],
        Metered(store, config.ai),
    )


def _engine(config: Config, one: AiModel) -> Model:
    if one.file:
        return LlamaModel(one, beside(config, one.file) or Path(one.file))
    return HttpModel(one, secret(beside(config, one.key_file), "ai.models.key_file") if one.key_file else "")


def _bans(config: Config, store: Store) -> Bans:
    spared = (*LOOPBACK, *config.judge.trusted, *config.bans.never)
    rows, kept = store.bans, store.bans.every(config.bans.addresses)
    return Bans(config.bans, spared=spared, own=_is_local, kept=kept, keep=rows.keep, mark=rows.mark)


async def serve(config: Config, stop: asyncio.Event, ready: Callable[[Rooms], None] = lambda rooms: None) -> None:
    """Run everything until `stop`; `ready` is called once every door is open."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    bus = Bus()
    inherited = systemd.inherited()
    async with Store.open(config, bus) as store:
        here, rules = _rooms(config, store)
        indexer = Indexer(store, config.log.format)
        here = replace(here, forgetting=indexer.erase)
        certificates = Certificates(config)
        failures = Failures(config.limits, bans=here.bans)
        logins = Logins(store.accounts, here.passwords, failures, config.domains)
        signer = Signer(here.names.keys)
        resolver = SystemResolver(config.dns.resolver, validating=config.dns.validating)
        verifying = Verifying()
        authenticator = Authenticator(resolver, verifying, config.hostname, config.judge.dns_seconds)
        tally = Tally(store.reports)
        judge = Judge(authenticator, config.judge, config.hostname, tally if config.reports.send else None)
        sealer = Sealer(here.names.keys)
        learner = Learner(store)
        around = Neighbourhood(store.accounts, here.directory, config.spam.dangerous)
        scanner = Scanner()
        lists = Lists(resolver, config.spam.lists)
        scored = Scored(judge, config.spam, lists, scanner, learner.base, around, _outside(config))
        judging = Greylisted(scored, store.greylist, config.greylist, lists, store.sending.knows)
        personal = Personal(store, rules, config.spam, learner.base)
        accept = Accept(store, here.directory, config.hostname, config.limits, judging, personal, sealer)
        policies = _policies(config, store, resolver)
        runner = _runner(config, store, here.directory, bus, resolver, policies, signer)
        listeners = _listeners(config, store, certificates, logins, accept, here, inherited)
        control = ControlServer(config.data / SOCKET, here)
        for note in configuration.notes():
            log.info("event=note text=%r", note)
        rotation = Rotation(here.names.keys, lambda: here.directory.domains, here.names.resolver(), bus)
        reporting = _reporting(config, store, here.directory, resolver, signer)
        if reporting is None:
            with suppress(Unavailable):  # a full disk does not keep anybody from the mail that is there
                await store.reports.clear()
        services = (
            here.bans,
            rotation,
            verifying,
            learner,
            scanner,
            *((tally, reporting) if reporting else ()),
            *(
                (Triaging(store, marking=config.triage.keywords, routes=config.triage.routes),)
                if config.triage.enabled
                else ()
            ),
            policies,
            runner,
            here.remotes,
            indexer,
            Retaining(store, config.retention),
            Activity(store),
            QuotaWatch(store, Notices(store, config.hostname), bus, config.limits.quota_warning),
            *((Probing(here.models),) if here.models else ()),
            *_responder(config, here, signer),
            LoopLag(),
            Memory(),
            systemd.Watchdog(),
        )
        async with supervise(*services), supervise(*listeners, control):
            with _reloading(config, here.directory, logins, certificates, bus):
                systemd.notify("READY=1")
                log.info("event=ready listeners=%d", len(listeners))
                ready(here)
                await store.mailboxes.purge_leftovers()
                await stop.wait()
                systemd.notify("STOPPING=1")
                log.info("event=stopping")


@contextmanager
def _reloading(
    config: Config, directory: Directory, logins: Logins, certificates: Certificates, bus: Bus
) -> Iterator[None]:
    """SIGHUP reads the configuration again: domains, aliases, certificates, log level; the rest needs a restart."""

    def reload() -> None:
        systemd.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            fresh = configuration.load(config.path)
            certificates.reload(fresh)
            directory.configure(fresh.domains, fresh.aliases)
            logins.configure(fresh.domains)
            setup(fresh.log.level, fresh.log.format)
            bus.publish(CertificateRenewed(certificates.names))
            bus.publish(ConfigReloaded())
            log.info("event=reloaded")
        except ConfigError as error:  # the old one stays in force
            log.error("event=reload_refused reason=%s", error)
        systemd.notify("READY=1")

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


def _outside(config: Config) -> Outside:
    """The programs beside this one that look at mail."""
    programs: list[Program] = [Clamd(config.clamd)] if config.clamd.address else []
    programs += [Rspamd(config.rspamd)] if config.rspamd.address else []
    return Outside(programs)


def _responder(config: Config, here: Rooms, signer: Signer) -> list[Responder]:
    """Who answers mail. What it sends asks no rules of those who get it here, or answers could go round."""
    if here.deciding is None:
        return []
    submit = Submit(here.store, here.directory, config.hostname, signer)
    return [Responder(here.store, here.directory, submit, here.models, here.deciding, config.hostname)]


def _runner(
    config: Config,
    store: Store,
    directory: Directory,
    bus: Bus,
    resolver: Resolver,
    policies: Policies,
    signer: Signer,
) -> Runner:
    chance = random.SystemRandom()
    route = Route(resolver, config.outbound, config.hostname, _own(config), chance)
    sources = Sources(config.outbound.source)
    sources.check()
    transport = Transport(config.hostname)
    own = SenderRelays(config, directory)
    courier = Courier(route, transport, policies, config.outbound, Relays.of(config), sources, own)
    return Runner(store, courier, directory, config.outbound, bus, config.hostname, chance, signer)


def _reporting(
    config: Config, store: Store, directory: Directory, resolver: SystemResolver, signer: Signer
) -> Reporting | None:
    address = config.reports.address
    return Reporting(store, directory, resolver, signer, config.hostname, address) if config.reports.send else None


def _policies(config: Config, store: Store, resolver: SystemResolver) -> Policies:
    fetch = Fetch(resolver, authorities(config))
    return Policies(resolver, Sts(resolver, fetch.get, store.tls), store.tls, config.outbound, authorities(config))


def _own(config: Config) -> Callable[[str, int], bool]:
    """Whether an address and port are one of our own mx listeners."""
    doors = [endpoint(text) for text in config.smtp.mx]

    def own(address: str, port: int) -> bool:
        for host, listening in doors:
            if port != listening:
                continue
            if address == host or (host == "localhost" and is_loopback(address)):
                return True
            if host in ("0.0.0.0", "::") and _is_local(address):  # noqa: S104 - a comparison
                return True
        return False

    return own


def _is_local(address: str) -> bool:
    """Whether this machine has the address: the kernel binds what it has."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _listeners(
    config: Config,
    store: Store,
    certificates: Certificates,
    logins: Logins,
    accept: Accept,
    here: Rooms,
    inherited: list[socket.socket],
) -> list[Listener]:
    submit, limits = here.batch.submit, config.limits
    gates = {name: Gate(limits, bans=here.bans) for name in ("smtp", "imap", "managesieve")}
    require_tls = config.security.require_tls
    listeners = []
    doors: list[tuple[Literal["mx", "submission", "submissions"], tuple[str, ...]]] = [
        ("mx", config.smtp.mx),
        ("submission", config.smtp.submission),
        ("submissions", config.smtp.submissions),
    ]
    for role, addresses in doors:
        smtp = SmtpServer(
            role, accept, submit, logins, gates["smtp"], config.limits, hostname=config.hostname,
            tls=lambda: certificates.context, require_tls=require_tls, check_space=store.check_space,
        )  # fmt: skip
        listeners += [Listener(f"{role} {a}", a, smtp.session, inherited=inherited) for a in addresses]
    imap = ImapServer(
        store, logins, gates["imap"], config.limits, hostname=config.hostname,
        tls=lambda: certificates.context, require_tls=require_tls,
    )  # fmt: skip
    listeners += [
        Listener(f"imap {a}", a, lambda door: imap.session(door, implicit_tls=False), inherited=inherited)
        for a in config.imap.starttls
    ]
    listeners += [
        Listener(f"imaps {a}", a, lambda door: imap.session(door, implicit_tls=True), inherited=inherited)
        for a in config.imap.tls
    ]
    sieve = ManageSieveServer(
        store, logins, gates["managesieve"], config.limits, hostname=config.hostname,
        tls=lambda: certificates.context, require_tls=require_tls,
    )  # fmt: skip
    listeners += [
        Listener(f"managesieve {a}", a, sieve.session, inherited=inherited) for a in config.managesieve.listen
    ]
    return listeners
