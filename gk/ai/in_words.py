"""A turn with tools for models that have none: the tools are described in words, the turn comes as typed fields."""

import json

from gk.ai.model import Answer, Prompt, Talk, Turn
from gk.ai.streamed import called

ANSWER = "answer"  # the tool that is none: the text is for the user
TASK = (
    "{task}\nTools, each with the JSON schema of its arguments:\n{tools}\n"
    "Give the name of one tool in «tool» and its arguments, as a JSON object, in «arguments». When no tool is needed"
    f" any more, «tool» is «{ANSWER}», «arguments» is «{{{{}}}}», and «text» holds what you say to the user."
)


def asked_in_words(talk: Talk) -> Prompt:
    """The prompt for the next turn."""
    tools = "\n".join(f"- {tool.name}: {tool.doc} {json.dumps(tool.schema)}" for tool in talk.tools)
    said = "\n".join(_line(turn) for turn in talk.turns)
    names = (*(tool.name for tool in talk.tools), ANSWER)
    fields = {"tool": names, "arguments": "string", "text": "string"}
    return Prompt(TASK.format(task=talk.task, tools=tools), said, fields, talk.most)  # type: ignore[arg-type]


def _line(turn: Turn) -> str:
    calls = "".join(f" [calls {call.name} {json.dumps(call.arguments)}]" for call in turn.calls)
    return f"{turn.who}: {turn.text}{calls}"


def read_in_words(answer: Answer, talk: Talk) -> Turn:
    """The turn that the fields tell. Raises ModelFailed."""
    tool, text = str(answer.fields["tool"]), str(answer.fields["text"])
    if tool == ANSWER:
        return Turn("model", text)
    return Turn("model", text, [called("", tool, str(answer.fields["arguments"]), talk.tools)])
