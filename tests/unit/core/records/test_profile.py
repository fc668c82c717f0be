from __future__ import annotations

import copy
import json

import pytest

from kitwai.core.records.profile import MAX_TASKS, ApplicationProfile, load_profile, load_profiles
from kitwai.errors import InvalidInputError

GOOD = {
    "app": "wordcount-2g",
    "family": "wordcount",
    "inputs": {"size_gb": 2},
    "cores_per_worker": 2,
    "stages": [
        {"id": 0, "parents": [], "task_ms": [100.0, 120], "gap_ms": 5, "input_bytes": 10},
        {"id": 2, "parents": [0], "task_ms": [40.0], "gap_ms": 0},
    ],
    "source": "test",
    "slowdown": {"2": 1.5, "20": 1.0},
}


def change(*path, to):
    """GOOD with one value replaced, or taken away when ``to`` is ...."""
    data = copy.deepcopy(GOOD)
    place = data
    for key in path[:-1]:
        place = place[key]
    if to is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return data


def save(folder, data, name="app.json"):
    path = folder / name
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def test_reads_the_format(tmp_path):
    profile = load_profile(save(tmp_path, change("unknown_key", to=1)))
    assert (profile.app, profile.family, dict(profile.inputs)) == (
        "wordcount-2g",
        "wordcount",
        {"size_gb": 2.0},
    )
    assert profile.stages[0].task_ms == (100.0, 120.0)
    assert (profile.stages[0].input_bytes, profile.stages[1].input_bytes) == (10, None)
    assert profile.slowdown == {2: 1.5, 20: 1.0}
    assert profile.work_s == pytest.approx(0.26)
    assert (profile.warm_up_ms, profile.workers) == (None, None)
    assert load_profile(save(tmp_path, change("workers", to=2.5))).workers == 2.5
    warm = load_profile(save(tmp_path, change("warm_up_ms", to=3500)))
    assert warm.warm_up_ms == 3500.0


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (change("stages", 0, "parents", to=[2]), "form a cycle"),
        (change("stages", 0, "parents", to=[0]), "form a cycle"),
        (change("stages", 1, "parents", to=[7]), "unknown parent 7"),
        (change("stages", 1, "id", to=0), "same id"),
        (change("stages", 0, "first_ms", to={"2": 1.0}), "no task 2 of at least 1.0 ms"),
        (change("stages", 0, "first_ms", to={"0": 100.5}), "no task 0 of at least 100.5 ms"),
        (change("stages", 0, "first_ms", to={"0": -1.0}), "no task 0 of at least -1.0 ms"),
        (change("stages", 0, "first_ms", to={"one": 1.0}), "wrong type"),
        (change("stages", 0, "stage_first_ms", to=-1.0), "-1.0 ms"),
        (change("stages", 0, "task_ms", to=[1.0, -5.0]), "-5.0 ms"),
        (change("stages", 0, "task_ms", to=[float("nan")]), "nan ms"),
        (change("stages", 0, "task_ms", to=[1e300]), "1e+300 ms"),
        (change("stages", 0, "task_ms", to=[10**400]), "inf ms"),
        (change("stages", 0, "task_ms", to=[1.0, None]), "None stands where a number"),
        (change("stages", 0, "task_ms", to=["5"]), "'5' stands where a number"),
        (change("stages", 0, "task_ms", to=[True]), "True stands where a number"),
        (change("stages", 0, "task_ms", to=[]), "stage 0 has no tasks"),
        (change("stages", 0, "task_ms", to=...), "'task_ms' is missing"),
        (change("stages", 0, "gap_ms", to=-1), "-1.0 ms"),
        (change("stages", 0, "input_bytes", to=-1), "number of bytes"),
        (change("stages", to=[]), "no stages"),
        (change("stages", to=...), "'stages' is missing"),
        (change("stages", to=5), "wrong type"),
        (change("stages", to=[1]), "wrong type"),
        (change("stages", 0, "task_ms", to=[1] * (MAX_TASKS + 1)), f"more than {MAX_TASKS} tasks"),
        (change("cores_per_worker", to=0), "cores_per_worker"),
        (change("cores_per_worker", to=10**9), "cores_per_worker"),
        (change("slowdown", to={"2": 0}), "slowdown at 2"),
        (change("slowdown", to={"two": 1}), "wrong type"),
        (change("slowdown", to=[1]), "wrong type"),
        (change("inputs", to={"size": "big"}), "'big' stands"),
        (change("warm_up_ms", to=-1.0), "warm_up_ms is -1.0"),
        (change("workers", to=0), "workers is 0.0"),
        (change("workers", to=float("inf")), "workers is inf"),
        (change("warm_up_ms", to=float("nan")), "warm_up_ms is nan"),
        (change("warm_up_ms", to="long"), "'long' stands"),
        ([], "not a JSON object"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_fault_is_refused_with_the_file_and_the_reason(tmp_path, data, fault):
    path = save(tmp_path, data)
    with pytest.raises(InvalidInputError) as caught:
        load_profile(path)
    assert str(path) in str(caught.value)
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_work_at_all_is_refused(tmp_path):
    data = change("stages", to=[{"id": 0, "parents": [], "task_ms": [0, 0], "gap_ms": 0}])
    with pytest.raises(InvalidInputError, match="none of its tasks takes any time"):
        load_profile(save(tmp_path, data))


def test_a_missing_file_and_an_empty_folder_are_named(tmp_path):
    with pytest.raises(InvalidInputError, match=r"nothing.json cannot be read"):
        load_profile(tmp_path / "nothing.json")
    with pytest.raises(InvalidInputError, match="holds no profile"):
        load_profiles(tmp_path)
    with pytest.raises(InvalidInputError, match="does not exist"):
        load_profiles(tmp_path / "none")


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path):
    for name in ("b", "a"):
        save(tmp_path, change("app", to=name), f"{name}.json")
    assert [profile.app for profile in load_profiles(tmp_path)] == ["a", "b"]


def test_jobs_are_the_groups_of_stages_that_parents_join():
    stages = [
        {"id": n, "parents": parents, "task_ms": [1], "gap_ms": 0}
        for n, parents in ((5, []), (1, [3]), (3, []), (4, []), (2, [4, 3]))
    ]
    profile = ApplicationProfile.from_dict(change("stages", to=stages))
    assert [[stage.id for stage in job] for job in profile.jobs] == [[3, 1, 4, 2], [5]]
