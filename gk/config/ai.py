"""The table of language models."""

from dataclasses import dataclass

from gk.config.key import key


@dataclass(frozen=True, slots=True)
class AiModel:
    """A language model: behind a server that speaks as OpenAI's does, or in a GGUF file."""

    url: str = key("", 'Where its API begins: "http://127.0.0.1:11434/v1".')
    file: str = key("", "In place of a server: a GGUF file, run in this process by llama-cpp-python (extra local-llm).")
    model: str = key("", "The name the server knows it by.")
    name: str = key("", "What it is called here; empty: as there.")
    key_file: str = key("", "File that holds the key, readable by the service only; empty: none is needed.")
    seconds: int = key(60, "What one answer may take.")
    context: int = key(8192, "Tokens that a model in a file holds at once, question and answer.")
    price_asked: float = key(0.0, "Of a million tokens of questions, in one's own money; 0: it costs nothing.")
    price_said: float = key(0.0, "Of a million tokens of answers.")


@dataclass(frozen=True, slots=True)
class Ai:
    """Language models. Without any, everything works by rules and small classifiers of GK's own."""

    models: tuple[AiModel, ...] = key(
        (), "In the order they are asked, each an [[ai.models]]: url or file, model, key_file."
    )
    calls_per_day: int = key(500, "Calls for one user a day (UTC); 0: none.", least=0)
    spend_per_day: float = key(0.0, "Money for one user's calls a day (UTC), by the prices of the models; 0: no bound.")
    answers_days: int = key(
        7, "How long answers are remembered for the same question of the same user; 0: not.", least=0
    )
