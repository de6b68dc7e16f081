"""Plain values kept beside a message: JSON, compressed, within bounds both ways."""

import json
import zlib
from typing import Any

READ = 1 << 20  # octets a kept value may unfold to
WINDOW, MEMORY = 13, 6  # zlib's wbits, 8 KiB that text may repeat within, and memLevel


def small(text: bytes) -> bytes:
    """Compressed: for a few kilobytes zlib's own sizes of window and tables cost seven times as much to set up."""
    packer = zlib.compressobj(1, zlib.DEFLATED, WINDOW, MEMORY)
    return packer.compress(text) + packer.flush()


def unpacked(content: bytes) -> dict[str, Any] | None:
    """A kept value; None where it cannot be read."""
    try:
        found = json.loads(zlib.decompressobj().decompress(content, READ))
    except (zlib.error, ValueError):
        return None
    return found if isinstance(found, dict) else None
