"""`metrics.original_csv`: the table of the original prototype, written and read."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitwai.errors import InvalidInputError
from kitwai.metrics.original_csv import COLUMNS, Row, from_csv, rows, to_csv, to_observations
from stored_steps import SEEN


def test_a_table_of_a_cluster():
    text = to_csv(rows([SEEN, replace(SEEN, host=None, applications=None)]))
    assert text == "id,execu,memT,memA,cpuU,cpuS,netI,netO\n1,30,,1536.5,25,,1000,\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "its first line must be id,execu"),
        ("id,execu\n", "its first line must be id,execu"),
        (",".join(COLUMNS) + "\n1,2,3\n", "t, line 2 is refused: it has 3 fields, not 8"),
        (",".join(COLUMNS) + "\n1,,3,4,5,6,7,8\n", "execu is empty"),
        (",".join(COLUMNS) + "\n1,2,3,4,5,6,7,many\n", "'many' is no number from 0 up"),
        (",".join(COLUMNS) + "\n1,2,3,4,5,6,-7,8\n", "'-7' is no number"),
        (",".join(COLUMNS) + "\n1,2,nan,4,5,6,7,8\n", "'nan' is no number"),
        (",".join(COLUMNS) + "\n1,2,3,4,150,6,7,8\n", "cpuU is more than 100 %"),
        (",".join(COLUMNS) + "\n1," + "9" * 200_000 + "\n", "line 2 is refused"),
    ],
)
def test_a_wrong_table_is_one_sentence(text, words):
    with pytest.raises(InvalidInputError, match=re.escape(words)):
        from_csv(text, "t")


AMOUNTS = st.none() | st.floats(0, 1e15)


SHARES = st.none() | st.floats(0, 1)


@given(st.floats(0, 1e9), AMOUNTS, AMOUNTS, SHARES, SHARES, AMOUNTS, AMOUNTS)
def test_a_table_comes_back_as_it_went(execu, mem_t, mem_a, cpu_u, cpu_s, net_in, net_out):
    percent = (None if share is None else 100.0 * share for share in (cpu_u, cpu_s))
    row = Row(execu, mem_t, mem_a, *percent, net_in, net_out)
    assert from_csv(to_csv([row]), "t") == [row]
    (seen,) = to_observations([row], cluster="c", application="a", start=0.0)
    (again,) = rows([seen])
    assert (again.execu, again.memT, again.memA, again.netI) == (execu, mem_t, mem_a, net_in)
    for before, after in ((row.cpuU, again.cpuU), (row.cpuS, again.cpuS)):
        assert after == (None if before is None else pytest.approx(before))
