"""The one outgoing HTTP door: GET an https URL of a stranger (RFC 9110), guarded against being sent to ourselves.

The host is looked up once, its addresses are judged, and the connection goes to one of them; the certificate must be
the host's. No redirects, no proxies, no cookies, no compression; bounded in time and size.
"""

import asyncio
import logging
import ssl
from collections.abc import Collection

import httpx2

from gk.net.dns import Resolver
from gk.net.guard import FetchFailed, Page, Place, find

SECONDS = 10.0  # for all of it
BYTES = 64 << 10  # of a body

logging.getLogger("httpx2").setLevel(logging.WARNING)  # at INFO it logs every request


class Fetch:
    """Fetches pages; `allow` are addresses it may connect to though they are not public."""

    def __init__(self, resolver: Resolver, context: ssl.SSLContext | None = None, allow: Collection[str] = ()) -> None:
        self._resolver, self._allow = resolver, frozenset(allow)
        self._context = context or ssl.create_default_context()
        self._context.hostname_checks_common_name = False  # RFC 9525 §6.3

    async def get(self, url: str, *, seconds: float = SECONDS, most: int = BYTES) -> Page:
        """The answer, whatever its status; raises FetchFailed."""
        try:
            async with asyncio.timeout(seconds):
                place = await find(url, self._resolver, self._allow)
                for address in place.addresses[:-1]:
                    try:
                        return await self._get(place, address, most)
                    except httpx2.ConnectError as error:
                        if _refused_certificate(error):
                            raise
                return await self._get(place, place.addresses[-1], most)
        except TimeoutError:
            raise FetchFailed("the server did not answer in time") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError) as error:
            raise FetchFailed(f"no answer ({type(error).__name__})", certificate=_refused_certificate(error)) from None

    async def _get(self, place: Place, address: str, most: int) -> Page:
        """Ask at one address, in the name of the host."""
        shown = f"[{address}]" if ":" in address else address
        name = place.host if place.port == 443 else f"{place.host}:{place.port}"
        async with (
            httpx2.AsyncClient(verify=self._context, trust_env=False, follow_redirects=False, timeout=None) as client,
            client.stream(
                "GET",
                f"https://{shown}:{place.port}{place.target}",
                headers={"Host": name, "User-Agent": "gk", "Accept": "*/*", "Accept-Encoding": "identity"},
                extensions={"sni_hostname": place.host},  # the name in the handshake, and checked in the certificate
            ) as response,
        ):
            if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
                raise FetchFailed("the server compressed what it was asked not to")
            body = bytearray()
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > most:
                    raise FetchFailed(f"the answer is longer than {most} bytes")
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            return Page(response.status_code, kind, bytes(body))


def _refused_certificate(error: BaseException) -> bool:
    """Whether it came of a certificate that was not accepted."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
