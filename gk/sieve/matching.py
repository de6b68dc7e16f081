"""Match types (RFC 5228 §2.7.1, RFC 5231): whether one of several values matches one of several keys."""

import operator
from collections.abc import Callable, Sequence
from typing import Any

from gk.sieve.comparators import Comparator
from gk.sieve.run import UNIT, Run
from gk.sieve.strings import MATCHES, Text
from gk.sieve.wildcard import Wildcard

RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
}


MAKING = 100  # units a regular expression costs once


class Matcher:
    """A match type with its comparator and keys; `relation` is that of :value and :count.

    `remember` says whether a match of wildcards sets the match variables (RFC 5229 §3.2).
    """

    def __init__(self, kind: str, comparator: Comparator, keys: Sequence[Text], relation: str, remember: bool) -> None:
        self._kind, self._comparator, self._keys, self._remember = kind, comparator, keys, remember
        self._relation: Callable[[Any, Any], bool] = RELATIONS.get(relation, operator.eq)
        self._made = [None if key.constant is None else self._key(key.constant) for key in keys]

    def _key(self, text: str) -> Any:
        key = self._comparator.key(text)
        return Wildcard(key) if self._kind == "matches" else key

    def _vary(self, run: Run, text: Text) -> Any:
        varied = text.of(run)
        run.spend(len(varied) if self._kind == "matches" else len(varied) // UNIT)
        return self._key(varied)

    def holds(self, run: Run, values: Sequence[str]) -> bool:
        """Whether a value matches a key; of :count, whether their number does."""
        run.spend(1)
        if not values and self._kind != "count":
            return False
        keys = [
            self._vary(run, text) if made is None else made for made, text in zip(self._made, self._keys, strict=True)
        ]
        if self._kind == "count":
            number = self._comparator.key(str(len(values)))
            return any(self._relation(number, key) for key in keys)
        return any(self._one(run, value, keys) for value in values)

    def _one(self, run: Run, value: str, keys: list[Any]) -> bool:
        long = len(value) // UNIT + 1
        made = self._comparator.key(value)
        for key in keys:
            run.spend(long)
            match self._kind:
                case "contains":
                    found = key in made
                case "matches":
                    run.spend(long * key.cost // 16 + key.unmade * MAKING)
                    key.unmade = 0
                    spans = key.match(made)
                    found = spans is not None
                    if found and self._remember:
                        run.matches = [value, *(value[start:end] for start, end in spans[: MATCHES - 1])]
                case _:
                    found = self._relation(made, key)
            if found:
                return True
        return False
