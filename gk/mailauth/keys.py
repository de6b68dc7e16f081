"""The DKIM keys of each domain in files: keys/dkim/<domain>/<selector>.pem, and `pairs.json` that says their states.

A pair is `next` (published ahead), `active` (signs) or `retired` (still published, for the mail on its way). Every
change is the renaming of a new pairs.json: keys are written and synced before it names them, removed after it forgot
them. Without a readable one, the oldest pair there is counts as active, for it is surely published, and the others as
next. Blocking: making keys takes tens of milliseconds, so callers on the loop use a thread.
"""

import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gk import durable
from gk.errors import ConfigError, Refused
from gk.mailauth import pair as pairs_of
from gk.mailauth.domain import canonical
from gk.mailauth.pair import BadKey, Pair, SigningKey, State

log = logging.getLogger(__name__)

FOLDER, STATES = "dkim", "pairs.json"
RETIRED_FOR = 7 * 86_400  # seconds a pair stays published after it signed last: longer than mail is in queues
FILE = 64 << 10  # bytes of a key or state file that are read
_PEM = re.compile(rf"({pairs_of.NAME.pattern})-[re]\.pem")


@dataclass(frozen=True, slots=True)
class _Domain:
    """What is known of one domain: its pairs, oldest first, and the name given last."""

    pairs: tuple[Pair, ...]
    last: str


class Keys:
    """All keys below `root`. Raises Refused for what is no domain, ConfigError where files cannot be written."""

    def __init__(self, root: Path, now: Callable[[], float] = time.time) -> None:
        self._root, self._now = root / FOLDER, now
        self._known: dict[str, _Domain] = {}  # one process has the data directory: nobody else writes
        self._lock = threading.RLock()

    def domains(self) -> list[str]:
        """The domains that have keys, by name."""
        try:
            return sorted(entry.name for entry in self._root.iterdir() if self._domain(entry.name).pairs)
        except OSError:
            return []

    def pairs(self, domain: str) -> tuple[Pair, ...]:
        """The pairs of a domain, oldest first."""
        return self._domain(canonical(domain)).pairs

    def signing(self, domain: str) -> tuple[SigningKey, ...]:
        """The keys of the active pair, RSA first; none where the domain has none that can be used."""
        try:
            found = self.pairs(domain)
        except Refused:
            return ()
        return next((pair.keys for pair in found if pair.state == "active"), ())

    def ensure(self, domains: Iterable[str]) -> list[str]:
        """Make the first pair of every domain without one; the domains that got one. What is no domain gets none."""
        made = []
        for text in domains:
            try:
                domain = canonical(text)
            except Refused:
                continue
            with self._lock:
                if not self._domain(domain).pairs:
                    self._add(domain, "active")
                    made.append(domain)
        return made

    def prepare(self, domain: str) -> Pair:
        """The next pair of a domain, made unless it waits already."""
        domain = canonical(domain)
        with self._lock:
            waiting = [pair for pair in self._domain(domain).pairs if pair.state == "next"]
            return waiting[0] if waiting else self._add(domain, "next")

    def activate(self, domain: str, name: str) -> Pair:
        """Sign with the pair `name` from now on; the active one retires. Refused where there is none of that name."""
        domain = canonical(domain)
        with self._lock:
            known = self._domain(domain)
            self._find(domain, name)
            now = int(self._now())
            changed = []
            for pair in known.pairs:
                if pair.name == name:
                    pair = replace(pair, state="active", since=now)
                elif pair.state == "active":
                    pair = replace(pair, state="retired", since=now)
                changed.append(pair)
            self._write(domain, _Domain(tuple(changed), known.last))
            log.info("event=dkim_activated domain=%s pair=%s", domain, name)
            return self._find(domain, name)

    def drop_retired(self, domain: str) -> list[str]:
        """Remove the pairs that retired long enough ago; their names."""
        domain = canonical(domain)
        with self._lock:
            due = int(self._now()) - RETIRED_FOR
            old = [p.name for p in self._domain(domain).pairs if p.state == "retired" and p.since <= due]
            for name in old:
                self.remove(domain, name)
            return old

    def remove(self, domain: str, name: str) -> None:
        """Forget a pair and delete its files; its name is not given again. Refused for an unknown name."""
        domain = canonical(domain)
        with self._lock:
            known = self._domain(domain)
            self._find(domain, name)
            left = tuple(pair for pair in known.pairs if pair.name != name)
            self._write(domain, _Domain(left, known.last))
            directory = self._root / domain
            try:
                for selector in pairs_of.selectors(name):
                    (directory / f"{selector}.pem").unlink(missing_ok=True)
                durable.sync(directory)
            except OSError as error:
                raise ConfigError(f"{directory}: a key cannot be removed: {error.strerror}") from None
            log.info("event=dkim_removed domain=%s pair=%s", domain, name)

    def _find(self, domain: str, name: str) -> Pair:
        for pair in self._domain(domain).pairs:
            if pair.name == name:
                return pair
        raise Refused(f"{domain} has no pair of keys {name!r}; «gk dkim list {domain}» shows them")

    def _add(self, domain: str, state: State) -> Pair:
        known = self._domain(domain)
        directory = self._root / domain
        name = pairs_of.following(known.last, time.gmtime(self._now()).tm_year)
        files = pairs_of.make(name)
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not directory.exists():
                directory.mkdir(mode=0o700)
                durable.sync(self._root)
            for selector, pem in files.items():
                durable.replace(directory / f"{selector}.pem", pem)
        except OSError as error:
            raise ConfigError(f"{directory}: cannot keep keys there: {error.strerror}") from None
        keys = tuple(pairs_of.read(selector, pem) for selector, pem in files.items())
        made = Pair(name, state, int(self._now()), keys)
        self._write(domain, _Domain((*known.pairs, made), name))
        log.info("event=dkim_made domain=%s pair=%s state=%s", domain, name, state)
        return made

    def _write(self, domain: str, known: _Domain) -> None:
        """Commit the states of a domain."""
        states = {pair.name: {"state": pair.state, "since": pair.since} for pair in known.pairs}
        path = self._root / domain / STATES
        try:
            durable.replace(path, json.dumps({"last": known.last, "pairs": states}, indent=1).encode())
        except OSError as error:
            raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
        self._known[domain] = known

    def _domain(self, domain: str) -> _Domain:
        found = self._known.get(domain)
        if found is None:
            with self._lock:
                found = _load(self._root / domain)
                if found.last:  # strangers' domains are not remembered
                    self._known[domain] = found
        return found


def _load(directory: Path) -> _Domain:
    if not directory.is_dir():
        return _Domain((), "")
    try:
        last, states = _states(json.loads(_read(directory / STATES)))
    except (OSError, ValueError, RecursionError) as error:
        last, states = _by_files(directory)
        if states:
            log.warning("event=dkim_states_lost file=%s error=%s", directory / STATES, type(error).__name__)
    pairs = tuple(_pair(directory, name, *states[name]) for name in sorted(states, key=pairs_of.age))
    return _Domain(pairs, last)


def _states(tree: Any) -> tuple[str, dict[str, tuple[State, int]]]:
    """The content of pairs.json, each of its values as it was written; ValueError otherwise."""
    states: dict[str, tuple[State, int]] = {}
    try:
        last, items = tree["last"], tree["pairs"].items()
        for name, item in items:
            if not pairs_of.NAME.fullmatch(name) or item["state"] not in ("next", "active", "retired"):
                raise ValueError(name)
            states[name] = (item["state"], int(item["since"]))
    except (TypeError, KeyError, AttributeError, OverflowError):
        raise ValueError("not what was written") from None
    if not isinstance(last, str) or not pairs_of.NAME.fullmatch(last):
        raise ValueError("last")
    return last, states


def _by_files(directory: Path) -> tuple[str, dict[str, tuple[State, int]]]:
    """The states as far as the files tell."""
    names = {found[1] for entry in directory.iterdir() if (found := _PEM.fullmatch(entry.name))}
    ordered = sorted(names, key=pairs_of.age)
    states: dict[str, tuple[State, int]] = {name: ("next" if at else "active", 0) for at, name in enumerate(ordered)}
    return ordered[-1] if ordered else "", states


def _pair(directory: Path, name: str, state: State, since: int) -> Pair:
    keys, damaged = [], []
    for selector in pairs_of.selectors(name):
        path = directory / f"{selector}.pem"
        try:
            keys.append(pairs_of.read(selector, _read(path)))
        except (OSError, BadKey) as error:  # the other one still signs
            log.error("event=dkim_key_damaged file=%s reason=%s", path, error)
            damaged.append(selector)
    return Pair(name, state, since, tuple(keys), tuple(damaged))


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:  # a restored copy came with other rights
            os.fchmod(file.fileno(), 0o600)
        return file.read(FILE)
