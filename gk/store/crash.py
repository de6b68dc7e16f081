"""Places where a test may have the process killed: `GK_CRASH_AT=name` or `name:n` for the n-th time there.

Unset, `here` is a comparison with None. Used by the writer and the filer only.
"""

import os
import signal

PLACES = (
    "units-done",  # the batch ran, nothing is committed
    "committed",  # the batch is on disk, nobody was told
    "published",  # snapshots and bus know, the callers do not
    "spool-written",
    "spool-synced",
    "tmp-written",
    "tmp-synced",
    "file-renamed",
    "directory-synced",
    "flags-renamed",
    "file-removed",
    "folder-moved",
    "folder-dropped",
    "round-committed",
    "spool-removed",
)

_name, _, _times = os.environ.get("GK_CRASH_AT", "").partition(":")
_target: str | None = _name or None
_left = int(_times or 1)


def here(place: str) -> None:
    """Die as by kill -9 when this is the place asked for."""
    global _left
    if place == _target:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
