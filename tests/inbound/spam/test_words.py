"""What words tell: signs of messages, and what Bayes makes of what was learnt."""

import os
import random
from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gk.inbound.spam import bayes
from gk.inbound.spam.bayes import Base, Own
from gk.inbound.spam.learner import as_it_came
from gk.inbound.spam.rule import Around
from gk.inbound.spam.scan import READ, scan
from gk.inbound.spam.seen import see
from gk.inbound.spam.signs import MOST, SIGNS, signs
from gk.inbound.spam.training import messages
from tests.corpus import corpus_path
from tests.inbound.spam.test_rules import message

FUZZ = 10_000 if os.environ.get("GK_FUZZ") else 300


def learnt(junk: Iterable[bytes], wanted: Iterable[bytes]) -> tuple[Counter[int], Counter[int]]:
    return tuple(Counter(s for raw in kind for s in signs(see(raw))) for kind in (junk, wanted))  # type: ignore[return-value]


def base(junk: list[bytes], wanted: list[bytes]) -> Base:
    in_junk, in_wanted = learnt(junk, wanted)
    return Base(((s, in_junk[s], in_wanted[s]) for s in in_junk | in_wanted), len(junk), len(wanted))


PILLS = [message(f"Buy our cheap pills, offer {n}, best price for watches") for n in range(20)]
MINUTES = [message(f"The minutes of meeting {n} are attached, see you in the office") for n in range(20)]


def test_what_is_like_junk_has_points_and_what_is_not_has_less_than_none() -> None:
    known = base(PILLS, MINUTES)
    bad = bayes.judge(signs(see(message("cheap watches, best offer"))), known, Own())
    good = bayes.judge(signs(see(message("the minutes of the office"))), known, Own())
    assert bad and good
    assert bad.points > 2 and good.points < -1
    assert any(sign in ("cheap", "best", "offer") and sure > 0.9 for sign, sure in bad.telling)


def test_too_little_was_learnt_for_an_opinion() -> None:
    assert bayes.judge(signs(see(PILLS[0])), base(PILLS[:9], MINUTES), Own()) is None
    assert bayes.judge(signs(see(PILLS[0])), Base(), Own()) is None


def test_what_was_never_seen_says_nothing() -> None:
    found = bayes.judge({1: "a", 2: "b"}, base(PILLS, MINUTES), Own())
    assert found == bayes.Opinion(0.0, 0.0, ())


def test_what_an_account_taught_counts_more_than_what_all_know() -> None:
    known = base(PILLS, MINUTES)
    raw = message("cheap watches, best offer")
    mine = signs(see(raw))
    taught = Own(dict.fromkeys(mine, (0, 10)), 3, 10)
    by_all, by_me = bayes.judge(mine, known, Own()), bayes.judge(mine, known, taught)
    assert by_all and by_me and by_me.points < 0 < by_all.points


def test_an_account_alone_can_teach_enough() -> None:
    junk, wanted = learnt(PILLS[:10], MINUTES[:10])
    mine = signs(see(PILLS[15]))
    own = Own({s: (junk[s], wanted[s]) for s in mine if s in junk or s in wanted}, 10, 10)
    found = bayes.judge(mine, Base(), own)
    assert found and found.points > 2


def test_more_messages_than_counts_have_room_for_are_counted_to_the_last() -> None:
    known = Base([(5, 1 << 20, 1)], 1 << 20, 1 << 20)
    assert known.counts[5] == (0xFFFF << 16) | 1
    found = bayes.judge({5: "x"}, known, Own())
    assert found and found.points > 0


def test_signs_are_bounded_and_say_what_they_stand_for() -> None:
    raw = message(" ".join(f"word{n} WORD{n}" for n in range(50_000)))
    found = signs(see(raw))
    assert len(found) <= MOST and all(0 <= sign < SIGNS for sign in found)
    assert {"word1", "word1 word2"} & set(found.values())
    assert "h:authentication-results" not in signs(see(b"Authentication-Results: x\r\n" + message())).values()


def test_what_was_put_above_a_message_here_is_not_learnt() -> None:
    raw = b"Received: from a by b; Tue\r\n" + message()
    above = b"Return-Path: <a@b>\r\nAuthentication-Results: x; spf=pass\r\nReceived: from c\r\n\tby d; Tue\r\n"
    assert as_it_came(above + raw) == raw
    assert as_it_came(raw) == raw


@settings(max_examples=FUZZ, deadline=None)
@given(st.binary(max_size=2000) | st.text(max_size=1000).map(lambda text: message(text)))
@example(b"")
@example(b"From: =?utf-8?b?////?= <>\r\nFrom: @@@\r\nReply-To: <@>\r\n\r\n<a href=http://[>x</a>")
@example(b"Subject: \xff\xfe\r\nContent-Type: multipart/mixed; boundary=\r\n\r\n--\r\n--\r\n")
@example(b"Content-Type: text/html\r\n\r\n" + b"<a href='http://xn--a'>" * 300)
def test_no_message_makes_it_raise(raw: bytes) -> None:
    found = scan(raw, Around(frozenset({"example.test"})), {})
    assert len(found.signs) <= MOST


def test_no_more_than_the_beginning_is_looked_at() -> None:
    raw = message("word " * (READ // 2)) + b"viagra"
    assert scan(raw, Around(), {}).hits == scan(raw[:READ], Around(), {}).hits


@pytest.mark.slow
def test_half_of_real_mail_teaches_what_the_other_half_is() -> None:
    missed: list[str] = []
    root = corpus_path("spam-ham")
    kinds = [[scan(raw, Around(), {}) for raw in messages(root / name, missed)] for name in ("spam", "ham")]
    junk, wanted = (random.Random(1).sample(kind, len(kind)) for kind in kinds)
    counts = [Counter(s for one in kind[: len(kind) // 2] for s in one.signs) for kind in (junk, wanted)]
    rows = [(s, counts[0][s], counts[1][s]) for s in counts[0] | counts[1]]
    known = Base(rows, len(junk) // 2, len(wanted) // 2)

    def score(kind: list) -> list[float]:  # type: ignore[type-arg]
        opinions = [(one, bayes.judge(one.signs, known, Own())) for one in kind[len(kind) // 2 :]]
        return [sum(hit.points for hit in one.hits) + (found.points if found else 0) for one, found in opinions]

    assert not missed
    assert sum(points >= 5 for points in score(wanted)) <= 1  # of 230
    assert sum(points < 5 for points in score(junk)) <= 51  # of 170; most lots of them miss some twenty
