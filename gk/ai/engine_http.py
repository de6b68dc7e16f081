"""A model behind HTTP: any server that speaks as OpenAI's does (POST /chat/completions).

Servers differ in how they want to be told the form of an answer: by json_schema (OpenAI, vLLM, Mistral, Ollama), by
json_object with a schema (llama-cpp-python), or in words. What a server refuses is not tried again. Nothing it sends is
believed: the answer is bounded while it comes, and checked field by field.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx2

from gk.ai.model import Answer, ModelFailed, Prompt, checked
from gk.config import AiModel, is_loopback

logging.getLogger("httpx2").setLevel(logging.WARNING)  # at INFO it logs every request

ANSWER = 256 << 10  # octets
CONNECT = 5.0  # seconds
TEMPERATURE = 0.3
REFUSES_FORM = (400, 404, 415, 422, 500, 501)  # what servers say to a response_format they do not know

Form = Callable[[Prompt], dict[str, Any]]


def _by_schema(prompt: Prompt) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": prompt.schema()}}


def _by_object(prompt: Prompt) -> dict[str, Any]:
    return {"type": "json_object", "schema": prompt.schema()}


FORMS: tuple[Form | None, ...] = (_by_schema, _by_object, None)


class HttpModel:
    """One server and model of it."""

    def __init__(self, config: AiModel, key: str = "") -> None:
        """`key` is sent with each call, "" for none."""
        self.name = config.name or config.model
        self._config, self._key = config, key
        self.remote = not is_loopback(urlsplit(config.url).hostname or "")
        self._form = 0  # of FORMS, the first that was not refused

    async def answer(self, prompt: Prompt) -> Answer:
        """Ask; raises ModelFailed."""
        try:
            async with asyncio.timeout(self._config.seconds):
                while True:
                    form = self._form
                    status, body = await self._post(prompt, FORMS[form])
                    if status in REFUSES_FORM and form + 1 < len(FORMS):
                        self._form = max(self._form, form + 1)
                        continue
                    return self._read(status, body, prompt)
        except TimeoutError:
            raise ModelFailed("it did not answer in time") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError) as error:
            raise ModelFailed(f"it cannot be reached ({type(error).__name__})", passing=True) from None

    async def _post(self, prompt: Prompt, form: Form | None) -> tuple[int, bytes]:
        """(status, body)."""
        task = prompt.task
        if form is None:
            task += f"\nAnswer with one JSON object and nothing else. Its schema: {json.dumps(prompt.schema())}"
        asked: dict[str, Any] = {
            "model": self._config.model,
            "messages": [{"role": "system", "content": task}, {"role": "user", "content": prompt.text}],
            "temperature": TEMPERATURE,
            "max_tokens": prompt.most,
            "stream": False,
        }
        if form is not None:
            asked["response_format"] = form(prompt)
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "gk"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        timeout = httpx2.Timeout(None, connect=CONNECT)
        async with (
            httpx2.AsyncClient(trust_env=False, follow_redirects=False, timeout=timeout) as client,
            client.stream(
                "POST", f"{self._config.url.rstrip('/')}/chat/completions", headers=headers, json=asked
            ) as response,
        ):  # fmt: skip
            body = bytearray()
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > ANSWER:
                    raise ModelFailed(f"the answer is longer than {ANSWER} bytes")
            return response.status_code, bytes(body)

    def _read(self, status: int, body: bytes, prompt: Prompt) -> Answer:
        if status != 200:
            raise ModelFailed(f"it says {status}", passing=status in (429, 500, 502, 503, 529))
        try:
            found = json.loads(body)
            message = found["choices"][0]["message"]
            said = message["content"]
            used = found.get("usage") or {}
            tokens = int(used.get("total_tokens") or 0)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, OverflowError):
            raise ModelFailed("the answer is not in the form of an answer") from None
        if message.get("tool_calls"):
            raise ModelFailed("it wants to use tools, and has none")
        if not isinstance(said, str):
            raise ModelFailed("the answer has no text")
        try:
            fields = json.loads(_bare(said))
        except (ValueError, RecursionError):
            raise ModelFailed("the answer is no JSON") from None
        return Answer(checked(fields, prompt), self.name, max(0, min(tokens, 1 << 31)))


def _bare(text: str) -> str:
    """Without the fence that some models put around JSON."""
    text = text.strip()
    if text.startswith("```"):
        text = text.partition("\n")[2].rpartition("```")[0]
    return text
