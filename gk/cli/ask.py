"""`gk ask`: the assistant."""

import sys
from typing import Any

import click

from gk.cli.door import act, as_json, configuration, show, table
from gk.log import escape


@click.command("ask")
@click.argument("words", nargs=-1, metavar="[ADDRESS] QUESTION...")
@click.option(
    "--as", "address", default="", metavar="ADDRESS", help="Whose mail; needed where there are several users."
)
@click.option("--about", default="", metavar="ID", help="The message «this» means: G12, or INBOX/7.")
@click.option("--conversation", default=0, metavar="N", help="Go on with an earlier conversation.")
@click.option("--confirm", default="", metavar="WORD", help="Say yes to what waits for it.")
@click.option("--undo", is_flag=True, help="Take back the last effect, or the one of --effect.")
@click.option("--effect", default=0, metavar="N", help="Which effect to take back.")
@click.option("--effects", is_flag=True, help="List what the assistant did.")
@as_json
@click.pass_context
def command(
    context: click.Context, words: tuple[str, ...], address: str, about: str, conversation: int, confirm: str,
    undo: bool, effect: int, effects: bool, json_: bool,
) -> None:  # fmt: skip
    """Ask about mail or have something done, in English or French: «who wrote today?», «aide».

    Without a model nothing is changed. With one, what changes can be taken back (--undo), and what is sent or deleted
    waits for your yes (--confirm).
    """
    if not address and words and "@" in words[0]:
        address, words = words[0], words[1:]
    config, whose = configuration(context), {"address": address}
    if confirm:
        found = act(config, "ask_confirm", {**whose, "word": confirm})
        show(found, json_, f"done: {found['done']}" + _undoable(found["effect"], bool(found["result"].get("undo"))))
    elif undo or effect:
        found = act(config, "ask_undo", {**whose, "effect": effect})
        show(found, json_, "\n".join([f"taken back: {found['undone']}", *(f"  but {p}" for p in found["problems"])]))
    elif effects:
        found = act(config, "ask_effects", whose)["effects"]
        show(found, json_, table(found, ["effect", "at", "state", "words"]) if found else "it did nothing yet")
    elif not words:
        raise click.UsageError("ask something, like «who wrote today?»")
    else:
        asked = {**whose, "question": " ".join(words), "about": about, "conversation": conversation}
        live = _Live(not json_ and sys.stdout.isatty())
        found = act(config, "ask", asked, live.take)
        show(found, json_, _told(found, said=live.used))


class _Live:
    """Words as they come, on a terminal."""

    def __init__(self, wanted: bool) -> None:
        self._wanted, self.used = wanted, False

    def take(self, piece: bytes) -> None:
        if self._wanted:
            self.used = True
            text = piece.decode("utf-8", "replace")
            click.echo("\n".join(escape(line) for line in text.split("\n")), nl=False)


def _told(found: dict[str, Any], *, said: bool) -> str:
    """The answer and what belongs to it."""
    lines = [""] if said else [found["answer"]]  # what was said as it came did not end its line
    for one in found["shown"]:
        quote = f" «{one['quote']}»" if one["quote"] else ""
        lines.append(f"[{one['name']}] {one['text']}{quote} ({', '.join(one['mails'])})")
    lines += [f"- {one['tool']}: {one['words']}{_undoable(one['effect'], bool(one['effect']))}" for one in found["did"]]
    for one in found["waits"]:
        lines.append(f"To {one['words']}\n  say yes within ten minutes: gk ask --confirm {one['word']}")
    if found["conversation"]:
        lines.append(f"(to go on: --conversation {found['conversation']})")
    return "\n".join(lines)


def _undoable(effect: int, can: bool) -> str:
    return f" (take back: gk ask --effect {effect})" if can else ""
