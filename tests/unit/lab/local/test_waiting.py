from __future__ import annotations

import pytest

from kitwai_lab.local.waiting import wait_until


def test_waiting_asks_until_the_answer_is_true():
    answers = iter([False, None, "there", False])
    wait_until(lambda: next(answers), 60, AssertionError("late"), poll_s=0.0)
    assert list(answers) == [False]


def test_waiting_too_long_raises_the_given_error():
    with pytest.raises(ZeroDivisionError, match="late"):
        wait_until(lambda: False, 0.0, ZeroDivisionError("late"), poll_s=0.001)
