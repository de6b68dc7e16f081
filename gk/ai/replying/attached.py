"""The text of what is attached to a mail, read in a process of its own: `python -m gk.ai.replying.attached`.

On its standard input comes the message, on its standard output goes the text. It is started for one mail that has
documents attached, and killed where it takes too long: strangers made these files.
"""

import asyncio
import contextlib
import logging
import sys

from gk.message.extract import attached_text
from gk.message.part import Part
from gk.message.scan import scan
from gk.message.searched import decoded
from gk.message.text import walk
from gk.service import behave_as_child, child_environment
from gk.store.content import Content

log = logging.getLogger(__name__)

LARGEST = 20 << 20  # octets of a message whose attachments are read
TEXT = 16_000  # characters kept
PATIENCE = 15.0  # seconds, a start included
MEMORY = 1 << 30  # octets of address space
NICE = 10


def has_documents(tree: Part) -> bool:
    """Whether there is anything to read besides the mail itself."""
    return any(_is_text(part) or part.type in (b"application", b"binary") for part in walk(tree) if not part.children)


async def read_attached(content: Content) -> str:
    """The text of the documents attached to a message; "" where there is none or it cannot be had."""
    if content.size > LARGEST:
        return ""
    raw = await asyncio.to_thread(content.read)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gk.ai.replying.attached",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=child_environment(),
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE):
            out, _ = await process.communicate(raw)
        return out[: 4 * TEXT].decode("utf-8", "ignore")[:TEXT]
    except (OSError, TimeoutError) as error:
        log.warning("event=attachments_unread error=%s", type(error).__name__)
        return ""
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def text_of(raw: bytes) -> str:
    """What the documents say: text files first, then DOCX and PDF. In the main thread of a process only."""
    tree = scan(raw)
    pieces = []
    left = TEXT
    for part in walk(tree):
        if left <= 0:
            break
        if _is_text(part):
            pieces.append("".join(decoded(raw, part))[:left])
            left -= len(pieces[-1])
    return "\n\n".join(filter(None, [*pieces, attached_text(raw, tree)]))[:TEXT]


def _is_text(part: Part) -> bool:
    return (
        part.type == b"text" and part.disposition == b"attachment" and part.subtype in (b"plain", b"csv", b"markdown")
    )


def main() -> int:
    """Read one message."""
    behave_as_child(MEMORY, NICE)
    text = text_of(sys.stdin.buffer.read(LARGEST))
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
