"""THREAD=ORDEREDSUBJECT and THREAD=REFERENCES (RFC 5256 §3): messages as places, threads as lists; no recursion.

A message is its place among those searched, from 0 in mailbox order. Whatever is larger is a dummy.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
STEPS = 10_000_000  # of looking for loops; only mail made to be slow needs as many, and gets flatter threads


@dataclass(frozen=True, slots=True)
class Threads:
    """The heads of all threads in their order, and the children of each message that has some, in theirs."""

    roots: list[int]
    children: dict[int, list[int]]


@dataclass(frozen=True, slots=True)
class Mail:
    """What REFERENCES must know of the messages, side by side in mailbox order."""

    sent: Sequence[int]
    subjects: Sequence[str]  # base subjects, folded
    replies: Sequence[bool]  # base subject extraction found a reply or a forward
    ids: Sequence[bytes | None]
    references: Sequence[Sequence[bytes]]


def ordered_subject(sent: Sequence[int], subjects: Sequence[str]) -> Threads:
    """Messages of one base subject: the first is the parent of all others."""
    places = sorted(range(len(sent)), key=lambda p: (subjects[p], sent[p]))
    children: dict[int, list[int]] = {}
    roots = []
    for _, group in groupby(places, key=lambda p: subjects[p]):
        first, *rest = group
        roots.append(first)
        if rest:
            children[first] = rest
    roots.sort(key=lambda p: (sent[p], p))
    return Threads(roots, children)


def references(mail: Mail) -> Threads:
    """Messages under what they refer to, and threads of one subject together; steps 1 to 6."""
    count = len(mail.sent)
    parents = _linked(mail)
    tops, children = _pruned(parents, count)

    def age(node: int) -> tuple[int, int]:  # sent date, then mailbox order (RFC 5256 §2.2)
        first = node if node < count else children[node][0]
        return mail.sent[first], first

    for siblings in children.values():  # no dummy is among them: dummies are at the top only
        siblings.sort(key=age)
    tops.sort(key=age)  # step 4
    roots = _merged(mail, tops, children)
    for siblings in children.values():
        siblings.sort(key=age)
    roots.sort(key=age)  # step 6
    return Threads(roots, children)


@dataclass(slots=True)
class _Forest:
    """Parents of messages and dummies, -1 for none; never with a loop."""

    parents: list[int]
    _has_children: bytearray = field(init=False)
    _steps: int = STEPS

    def __post_init__(self) -> None:
        self._has_children = bytearray(len(self.parents))

    def add(self) -> int:
        """A new dummy."""
        self.parents.append(-1)
        self._has_children.append(0)
        return len(self.parents) - 1

    def link(self, parent: int, child: int) -> None:
        """Make a parent of a child that has none, unless the parent descends from the child."""
        if parent == child or (self._has_children[child] and self._descends(parent, child)):
            return
        self.parents[child] = parent
        self._has_children[parent] = 1

    def _descends(self, node: int, ancestor: int) -> bool:
        while node >= 0:
            if node == ancestor:
                return True
            self._steps -= 1
            if self._steps < 0:
                return True  # not known, and not worth more time
            node = self.parents[node]
        return False


def _linked(mail: Mail) -> list[int]:
    """Step 1: the parent of each message and dummy."""
    forest = _Forest([-1] * len(mail.ids))
    known: dict[bytes, int] = {}
    for place, name in enumerate(mail.ids):
        if name is not None:
            known.setdefault(_normal(name), place)  # of messages with one id the first has it, the others have none
    parents = forest.parents
    for place, names in enumerate(mail.references):
        last = -1
        for name in map(_normal, names):  # 1.A
            node = known.get(name)
            if node is None:
                node = known[name] = forest.add()
            if last >= 0 and parents[node] < 0:
                forest.link(last, node)
            last = node
        if parents[place] != last:  # 1.B: what others said of its parent gives way
            parents[place] = -1
            if last >= 0:
                forest.link(last, place)
    return parents


def _normal(name: bytes) -> bytes:
    """An id without quotes: `<"a"@b>` is `<a@b>` (RFC 5256 §3)."""
    return _QUOTED.sub(lambda found: _ESCAPE.sub(rb"\1", found[1]), name) if b'"' in name else name


def _pruned(parents: list[int], count: int) -> tuple[list[int], dict[int, list[int]]]:
    """Steps 2 and 3: what stands at the top and what below what, without dummies but those at the top that hold
    several threads together."""
    above = _real(parents, count)
    children: dict[int, list[int]] = {}
    tops: list[int] = []
    for place in range(count):
        if above[place] < 0:
            tops.append(place)
        else:
            children.setdefault(above[place], []).append(place)
    for node in [node for node in children if node >= count]:
        if len(children[node]) == 1:
            tops += children.pop(node)
        else:
            tops.append(node)
    return tops, children


def _real(parents: list[int], count: int) -> list[int]:
    """For each message the nearest message above it, else the dummy at the top, else -1."""
    top = list(range(len(parents)))  # of a dummy: what stands in its place
    known = bytearray(len(parents))
    for start in range(count, len(parents)):
        path = []
        node = start
        while node >= count and not known[node] and parents[node] >= 0:
            path.append(node)
            node = parents[node]
        end = top[node] if node >= count else node
        for passed in path:
            top[passed], known[passed] = end, 1
    return [top[parent] if parent >= count else parent for parent in parents[:count]]


def _merged(mail: Mail, tops: list[int], children: dict[int, list[int]]) -> list[int]:
    """Step 5: threads of one subject become one."""
    count = len(mail.sent)
    firsts = {node: node if node < count else children[node][0] for node in tops}
    table: dict[str, int] = {}  # 5.A
    for node in tops:  # 5.B
        subject = mail.subjects[firsts[node]]
        if not subject:
            continue
        known = table.setdefault(subject, node)
        if known < count and (node >= count or (mail.replies[known] and not mail.replies[node])):
            table[subject] = node
    gone: set[int] = set()
    made: list[int] = []
    fresh = max(max(children, default=0), count) + 1
    for node in tops:  # 5.C
        subject = mail.subjects[firsts[node]]
        if not subject or table[subject] == node:
            continue
        known = table[subject]
        gone.add(node)
        if node >= count:  # then the one in the table is a dummy, too
            children[known] += children.pop(node)
        elif known >= count or (mail.replies[node] and not mail.replies[known]):
            children.setdefault(known, []).append(node)
        else:
            children[fresh] = [known, node]
            gone.add(known)
            made.append(fresh)
            table[subject] = fresh
            fresh += 1
    return [node for node in (*tops, *made) if node not in gone]


def render(threads: Threads, names: Sequence[int]) -> Iterable[bytes]:
    """The thread lists of a THREAD response in pieces (RFC 5256 §5); `names` are the messages' numbers or uids."""
    children = threads.children
    for root in threads.roots:
        out: list[str] = []
        left: list[int] = [root]  # -1: a bracket closes
        while left:
            node = left.pop()
            if node < 0:
                out.append(")")
                continue
            out.append("(")
            space = ""
            if node < len(names):
                out.append(str(names[node]))
                space = " "
            below = children.get(node, ())
            while len(below) == 1:
                node = below[0]
                out.append(f" {names[node]}")
                below = children.get(node, ())
            if below:
                out.append(space)
            left.append(-1)
            left += reversed(below)
        yield "".join(out).encode()
