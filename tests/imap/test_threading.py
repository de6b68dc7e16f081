"""Threads (RFC 5256 §3): the examples of the standard, and the algorithm as it is written there, step by step."""

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from gk.imap import threading
from gk.imap.threading import Mail, Threads

EXAMPLES = 10_000 if os.environ.get("GK_FUZZ") else 300


def text(threads: Threads, names: Sequence[int]) -> str:
    return b"".join(threading.render(threads, names)).decode()


def numbered(count: int) -> range:
    return range(1, count + 1)


def test_threads_are_written_as_in_the_examples_of_the_standard() -> None:
    threads = Threads([0, 1], {1: [2], 2: [3, 4], 3: [5], 4: [6], 6: [7]})
    assert text(threads, [2, 3, 6, 4, 44, 23, 7, 96]) == "(2)(3 6 (4 23)(44 7 96))"
    assert text(Threads([2], {2: [0, 1]}), [3, 5]) == "((3)(5))"
    assert text(Threads([], {}), []) == ""


def test_messages_of_one_subject_follow_the_first() -> None:
    sent = [50, 10, 30, 20, 10, 60]
    subjects = ["a", "b", "a", "a", "", ""]
    threads = threading.ordered_subject(sent, subjects)
    assert text(threads, numbered(6)) == "(2)(5 6)(4 (3)(1))"


def mail(*messages: tuple[int, str, bool, bytes | None, list[bytes]]) -> Mail:
    columns = list(zip(*messages, strict=True)) if messages else [()] * 5
    return Mail(*columns)


def test_replies_stand_under_what_they_answer_and_siblings_by_date() -> None:
    threads = threading.references(
        mail(
            (10, "x", False, b"a", []),
            (40, "y", True, b"b", [b"a"]),
            (30, "z", True, b"c", [b"a"]),
            (50, "w", True, b"d", [b"a", b"c"]),
            (20, "v", False, b"e", []),
        )
    )
    assert text(threads, numbered(5)) == "(1 (3 4)(2))(5)"


def test_siblings_of_a_message_that_is_not_there_stay_together() -> None:
    threads = threading.references(mail((10, "x", True, b"a", [b"gone"]), (20, "y", True, b"b", [b"gone"])))
    assert text(threads, [3, 5]) == "((3)(5))"


def test_one_subject_joins_threads_that_no_reference_joins() -> None:
    first, second, reply = (10, "x", False, b"a", []), (20, "x", False, b"b", []), (30, "x", True, b"c", [])
    assert text(threading.references(mail(first, second)), numbered(2)) == "((1)(2))"
    assert text(threading.references(mail(first, reply)), numbered(2)) == "(1 2)"
    assert text(threading.references(mail(reply, first)), numbered(2)) == "(2 1)"
    assert text(threading.references(mail(*[(n, "", False, None, []) for n in range(3)])), numbered(3)) == "(1)(2)(3)"


def test_an_id_is_the_same_with_and_without_quotes() -> None:
    quoted = mail((10, "", False, b'<"a\\"b"@x>', []), (20, "", False, b"<d@x>", [b'<"a\\"b"@x>']))
    assert text(threading.references(quoted), numbered(2)) == "(1 2)"
    quoted = mail((10, "", False, b'<"a.b"@x>', []), (20, "", False, b"<d@x>", [b"<a.b@x>"]))
    assert text(threading.references(quoted), numbered(2)) == "(1 2)"


def test_messages_that_answer_each_other_make_no_loop() -> None:
    threads = threading.references(
        mail((10, "", False, b"a", [b"b"]), (20, "", False, b"b", [b"a"]), (30, "", False, b"c", [b"c"]))
    )
    assert text(threads, numbered(3)) == "(2 1)(3)"


def test_a_thread_of_ten_thousand_answers_is_one_chain_in_whatever_order_they_came() -> None:
    count = 10_000
    for order in (range(count), range(count)[::-1], [n * 3_333 % count for n in range(count)]):
        names = {n: b"%d" % n for n in order}
        threads = threading.references(mail(*[(n, "s", n > 0, names[n], [names[n - 1]] if n else []) for n in order]))
        chain = text(threads, list(order))
        assert chain == "(" + " ".join(str(n) for n in range(count)) + ")"


def test_ten_thousand_threads_within_threads_are_written() -> None:
    count = 10_000
    children = {n: [n + 1, count + n] for n in range(count - 1)}
    written = text(Threads([0], children), range(2 * count))
    assert written.startswith("(0 (1 (2 (3 ")
    assert written.count("(") == written.count(")") == 2 * count - 1


# -- the algorithm of RFC 5256 §3 with objects and recursion, as its steps are written


@dataclass(eq=False)
class Node:
    place: int | None  # None: a dummy
    parent: "Node | None" = None
    children: list["Node"] = field(default_factory=list)

    def under(self, other: "Node") -> bool:
        node: Node | None = self
        while node is not None:
            if node is other:
                return True
            node = node.parent
        return False

    def unlink(self) -> None:
        if self.parent is not None:
            self.parent.children.remove(self)
            self.parent = None

    def link(self, child: "Node") -> None:
        if not self.under(child):
            child.unlink()
            child.parent = self
            self.children.append(child)


def as_written(m: Mail) -> str:
    count = len(m.sent)
    nodes = [Node(place) for place in range(count)]
    table: dict[bytes, Node] = {}
    for place, name in enumerate(m.ids):
        if name is not None and name not in table:
            table[name] = nodes[place]
    for place in range(count):
        chain = [table.setdefault(name, Node(None)) for name in m.references[place]]
        for above, below in itertools.pairwise(chain):
            if below.parent is None:
                above.link(below)
        nodes[place].unlink()
        if chain:
            chain[-1].link(nodes[place])
    root = Node(None)
    root.children = [node for node in {*nodes, *table.values()} if node.parent is None]

    def prune(node: Node, top: bool) -> list[Node]:
        node.children = [kept for child in node.children for kept in prune(child, False)]
        if node.place is None and (not node.children or not top or len(node.children) == 1):
            return node.children
        return [node]

    root.children = [kept for child in root.children for kept in prune(child, True)]

    def age(node: Node) -> tuple[int, int]:
        if node.place is None:
            return min(age(child) for child in node.children)
        return m.sent[node.place], node.place

    def first(node: Node) -> int:
        return min(node.children, key=age).place if node.place is None else node.place  # type: ignore[return-value]

    root.children.sort(key=age)
    subjects: dict[str, Node] = {}
    for node in root.children:
        subject = m.subjects[first(node)]
        if not subject:
            continue
        known = subjects.get(subject)
        if known is None or (
            known.place is not None and (node.place is None or (m.replies[known.place] and not m.replies[node.place]))
        ):
            subjects[subject] = node
    for node in list(root.children):
        subject = m.subjects[first(node)]
        if not subject or subjects[subject] is node:
            continue
        known = subjects[subject]
        if known.place is None and node.place is None:
            known.children += node.children
            root.children.remove(node)
        elif known.place is None or (node.place is not None and m.replies[node.place] and not m.replies[known.place]):
            known.children.append(node)
            root.children.remove(node)
        else:
            dummy = Node(None)
            dummy.children = [known, node]
            root.children.remove(node)
            root.children[root.children.index(known)] = dummy
            subjects[subject] = dummy

    def written(node: Node) -> str:
        inside = "" if node.place is None else str(node.place + 1)
        below = sorted(node.children, key=age)
        if len(below) == 1:
            return f"({inside} {written(below[0])[1:]}"
        space = " " if inside and below else ""
        return f"({inside}{space}{''.join(written(child) for child in below)})"

    return "".join(written(node) for node in sorted(root.children, key=age))


names = st.sampled_from([b"a", b"b", b"c", b"d", b"e", b"f", b"g"])
mails = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from(["", "x", "y"]),
        st.booleans(),
        st.none() | names,
        st.lists(names, max_size=4),
    ),
    max_size=9,
)


@settings(max_examples=EXAMPLES * 2)
@given(mails)
def test_references_gives_what_the_standard_gives(
    messages: list[tuple[int, str, bool, bytes | None, list[bytes]]],
) -> None:
    m = mail(*messages)
    assert text(threading.references(m), numbered(len(messages))) == as_written(m)


@settings(max_examples=EXAMPLES)
@given(mails)
def test_ordered_subject_gives_what_the_standard_gives(
    messages: list[tuple[int, str, bool, bytes | None, list[bytes]]],
) -> None:
    m = mail(*messages)
    groups: dict[str, list[int]] = {}
    for place in sorted(range(len(messages)), key=lambda p: (m.sent[p], p)):
        groups.setdefault(m.subjects[place], []).append(place)
    expected = ""
    for first, *rest in sorted(groups.values(), key=lambda g: (m.sent[g[0]], g[0])):
        inside = f" {rest[0] + 1}" if len(rest) == 1 else (" " if rest else "") + "".join(f"({p + 1})" for p in rest)
        expected += f"({first + 1}{inside})"
    assert text(threading.ordered_subject(m.sent, m.subjects), numbered(len(messages))) == expected
