"""The tools of a conversation: what a model may call, the action behind each, and what it is told of the result.

A model that can act is never told what a stranger wrote: neither texts nor subjects nor names of authors. It gets names
like G12, days, labels of a fixed list and the user's own folders. What stands behind a name only the user sees.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gk.ai.model import Tool

Given = Mapping[str, Any]
IDS = 200  # mails named in one call
WORDS = 4000  # characters of a text the model writes
HITS = 20

Kind = Literal["look", "change", "confirm", "read", "write"]


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tool. `arguments` makes those of the action out of the model's; it raises KeyError, TypeError, ValueError.

    `kind`: look and change are done at once (a change is noted with how it is taken back), confirm waits for the user's
    yes; read and write go by way of the model that reads.
    """

    tool: Tool
    kind: Kind
    action: str
    arguments: Callable[[Given], dict[str, Any]]
    told: Callable[[Any], str] = str


def _tool(called: str, doc: str, needed: str, **properties: Any) -> Tool:
    schema = {"type": "object", "properties": properties, "required": needed.split(), "additionalProperties": False}
    return Tool(called, doc, schema)


_TEXT = {"type": "string"}
_MAIL = {"type": "string", "description": "The name of a mail, like G12."}
_MAILS = {"type": "array", "items": _MAIL}
_DAY = {"type": "string", "description": "A day, like 2026-11-20."}
FLAGS = {"read": ("add", "\\Seen"), "unread": ("remove", "\\Seen"), "flagged": ("add", "\\Flagged"),
         "unflagged": ("remove", "\\Flagged")}  # fmt: skip


def text(given: Given, name: str, most: int = 200) -> str:
    """A text among the arguments; "" where it is not given. Raises TypeError, ValueError."""
    value = given.get(name, "")
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    if len(value) > most:
        raise ValueError(f"{name} is longer than {most} characters")
    return value


def needed(given: Given, name: str, most: int = 200) -> str:
    """The same where it must be there."""
    value = text(given, name, most)
    if not value.strip():
        raise ValueError(f"{name} is missing")
    return value


def ids(given: Given) -> list[str]:
    """The names of mails."""
    found = given["ids"]
    if not isinstance(found, list) or not 0 < len(found) <= IDS or not all(isinstance(one, str) for one in found):
        raise ValueError(f"ids must name 1 to {IDS} mails")
    return found


def _find(given: Given) -> dict[str, Any]:
    limit = given.get("limit", 10)
    if type(limit) is not int:
        raise TypeError("limit is no number")
    return {
        "text": text(given, "words"), "author": text(given, "author"), "since": text(given, "since"),
        "before": text(given, "before"), "mailbox": text(given, "folder"), "unread": given.get("unread") is True,
        "flagged": given.get("flagged") is True, "limit": max(1, min(limit, HITS)),
    }  # fmt: skip


def _flag(given: Given) -> dict[str, Any]:
    mode, flag = FLAGS[str(given["flag"])]
    return {"ids": ids(given), mode: [flag]}


def _folders(found: Any) -> str:
    return "\n".join(f"{one['name']}: {one['messages']} mails" for one in found["mailboxes"][:500])


def _sorted(found: Any) -> str:
    """Labels of a fixed list: a stranger can choose among the user's folders, and say nothing else."""
    return "\n".join(f"{name}: {folder}" for name, folder in found["folders"].items()) or "none belongs there"


def _moved(found: Any) -> str:
    return f"{len(found['moved'])} moved to {found['mailbox']}"


INSTRUMENTS: Sequence[Instrument] = (
    Instrument(
        _tool(
            "find_mail",
            "Find mails: those with most of the words first, without words the newest. Gives names with day, folder,"
            " and labels: category, urgency, whether an answer is awaited.",
            "", words=_TEXT, author=_TEXT, since=_DAY, before=_DAY, folder=_TEXT, unread={"type": "boolean"},
            flagged={"type": "boolean"}, limit={"type": "integer"},
        ),
        "look", "mail_search", _find,
    ),
    Instrument(_tool("list_folders", "List the folders.", ""), "look", "mailbox_list", lambda given: {}, _folders),
    Instrument(
        _tool(
            "read_mail", "Have a mail read, with a question about it. What it says is shown to the user under a name"
            " like R1.", "id question", id=_MAIL, question=_TEXT,
        ),
        "read", "mail_read", lambda given: {"id": needed(given, "id"), "question": needed(given, "question", 500)},
    ),
    Instrument(
        _tool(
            "read_thread", "The same with all mails of the conversation a mail belongs to.", "id question", id=_MAIL,
            question=_TEXT,
        ),
        "read", "mail_thread", lambda given: {"id": needed(given, "id"), "question": needed(given, "question", 500)},
    ),
    Instrument(
        _tool(
            "sort_mail", "Have mails read and say of each into which of these folders it belongs. Nothing is moved.",
            "ids folders", ids=_MAILS, folders={"type": "array", "items": _TEXT},
        ),
        "look", "mail_classify", lambda given: {"ids": ids(given), "folders": list(given["folders"])}, _sorted,
    ),
    Instrument(
        _tool("move_mail", "Move mails into a folder that is there.", "ids folder", ids=_MAILS, folder=_TEXT),
        "change", "mail_move", lambda given: {"ids": ids(given), "mailbox": needed(given, "folder")}, _moved,
    ),
    Instrument(
        _tool("flag_mail", "Mark mails.", "ids flag", ids=_MAILS, flag={"type": "string", "enum": list(FLAGS)}),
        "change", "mail_flag", _flag, lambda found: f"{len(found['changed'])} changed",
    ),
    Instrument(
        _tool("make_folder", "Make a folder; «/» stands between levels.", "name", name=_TEXT),
        "change", "mailbox_add", lambda given: {"mailbox": needed(given, "name")},
        lambda found: "made" if found["made"] else "it is there already",
    ),
    Instrument(
        _tool(
            "write_draft", "Write a new mail into Drafts, to addresses the user named.", "to subject text",
            to={"type": "array", "items": _TEXT}, subject=_TEXT, text=_TEXT,
        ),
        "change", "mail_draft",
        lambda given: {
            "to": list(given["to"]), "subject": needed(given, "subject"), "text": needed(given, "text", WORDS)
        },
        lambda found: f"draft {found['id']}",
    ),
    Instrument(
        _tool(
            "draft_answer", "Write an answer to a mail into Drafts, with what the user wants it to say.", "id wishes",
            id=_MAIL, wishes=_TEXT,
        ),
        "write", "mail_draft", lambda given: {"id": needed(given, "id"), "wishes": needed(given, "wishes", WORDS)},
    ),
    Instrument(
        _tool("send_draft", "Send a draft. The user confirms it in GK.", "id", id=_MAIL),
        "confirm", "mail_draft_send", lambda given: {"id": needed(given, "id")},
    ),
    Instrument(
        _tool("delete_mail", "Move mails to Trash. The user confirms it in GK.", "ids", ids=_MAILS),
        "confirm", "mail_delete", lambda given: {"ids": ids(given)},
    ),
    Instrument(
        _tool(
            "add_rule",
            'Add a rule for mail to come, like: if from contains "ann@" then file "Ann". The user confirms it in GK.',
            "text", text=_TEXT,
        ),
        "confirm", "rule_add", lambda given: {"text": needed(given, "text", 1000)},
    ),
)  # fmt: skip
