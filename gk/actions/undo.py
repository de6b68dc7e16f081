"""How what an action did is taken back: by other actions, which it names itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Undo:
    """One action that takes back a part; several are done in their order."""

    action: str
    arguments: Mapping[str, Any]
