"""`core.forecast.arrays`: the view of applications as arrays."""

from __future__ import annotations

import numpy as np

from builders import Seen, view


def test_a_padded_view_gains_stages_that_have_no_task_and_never_began():
    seen = view(Seen(8, {2: (3, 6.0)}, active=2, began_s=1.0), now=9.0)
    padded = seen.padded(3)
    assert padded.tasks.tolist() == [[8, 0, 0]]
    assert padded.complete.tolist() == [[3, 0, 0]]
    assert padded.ended.tolist() == [[False] * 3]
    assert np.isinf(padded.began_s[0, 1:]).all()
    assert np.isinf(padded.ended_s[0, 1:]).all()
    assert padded.cell_n.shape == (1, 3, seen.cell_n.shape[2])
    assert padded.cell_s[0, 0].tolist() == seen.cell_s[0, 0].tolist()
    assert seen.padded(1) is seen
