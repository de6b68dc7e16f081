"""MTA-STS (RFC 8461): a domain's policy on TLS, announced by a TXT record, fetched by HTTPS, kept until it expires."""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence

from gk.errors import GkError, Unavailable
from gk.net.dns import DnsFailed, Lookups, NoSuchName
from gk.net.guard import FetchFailed, Page
from gk.store.tls import DAY, StsPolicy, TlsRecords

log = logging.getLogger(__name__)

Get = Callable[[str], Awaitable[Page]]  # of gk.net.fetch; raises FetchFailed

POLICY = 64 << 10  # bytes, RFC 8461 §3.3
HOSTS = 200  # mx lines of a policy; nobody has as many servers
LONGEST = 31_557_600  # seconds of max_age, RFC 8461 §3.2
PAUSE = 300.0  # seconds before a policy that could not be fetched is asked for again, RFC 8461 §3.3
FAULTS = 10_000  # of those remembered
RENEWED = 100  # policies in one round of renewals
AT_ONCE = 5  # of them

_RECORD = re.compile(  # RFC 8461 §3.1
    r"v=STSv1(?:[ \t]*;[ \t]*[A-Za-z0-9][A-Za-z0-9_.-]{0,31}=[!-:<>-~]+)+[ \t]*;?[ \t]*"
)
_ID = re.compile(r";[ \t]*id=([A-Za-z0-9]{1,32})(?=[ \t]*(?:;|$))")
_FIELD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):[ \t]*(.*?)[ \t]*")
_MX = re.compile(r"(?:\*\.)?(?!-)[A-Za-z0-9_-]{1,63}(?:\.(?!-)[A-Za-z0-9_-]{1,63})*\.?")


class StsError(GkError):
    """What a domain publishes is no policy."""


class StsFault(GkError):
    """Nobody knows the policy of a domain; `result` says why in the words of RFC 8460 §4.3.2.1.

    It is "" where not even the announcement could be looked up: there may be none.
    """

    def __init__(self, result: str, text: str) -> None:
        super().__init__(text)
        self.result = result


def announced(records: Sequence[bytes]) -> str | None:
    """The id in the TXT records of _mta-sts.<domain>; None where they announce no policy (RFC 8461 §3.1)."""
    texts = [record.decode("latin-1") for record in records if record.startswith(b"v=STSv1;")]
    if len(texts) != 1 or not _RECORD.fullmatch(texts[0]):
        return None
    ids = _ID.findall(texts[0])
    return ids[0] if ids else None


def parse(content: bytes, policy_id: str = "", fetched: int = 0) -> StsPolicy:
    """A policy file (RFC 8461 §3.2); raises StsError. Of fields that repeat, mx apart, the first counts."""
    if len(content) > POLICY:
        raise StsError("the policy is too long")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise StsError("the policy is no text") from None
    fields: dict[str, str] = {}
    hosts: list[str] = []
    for line in text.rstrip("\r\n").split("\n"):
        field = _FIELD.fullmatch(line.removesuffix("\r"))
        if field is None or not field[2].isprintable():
            raise StsError("a line of the policy is no field")
        if field[1] == "mx":
            hosts.append(field[2])
        else:
            fields.setdefault(field[1], field[2])
    if fields.get("version") != "STSv1":
        raise StsError("the policy is of no known version")
    mode = fields.get("mode", "")
    if mode not in ("enforce", "testing", "none"):
        raise StsError("the policy has no mode")
    if not re.fullmatch(r"[0-9]{1,10}", fields.get("max_age", "")):
        raise StsError("the policy has no max_age")
    if len(hosts) > HOSTS or not all(len(host) <= 255 and _MX.fullmatch(host) for host in hosts):
        raise StsError("the policy has an mx that is no name, or too many")
    if not hosts and mode != "none":
        raise StsError("the policy has no mx")
    names = tuple(host.lower().removesuffix(".") for host in hosts)
    return StsPolicy(policy_id, mode, names, min(int(fields["max_age"]), LONGEST), fetched)


def allows(policy: StsPolicy, host: str) -> bool:
    """Whether a mail server is one of the policy's; `*.` stands for exactly one label (RFC 8461 §4.1)."""
    name = host.lower().removesuffix(".")
    parent = "*." + name.partition(".")[2]
    return any(pattern in (name, parent) for pattern in policy.mx)


class Sts:
    """The policies of other domains; `get` fetches pages, `port` is where policy hosts serve them."""

    def __init__(self, resolver: Lookups, get: Get, records: TlsRecords, port: int = 443) -> None:
        self._resolver, self._get, self._records = resolver, get, records
        self._port = "" if port == 443 else f":{port}"
        self._asked: dict[str, asyncio.Future[StsPolicy]] = {}
        self._faults: dict[str, tuple[str, float, StsFault]] = {}  # by domain: the id, when to ask again, why not

    async def of(self, domain: str) -> StsPolicy | None:
        """The policy to send by, None where a domain has none. `domain` in A-labels.

        Raises StsFault where there may be one, it cannot be had, and none is kept: mail goes out without
        (RFC 8461 §3.3), but for REQUIRETLS.
        """
        kept = self._records.policy(domain)
        if kept is not None and not kept.valid(time.time()):
            kept = None
        try:
            policy_id = await self._announced(domain)
        except DnsFailed as error:
            if kept is None:
                raise StsFault("", str(error)) from None
            return kept
        if policy_id is None or (kept is not None and kept.id == policy_id):
            return kept  # a record that is gone or hidden takes nothing back, RFC 8461 §5.1
        try:
            return await self._fetched(domain, policy_id)
        except StsFault as fault:
            if kept is None:
                raise
            log.info("event=sts_kept domain=%s result=%s", domain, fault.result)
            return kept

    async def renew(self) -> None:
        """Fetch again what is in use, long before it expires: who blocks one fetch does not unlock a domain (§10.2)."""
        now = int(time.time())
        domains = self._records.stale(now, DAY, RENEWED)
        if not domains:
            return
        gate = asyncio.Semaphore(AT_ONCE)
        await self._records.tried(domains, now)
        await asyncio.gather(*(self._renew(domain, gate) for domain in domains))

    async def _renew(self, domain: str, gate: asyncio.Semaphore) -> None:
        async with gate:
            try:
                policy_id = await self._announced(domain)
                if policy_id is not None:
                    await self._fetched(domain, policy_id)
            except (StsFault, DnsFailed) as fault:
                log.info("event=sts_not_renewed domain=%s reason=%s", domain, fault)

    async def _announced(self, domain: str) -> str | None:
        try:
            return announced(await self._resolver.texts(f"_mta-sts.{domain}"))
        except NoSuchName:
            return None

    async def _fetched(self, domain: str, policy_id: str) -> StsPolicy:
        """One fetch for all who wait for it, and none soon after one that failed."""
        failed = self._faults.get(domain)
        if failed and failed[0] == policy_id and asyncio.get_running_loop().time() < failed[1]:
            raise failed[2]
        asked = self._asked.get(domain)
        if asked is None:
            asked = self._asked[domain] = asyncio.ensure_future(self._fetch(domain, policy_id))
            asked.add_done_callback(lambda done: self._answered(domain, done))
        return await asyncio.shield(asked)

    def _answered(self, domain: str, done: "asyncio.Future[StsPolicy]") -> None:
        del self._asked[domain]
        if not done.cancelled():
            done.exception()  # seen, even where nobody waits any more

    async def _fetch(self, domain: str, policy_id: str) -> StsPolicy:
        try:
            policy = await self._read(domain, policy_id)
        except StsFault as fault:
            self._faults.pop(domain, None)
            if len(self._faults) >= FAULTS:
                del self._faults[next(iter(self._faults))]
            self._faults[domain] = (policy_id, asyncio.get_running_loop().time() + PAUSE, fault)
            raise
        self._faults.pop(domain, None)
        try:
            await self._records.keep(domain, policy)
        except Unavailable as error:  # it holds for this message all the same
            log.warning("event=sts_not_kept domain=%s reason=%s", domain, type(error).__name__)
        return policy

    async def _read(self, domain: str, policy_id: str) -> StsPolicy:
        try:
            page = await self._get(f"https://mta-sts.{domain}{self._port}/.well-known/mta-sts.txt")
        except FetchFailed as error:
            result = "sts-webpki-invalid" if error.certificate else "sts-policy-fetch-error"
            raise StsFault(result, f"the MTA-STS policy of {domain} cannot be fetched: {error}") from None
        if page.status != 200:  # RFC 8461 §3.3: a redirect is a failure, too
            raise StsFault("sts-policy-fetch-error", f"the policy host of {domain} answers {page.status}")
        if page.kind != "text/plain":
            raise StsFault("sts-policy-invalid", f"the MTA-STS policy of {domain} is no text/plain")
        try:
            return parse(page.body, policy_id, int(time.time()))
        except StsError as error:
            raise StsFault("sts-policy-invalid", f"the MTA-STS policy of {domain}: {error}") from None
