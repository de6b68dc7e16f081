"""`gk ask`: questions about mail."""

import click

from gk.cli.door import act, as_json, configuration, show


@click.command("ask")
@click.argument("address")
@click.argument("question", nargs=-1, required=True)
@click.option("--about", default="", metavar="ID", help="The message «summarise this» means: G12, or INBOX/7.")
@as_json
@click.pass_context
def command(context: click.Context, address: str, question: tuple[str, ...], about: str, json_: bool) -> None:
    """Answer a question about the mail of ADDRESS, in English or French: «who wrote today?», «aide».

    No model is needed, and nothing is changed.
    """
    asked = {"address": address, "question": " ".join(question), "about": about}
    found = act(configuration(context), "ask", asked)
    show(found, json_, found["answer"])
