"""A real engine with a tiny random model: in this process, and behind llama.cpp's own server. What it says is noise.

Needs llama-cpp-python, which is compiled for minutes: GK_TEST_LLAMA=1 scripts/test installs it.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gk.ai.engine_http import HttpModel
from gk.ai.engine_llama import LlamaModel
from gk.ai.metering import Price
from gk.ai.model import ModelFailed, Prompt, Talk, Tool, Turn, readable
from gk.ai.models import Models
from gk.config import AiModel
from gk.errors import ConfigError
from tests.strangers import free_port

pytestmark = pytest.mark.slow

LIBRARIES = Path(__file__).resolve().parent.parent.parent / ".venv/llama"
if LIBRARIES.is_dir():
    sys.path.append(str(LIBRARIES))
pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed (GK_TEST_LLAMA=1 scripts/test compiles it)")

from tests.ai import tiny_gguf  # noqa: E402 - needs the libraries

PROMPT = Prompt("Judge the mail.", "The roof leaks.", {"urgency": ("low", "high"), "answer": "boolean"}, 60)
FIND = Tool("find", "Find mail.", {"type": "object", "properties": {}})


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("llama") / "tiny.gguf"
    tiny_gguf.write(path)
    return path


@pytest.fixture
def model(file: Path) -> LlamaModel:
    return LlamaModel(AiModel(file=str(file), context=2048), file)


async def test_an_answer_has_the_form_that_was_asked_for(model: LlamaModel) -> None:
    for text in ("The roof leaks.", "Le toit fuit.", ""):
        found = await model.answer(Prompt(PROMPT.task, text, PROMPT.fields, 60))
        assert found.fields["urgency"] in ("low", "high") and isinstance(found.fields["answer"], bool)
        assert found.tokens.asked > 10 and found.tokens.said > 5 and found.model == "tiny"


async def test_a_text_is_text_or_no_answer(model: LlamaModel) -> None:
    for number in range(10):
        try:
            found = await model.answer(Prompt("Say.", f"{number}", {"text": "string"}, 40))
        except ModelFailed as error:  # noise that does not end, or is not printable
            assert "no JSON" in str(error) or "no readable text" in str(error)
        else:
            assert isinstance(found.fields["text"], str) and readable(found.fields["text"])


async def test_a_turn_with_tools_calls_one_of_them_or_answers(model: LlamaModel) -> None:
    talk = Talk("Help.", [Turn("user", "Where is it?")], [FIND], most=80)
    for _ in range(5):
        try:
            spoken = await model.turn(talk, lambda text: None)
        except ModelFailed:
            continue
        assert all(call.name == "find" for call in spoken.turn.calls)


async def test_what_does_not_fit_or_is_no_model_is_a_failure(model: LlamaModel, tmp_path: Path) -> None:
    with pytest.raises(ModelFailed, match="cannot answer"):
        await model.answer(Prompt("Judge.", "x" * 9000, PROMPT.fields))
    assert (await model.answer(PROMPT)).fields, "the next one is answered"
    (tmp_path / "no.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelFailed, match="cannot answer"):
        await LlamaModel(AiModel(file="no.gguf"), tmp_path / "no.gguf").probe()
    with pytest.raises(ConfigError, match="is not there"):
        LlamaModel(AiModel(file="gone.gguf"), tmp_path / "gone.gguf")


async def test_one_after_the_other_and_who_gives_up_stops_it(model: LlamaModel) -> None:
    long = Prompt("Say.", "x", {"text": "string"}, 1500)
    first = asyncio.create_task(model.answer(long))
    await asyncio.sleep(0)
    first.cancel()
    answers = await asyncio.gather(*(model.answer(PROMPT) for _ in range(8)))
    assert len(answers) == 8
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_file_answers_where_the_server_does_not(model: LlamaModel) -> None:
    gone = HttpModel(AiModel(url="http://127.0.0.1:1/v1", model="gone"))
    found = await Models([(gone, Price()), (model, Price())]).answer(1, PROMPT)
    assert found.model == "tiny"


@pytest.fixture(scope="module")
def server(file: Path) -> Iterator[str]:
    """llama.cpp's own server, stopped by pid."""
    port = free_port()
    environment = os.environ | {"PYTHONPATH": str(LIBRARIES)}
    process = subprocess.Popen(
        [sys.executable, "-m", "llama_cpp.server", "--model", str(file), "--port", str(port), "--n_ctx", "2048"],
        env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
async def served(server: str, file: Path) -> AsyncIterator[HttpModel]:
    asked = HttpModel(AiModel(url=server, model=str(file), seconds=60))
    async with asyncio.timeout(120):
        while True:
            try:
                await asked.probe()
                break
            except ModelFailed as error:
                assert error.passing, error
                await asyncio.sleep(0.2)  # another program's start, which tells nobody
    yield asked


async def test_llama_cpps_server_is_asked_in_its_dialect(served: HttpModel, server: str) -> None:
    found = await served.answer(PROMPT)
    assert found.fields["urgency"] in ("low", "high") and found.tokens.asked > 10
    with pytest.raises(ModelFailed, match="does not know the model"):
        await HttpModel(AiModel(url=server, model="other")).probe()


async def test_llama_cpps_server_streams(served: HttpModel) -> None:
    heard: list[str] = []
    for talk in (Talk("Help.", [Turn("user", "x")], (), 20), Talk("Help.", [Turn("user", "x")], [FIND], 40)):
        try:
            spoken = await served.turn(talk, heard.append)
        except ModelFailed as error:
            assert any(why in str(error) for why in ("no readable text", "no text", "no JSON", "not given")), error
        else:
            assert "".join(heard).endswith(spoken.turn.text)
