"""The time left follows from what was done, and never grows for want of news."""

import re

from poseur_study.execution.progress import TimeLeft


def minutes(text: str) -> int:
    return int(re.search(r"about (\d+) min", text)[1])


def test_nothing_is_said_before_anything_is_done():
    left = TimeLeft()
    left.take(0, 40, 60)  # 40 were done by an earlier batch
    left.take(500, 40, 60)
    assert left.text(500) == ""


def test_the_rate_is_this_batch_s():
    left = TimeLeft()
    left.take(0, 40, 60)
    left.take(600, 50, 50)  # 10 units in 10 minutes: 50 minutes for the other 50
    assert minutes(left.text(600)) == 50


def test_it_counts_down_where_nothing_new_is_done():
    left = TimeLeft()
    left.take(0, 0, 100)
    left.take(600, 10, 90)
    shown = []
    for now in range(600, 6000, 100):
        left.take(now, 10, 90)
        shown.append(minutes(left.text(now)))
    assert shown == sorted(shown, reverse=True) and shown[0] == 90 and shown[-1] <= 2


def test_hours_and_the_end():
    left = TimeLeft()
    left.take(0, 0, 100)
    left.take(3600, 10, 90)
    assert left.text(3600) == "; about 9 h left"
    assert left.text(10**6) == "; about a minute left"
