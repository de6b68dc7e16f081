"""What clients tried, and what they were told: one line on disk before each attempt and one after each answer."""

import os
from collections import defaultdict
from pathlib import Path

STEPS = ("none", "kept", "flagged", "moved", "gone")  # the life of one message, in order


class Ledger:
    """The last step tried and the last step acknowledged of every message."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a")
        self.tried: dict[str, int] = defaultdict(int)
        self.acknowledged: dict[str, int] = defaultdict(int)

    def close(self) -> None:
        self._file.close()

    def trying(self, key: str, step: str) -> None:
        self.tried[key] = STEPS.index(step)
        self._write(f"try {step} {key}")

    def told(self, key: str, step: str) -> None:
        self.acknowledged[key] = STEPS.index(step)
        self._write(f"ok {step} {key}")

    def _write(self, line: str) -> None:
        self._file.write(line + "\n")
        self._file.flush()
        os.fdatasync(self._file.fileno())

    def judge(self, found: dict[str, list[str]]) -> list[str]:
        """What is wrong with the messages found: key → the steps its copies stand at."""
        wrong = []
        for key, step in self.acknowledged.items():
            copies = [STEPS.index(s) for s in found.get(key, [])]
            lowest, highest = step, self.tried[key]
            if not copies:
                if highest < STEPS.index("gone"):
                    wrong.append(f"lost: {key} was acknowledged as {STEPS[step]}")
            elif len(copies) > 1:
                wrong.append(f"twice: {key} stands {found[key]}")
            elif not lowest <= copies[0] <= highest:
                wrong.append(f"wrong: {key} is {found[key][0]}, told {STEPS[lowest]}, tried {STEPS[highest]}")
        wrong += [f"invented: {key}" for key in found if key not in self.tried]
        return wrong
