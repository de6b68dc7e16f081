"""person_erase: a person, by address, out of everything that is kept here; with a receipt."""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

from gk.actions.context import Context
from gk.actions.registry import action
from gk.errors import Refused
from gk.message.address import AddressError, parse_address
from gk.store.erasure import Person
from gk.store.search.schema import DATABASE

DAY = 86_400


@dataclass(frozen=True, slots=True)
class Input:
    address: str
    erase: bool = False


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy of the database that holds the address still, and the day it goes ("": it does not by itself)."""

    name: str
    expires: str


@dataclass(frozen=True, slots=True)
class Output:
    address_sha256: str
    at: str
    erased: bool
    account: bool
    messages: int
    queued: int
    rows: dict[str, int]
    configured: list[str]
    files: list[str]
    backups: list[Backup]
    complete: bool


@action("person_erase", scope="admin")
async def person_erase(context: Context, input: Input) -> Output:
    """Find everything that holds an address, and with `erase` take it away for good; the answer is the receipt.

    That are messages of all users with it in their fields or texts, what is queued, and what was noted of it; an
    account of that address goes with all its mail. `configured` names what users wrote themselves (rules, scripts,
    folders), which stays; `files` what holds the address still, `backups` copies of the database that do.
    """
    try:
        address = str(parse_address(input.address))
    except AddressError as error:
        raise Refused(f"not an address: {error}") from None
    store, person = context.store, Person(address)
    is_account = store.accounts.by_address(address.lower()) is not None
    if input.erase and is_account:
        await store.accounts.remove(address)
    found = await store.erasure.find(person, context.progress)
    files: list[str] = []
    if input.erase:
        await store.erasure.erase(found, person)
        if context.forgetting is not None:
            await context.forgetting()
        else:  # nobody keeps the index up: it is made anew
            store.search.close()
            for ending in ("", "-wal", "-shm"):
                (store.data / (DATABASE + ending)).unlink(missing_ok=True)
        await store.commits.compact()
        files = await store.erasure.left(person, context.progress)
    backups = [name for name in files if Path(name).parts[0] == "backup"]
    files = [name for name in files if name not in backups]
    return Output(
        hashlib.sha256(address.lower().encode()).hexdigest(), _day(time.time(), "%Y-%m-%dT%H:%M:%SZ"), input.erase,
        is_account, len(found.messages), len(found.queued), {name: len(keys) for name, keys in found.rows.items()},
        list(found.theirs), files, [Backup(name, _expiry(context, store.data / name)) for name in backups],
        input.erase and not files and not found.theirs and not backups,
    )  # fmt: skip


def _expiry(context: Context, path: Path) -> str:
    days = context.store.retention.backups
    return _day(path.stat().st_mtime + days * DAY, "%Y-%m-%d") if days else ""


def _day(seconds: float, form: str) -> str:
    return time.strftime(form, time.gmtime(seconds))
