"""A model behind HTTP: any server that speaks as OpenAI's does (POST /chat/completions).

Nothing it sends is believed: the answer is bounded while it comes, and checked field by field.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2

from gk.ai.dialect import Dialect
from gk.ai.in_words import asked_in_words, read_in_words
from gk.ai.model import Answer, Hear, ModelFailed, Prompt, Spoken, Talk, checked
from gk.ai.streamed import Streamed, pieces, tokens
from gk.config import AiModel, is_loopback

logging.getLogger("httpx2").setLevel(logging.WARNING)  # at INFO it logs every request

ANSWER = 256 << 10  # octets of an answer that comes at once
STREAM = 4 << 20  # octets of one that comes in pieces, each of which repeats what surrounds it
CONNECT = 5.0  # seconds
PROBE = 10.0  # seconds


class HttpModel:
    """One server and model of it."""

    def __init__(self, config: AiModel, key: str = "") -> None:
        """`key` is sent with each call, "" for none."""
        self.name = config.name or config.model
        self._config, self._key = config, key
        self.remote = not is_loopback(urlsplit(config.url).hostname or "")
        self._dialect = Dialect(config.model)
        # Made once: to read the authorities takes 16 ms, for which everybody would wait at each call.
        secure = urlsplit(config.url).scheme == "https"
        self._trust = httpx2.create_ssl_context(trust_env=False) if secure else False

    async def probe(self) -> None:
        """Whether the server answers, and knows the model where it lists those it has (GET /models)."""
        async with self._patience(PROBE), self._request("GET", "models", None) as response:
            body = await _whole(response)
        if response.status_code in (401, 403):
            raise ModelFailed(f"it says {response.status_code}: the key is not believed")
        try:
            known = {str(one["id"]) for one in json.loads(body)["data"]}
        except (ValueError, KeyError, TypeError, RecursionError):
            return  # it has no list
        name = self._config.model
        if response.status_code == 200 and known and not {name, f"{name}:latest", f"models/{name}"} & known:
            raise ModelFailed(f"it does not know the model {name}")

    async def answer(self, prompt: Prompt) -> Answer:
        """Ask; raises ModelFailed."""
        with self._dialect.kept_where_it_helps():
            return await self._answer(prompt)

    async def _answer(self, prompt: Prompt) -> Answer:
        async with self._patience(self._config.seconds):
            while True:
                asked = self._dialect.asking(prompt)
                async with self._request("POST", "chat/completions", asked) as response:
                    body = await _whole(response)
                if not self._dialect.learn(response.status_code, body, asked):
                    return self._read(response.status_code, body, prompt)

    async def turn(self, talk: Talk, hear: Hear) -> Spoken:
        """Take a turn; a server without tools is asked in words, and then says all at once. Raises ModelFailed."""
        with self._dialect.kept_where_it_helps():
            return await self._turn(talk, hear)

    async def _turn(self, talk: Talk, hear: Hear) -> Spoken:
        while self._dialect.tools or not talk.tools:
            spoken = await self._streamed(talk, hear)
            if spoken is not None:
                return spoken
        answer = await self.answer(asked_in_words(talk))
        turn = read_in_words(answer, talk)
        hear(turn.text)
        return Spoken(turn, self.name, answer.tokens)

    async def _streamed(self, talk: Talk, hear: Hear) -> Spoken | None:
        """The turn; None where it is to be asked for in another way."""
        heard = Streamed(hear)
        asked = self._dialect.talking(talk)
        async with self._patience(self._config.seconds), self._request("POST", "chat/completions", asked) as response:
            if response.status_code != 200:
                body = await _whole(response)
                if self._dialect.learn(response.status_code, body, asked):
                    return None
                raise _says(response.status_code)
            came = 0
            async for piece in response.aiter_raw():
                came += len(piece)
                if came > STREAM:
                    raise ModelFailed(f"the answer is longer than {STREAM} bytes")
                heard.feed(piece)
                if heard.ended:
                    break
        turn, used = heard.turn(talk.tools)
        return Spoken(turn, self.name, used)

    @asynccontextmanager
    async def _patience(self, seconds: float) -> AsyncIterator[None]:
        """What goes wrong on the way is the model's failure."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise ModelFailed("it did not answer in time") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError) as error:
            raise ModelFailed(f"it cannot be reached ({type(error).__name__})", passing=True) from None

    @asynccontextmanager
    async def _request(self, method: str, path: str, body: dict[str, Any] | None) -> AsyncIterator[httpx2.Response]:
        """One exchange; the answer's body is still to be read."""
        headers = {"Accept-Encoding": "identity", "User-Agent": "gk"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        timeout = httpx2.Timeout(None, connect=CONNECT)
        url = f"{self._config.url.rstrip('/')}/{path}"
        async with (
            httpx2.AsyncClient(verify=self._trust, trust_env=False, follow_redirects=False, timeout=timeout) as client,
            client.stream(method, url, headers=headers, json=body) as response,
        ):
            yield response

    def _read(self, status: int, body: bytes, prompt: Prompt) -> Answer:
        if status != 200:
            raise _says(status)
        try:
            found = json.loads(body)
            message = found["choices"][0]["message"]
            said = pieces(message["content"])
            used = tokens(found.get("usage"))
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, OverflowError):
            raise ModelFailed("the answer is not in the form of an answer") from None
        if message.get("tool_calls"):
            raise ModelFailed("it wants to use tools, and has none")
        if not said:
            raise ModelFailed("the answer has no text")
        try:
            fields = json.loads(_bare(said))
        except (ValueError, RecursionError):
            raise ModelFailed("the answer is no JSON") from None
        return Answer(checked(fields, prompt), self.name, used)


async def _whole(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > ANSWER:
            raise ModelFailed(f"the answer is longer than {ANSWER} bytes")
    return bytes(body)


def _says(status: int) -> ModelFailed:
    return ModelFailed(f"it says {status}", passing=status in (429, 500, 502, 503, 529))


def _bare(text: str) -> str:
    """Without the fence that some models put around JSON."""
    text = text.strip()
    if text.startswith("```"):
        text = text.partition("\n")[2].rpartition("```")[0]
    return text
