"""A model in this process: a GGUF file run by llama-cpp-python (the extra local-llm).

One thread does all of it, for a Llama object is not safe for more; what is asked waits in its queue, within its time.
What is given up ends at the next token. Its answers are bound to a form by grammar; tools are described in words.
"""

import asyncio
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from gk.ai.in_words import asked_in_words, read_in_words
from gk.ai.model import Answer, Hear, ModelFailed, Prompt, Spoken, Talk, Tokens, Turn, checked, readable
from gk.ai.streamed import TEXT
from gk.config import AiModel
from gk.discover import library
from gk.errors import ConfigError

TEMPERATURE = 0.3
GIBBERISH = 64 << 10  # characters of an answer

T = TypeVar("T")
Work = Callable[[Any, threading.Event], T]
"""With the loaded model, until the event is set."""


class LlamaModel:
    """One file."""

    remote = False

    def __init__(self, config: AiModel, path: Path) -> None:
        if not path.is_file():
            raise ConfigError(f"ai.models.file: {path} is not there")
        self.name = config.name or config.model or path.stem
        self._config, self._path = config, path
        self._worker = ThreadPoolExecutor(1, "llama")
        self._loaded: Any = None

    async def probe(self) -> None:
        """Load it. Raises ModelFailed."""
        await self._do(lambda llama, stop: None, None)

    async def answer(self, prompt: Prompt) -> Answer:
        """Ask; raises ModelFailed."""
        messages = [{"role": "system", "content": prompt.task}, {"role": "user", "content": prompt.text}]
        form = {"type": "json_object", "schema": prompt.schema()}

        def work(llama: Any, stop: threading.Event) -> tuple[str, Tokens]:
            return _said(llama, stop, lambda text: None, messages, prompt.most, form)

        text, used = await self._do(work, self._config.seconds)
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            raise ModelFailed("the answer is no JSON") from None  # it ran out of tokens
        return Answer(checked(fields, prompt), self.name, used)

    async def turn(self, talk: Talk, hear: Hear) -> Spoken:
        """Take a turn; with tools it is told whole. Raises ModelFailed."""
        if talk.tools:
            answer = await self.answer(asked_in_words(talk))
            turn = read_in_words(answer, talk)
            hear(turn.text)
            return Spoken(turn, self.name, answer.tokens)
        roles = {"user": "user", "model": "assistant", "tool": "user"}
        messages = [{"role": "system", "content": talk.task}]
        messages += [{"role": roles[turn.who], "content": turn.text} for turn in talk.turns]
        loop = asyncio.get_running_loop()

        def told(text: str) -> None:
            loop.call_soon_threadsafe(hear, text)

        def work(llama: Any, stop: threading.Event) -> tuple[str, Tokens]:
            return _said(llama, stop, told, messages, talk.most)

        text, used = await self._do(work, self._config.seconds)
        if not text or not readable(text):
            raise ModelFailed("the answer is no readable text")
        return Spoken(Turn("model", text), self.name, used)

    async def _do(self, work: Work[T], seconds: float | None) -> T:
        """In the thread; what takes longer, or is given up, is told to end."""
        stop = threading.Event()

        def done() -> T:
            if stop.is_set():
                raise ModelFailed("it was given up")
            return work(self._llama(), stop)

        try:
            async with asyncio.timeout(seconds):
                return await asyncio.get_running_loop().run_in_executor(self._worker, done)
        except TimeoutError:
            raise ModelFailed("it did not answer in time") from None
        except (ValueError, RuntimeError, OSError) as error:  # no room in the context, no GGUF file
            raise ModelFailed(f"it cannot answer ({type(error).__name__})") from None
        finally:
            stop.set()

    def _llama(self) -> Any:
        if self._loaded is None:
            try:
                llama_cpp = library("llama_cpp")
            except ImportError:
                raise ModelFailed("llama-cpp-python is not installed (pip install 'gk[local-llm]')") from None
            self._loaded = llama_cpp.Llama(str(self._path), n_ctx=self._config.context, verbose=False)
        return self._loaded


def _said(
    llama: Any, stop: threading.Event, hear: Hear, messages: list[dict[str, str]], most: int, form: Any = None
) -> tuple[str, Tokens]:
    """The text of an answer, told as it comes, and its tokens: each piece of a stream is one."""
    asked = len(llama.tokenize("".join(m["content"] for m in messages).encode()))
    text: list[str] = []
    stream = llama.create_chat_completion(
        messages=messages, response_format=form, max_tokens=most, temperature=TEMPERATURE, stream=True
    )
    length = 0
    for chunk in stream:
        if stop.is_set():
            break
        piece = chunk["choices"][0]["delta"].get("content") or ""
        length += len(piece)
        if length > (TEXT if form is None else GIBBERISH):
            raise ModelFailed("the answer is too long")
        if piece:
            text.append(piece)
            hear(piece)
    return "".join(text), Tokens(asked, len(text))
