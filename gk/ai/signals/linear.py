"""Many small linear classifiers at once, in plain integers.

Every word has a weight for each of some twenty-five outputs. Added one by one that would cost 150 words x 25 additions;
here the weights of a word are lanes of one long integer, 32 bits each, and `sum()` adds all lanes of all words in C:
under ten microseconds a mail. A weight stands in its lane with an offset that makes it positive, so no lane borrows
from its neighbour; 2,047 words of 2,048 units still fit.
"""

import base64
import gzip
import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

LANE = 4  # octets
YES_OR_NO = frozenset(("needs_response", "automatic"))  # outputs of which a low score is an answer too: `-automatic`
OFFSET = 2_048  # units
MOST = 1_500  # features of one mail
TELLING, TELLING_MARK = 2.0, 0.2  # weights from which on a word or a mark is worth naming as a reason


@dataclass(frozen=True, slots=True)
class Model:
    """The weights: `outputs` name the lanes, `words` and `marks` map features to packed lanes, `unit` scales them.

    `telling` holds, of each feature, the outputs it speaks for most, with the weight, for evidence; what speaks against
    an output that is answered with yes or no speaks for `-output`.
    Words count by their sum over the root of how many there are; marks, facts of the structure, count in full.
    """

    version: int
    outputs: tuple[str, ...]
    unit: float
    bias: tuple[float, ...]
    words: dict[str, int]
    marks: dict[str, int]
    telling: dict[str, tuple[tuple[str, float], ...]]

    def scores(self, words: Iterable[str], marks: Iterable[str], scale: float) -> dict[str, float]:
        """What each output comes to, as log-odds."""
        by_word, by_mark = self._sum(self.words, words), self._sum(self.marks, marks)
        unit, scaled = self.unit, self.unit * scale
        return {
            name: base + word * scaled + mark * unit
            for name, base, word, mark in zip(self.outputs, self.bias, by_word, by_mark, strict=True)
        }

    def _sum(self, table: dict[str, int], features: Iterable[str]) -> list[int]:
        lanes = [*filter(None, map(table.get, features))][:MOST]
        count = len(self.outputs)
        total = sum(lanes).to_bytes(LANE * count + LANE, "little")
        base = len(lanes) * OFFSET
        return [lane - base for lane in struct.unpack_from(f"<{count}I", total)]


def pack(weights: Iterable[int]) -> int:
    """Lanes of one feature as one integer."""
    return int.from_bytes(b"".join((weight + OFFSET).to_bytes(LANE, "little") for weight in weights), "little")


@lru_cache(maxsize=1)
def model() -> Model:
    """The weights that came with the program; read once."""
    return load(resources.files("gk.ai.data").joinpath("triage.json.gz").read_bytes())


def load(stored: bytes) -> Model:
    """The weights as they were stored by scripts/train_triage.py."""
    held = json.loads(gzip.decompress(stored))
    count = len(held["outputs"])
    outputs, unit = tuple(held["outputs"]), held["unit"]
    telling: dict[str, tuple[tuple[str, float], ...]] = {}
    tables: list[dict[str, int]] = []
    for name, least in (("words", TELLING), ("marks", TELLING_MARK)):
        table: dict[str, int] = {}
        for feature, coded in held[name].items():
            row = struct.unpack(f"<{count}h", base64.b85decode(coded))
            table[feature] = pack(row)
            told: list[tuple[str, float]] = []
            for output, weight in zip(outputs, row, strict=True):
                if weight * unit > least:
                    told.append((output, weight * unit))
                elif output in YES_OR_NO and -weight * unit > least:
                    told.append((f"-{output}", -weight * unit))
            if told:
                telling[feature] = tuple(told)
        tables.append(table)
    return Model(held["version"], outputs, unit, tuple(held["bias"]), tables[0], tables[1], telling)
