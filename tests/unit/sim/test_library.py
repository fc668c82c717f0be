"""`sim.library`: profiles packed into arrays."""

from __future__ import annotations

import numpy as np

from kitwai.sim.library import NONE, Library
from simulated import profile, stage


def test_a_stage_waits_for_its_parents_and_a_job_for_the_job_before():
    two_jobs = profile(stage(0, [], 2, 1.0), stage(1, [0], 3, 1.0), stage(2, [], 1, 1.0))
    library = Library([two_jobs])
    assert library.job.tolist() == [[0, 0, 1]]
    assert library.waits_for[0, :, 0].tolist() == [NONE, 0, 1]
    assert library.first_task.tolist() == [[0, 2, 5, 6]]


def test_a_shorter_profile_is_filled_up_with_stages_without_tasks():
    library = Library(
        [profile(stage(0, [], 2, 1.0), stage(1, [0], 3, 2.0)), profile(stage(0, [], 4, 5.0))]
    )
    assert library.tasks.tolist() == [[2, 3], [4, 0]]
    assert library.stages.tolist() == [2, 1]
    assert library.work_s.tolist() == [8.0, 20.0]
    assert library.task_s[library.first_task[1, 0] : library.first_task[1, 1]].tolist() == [5.0] * 4


def test_slowdowns_are_interpolated_between_the_slots_that_are_given():
    library = Library([profile(stage(0, [], 1, 1.0), slowdown={2: 1.0, 6: 2.0})], max_workers=4)
    assert np.allclose(library.slowdown[0], [1.0, 1.0, 1.0, 1.25, 1.5, 1.75, 2.0, 2.0, 2.0])
