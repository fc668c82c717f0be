from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from kitwai.core.records.profile import ApplicationProfile, StageProfile
from kitwai.errors import InvalidInputError
from kitwai.sim.baselines import MARGINS, NAMES, make
from kitwai.sim.baselines.fits import fits_of, true_work_s
from kitwai.sim.baselines.predictive import Ernest, Linear, fewest_in_time
from kitwai.sim.baselines.reactive import Dataproc, Hpa, pending_tasks
from kitwai.sim.episodes import grid_episodes
from kitwai.sim.judging import Judge
from kitwai.sim.library import NONE, Library
from kitwai.sim.simulator import Simulator, SimulatorConfig

SLOWDOWN = {2: 1.0, 8: 1.2, 20: 1.8}


def run_of(size: float, family="etl", tasks=24, stages=6) -> ApplicationProfile:
    """``size`` minutes of work in a chain of stages, the first half with uneven tasks."""
    uneven = np.linspace(0.5, 1.5, tasks)
    each = size * 60_000.0 / (tasks * stages)
    chain = [
        StageProfile(
            number,
            (number - 1,) if number else (),
            tuple(each * (uneven if number < stages // 2 else np.ones(tasks))),
        )
        for number in range(stages)
    ]
    return ApplicationProfile(
        f"{family}-{size}", family, {"gb": size}, 2, tuple(chain), "test", SLOWDOWN
    )


@pytest.fixture(scope="module")
def library() -> Library:
    return Library([*(run_of(size) for size in (8.0, 16.0, 32.0, 48.0)), run_of(20.0, "alone")])


@pytest.fixture(scope="module")
def judges(library) -> dict[str, Judge]:
    return {
        regime: Judge(
            library, grid_episodes(library, regime, seed=3, workers=(4, 9), limits_s=(300.0, 540.0))
        )
        for regime in ("recurring", "new", "disturbed")
    }


def view_of(judge: Judge, steps: int = 0):
    """The simulator's view after so many steps on the starting workers."""
    episodes = judge.episodes
    simulator = Simulator(judge.library, len(episodes), judge.config)
    simulator.reset(
        episodes.profile,
        episodes.max_workers,
        episodes.limit_s,
        realisation=episodes.realisation,
    )
    for _ in range(steps):
        simulator.step(np.full(len(episodes), 2))
    return simulator.view()


@pytest.mark.parametrize("regime", ["recurring", "new", "disturbed"])
@pytest.mark.parametrize("name", NAMES)
def test_every_baseline_ends_every_episode_within_its_bounds(name, regime, judges):
    judge = judges[regime]
    (controller,) = make([name], margins=(0.9,)).values()
    asked = []

    class Watched:
        begin = staticmethod(controller.begin)

        @staticmethod
        def targets(view):
            targets = np.asarray(controller.targets(view))
            assert targets.shape == view.workers.shape
            assert np.issubdtype(targets.dtype, np.integer)
            asked.append(targets)
            return targets

    outcome = judge.run(Watched())
    assert np.isfinite(outcome.worker_seconds).all()
    assert (outcome.finish_s < 20 * judge.episodes.limit_s).all()
    again = judge.run(controller)
    np.testing.assert_array_equal(again.finish_s, outcome.finish_s)


@pytest.mark.parametrize(
    ("name", "hit_rate", "static_ratio"),
    [("remaining-work", 1.0, 1.25), ("mpc", 1.0, 1.1), ("lookahead", 1.0, 1.1)],
)
def test_where_work_follows_the_size_the_models_are_near_the_best_static(
    name, hit_rate, static_ratio, judges
):
    judge = judges["recurring"]
    row = judge.judge(judge.run(make([f"{name}@0.90"])[f"{name}@0.90"]))
    most = judge.judge(judge.at_most)
    assert row.hit_rate >= hit_rate - 0.1
    assert row.static_ratio < static_ratio < most.static_ratio


def test_a_lower_margin_ends_earlier_on_more_workers(judges):
    judge = judges["recurring"]
    outcomes = [judge.run(one) for one in make(["lookahead"], (1.0, 0.6)).values()]
    rows = judge.feasible
    assert outcomes[1].finish_s[rows].mean() < outcomes[0].finish_s[rows].mean()
    assert outcomes[1].worker_seconds[rows].mean() > outcomes[0].worker_seconds[rows].mean()


@pytest.mark.parametrize("name", NAMES)
def test_no_fair_baseline_reads_the_run_itself(name, library, judges):
    """Another truth behind the same announcement changes no first decision."""
    if name == "lookahead-true":
        pytest.skip("it is the one that may")
    changed = [
        dataclasses.replace(run_of(60.0), app="x", inputs={"gb": 16.0})
        if one.inputs == {"gb": 16.0}
        else one
        for one in library.profiles
    ]
    judge = judges["recurring"]
    own = np.flatnonzero(judge.episodes.profile == 1)
    view = view_of(judge)
    asked = []
    for lib in (library, Library(changed)):
        (controller,) = make([name], margins=(0.8,)).values()
        controller.begin(lib, judge.episodes, judge.config)
        asked.append(np.asarray(controller.targets(view))[own])
    np.testing.assert_array_equal(*asked)


def test_fits_follow_the_familys_other_runs(library):
    fits = fits_of(library, SimulatorConfig())
    assert fits.known.tolist() == [True, True, True, True, False]
    assert fits.nearest[[0, 2, 3, 4]].tolist() == [1, 3, 2, NONE]
    np.testing.assert_allclose(fits.work_s[1], true_work_s(library)[1], rtol=0.15)
    # The curve is known: work grows by a fifth from 2 slots to 8.
    assert fits.work_s[1, 4] / fits.work_s[1, 1] == pytest.approx(1.2, rel=0.01)
    assert (fits.finish_s[:4, 8] < fits.finish_s[:4, 2]).all()


def test_ernest_and_the_line_recover_their_own_formulas(library):
    runs, n = np.array([0, 2, 3]), np.arange(11.0)
    sizes = np.array([8.0, 32.0, 48.0])
    shape = np.maximum(n, 1.0)
    ernest = 5.0 + 10.0 * sizes[:, None] / shape + 3.0 * np.log(shape) + 0.5 * shape
    predicted = Ernest(1.0).predict(library, 1, runs, ernest)
    own = 5.0 + 160.0 / shape + 3.0 * np.log(shape) + 0.5 * shape
    np.testing.assert_allclose(predicted[1:], own[1:], rtol=1e-6)
    linear = 400.0 - 20.0 * n + 2.0 * sizes[:, None]
    predicted = Linear(1.0).predict(library, 1, runs, linear)
    np.testing.assert_allclose(predicted[1:], (432.0 - 20.0 * n)[1:], rtol=1e-6)


@pytest.mark.parametrize(
    ("time_s", "most", "target"),
    [(100.0, 4, 2), (80.0, 4, 3), (50.0, 4, 3), (50.0, 2, 2), (500.0, 4, 1)],
)
def test_fewest_in_time_else_the_earliest(time_s, most, target):
    finish = np.array([[np.inf, 200.0, 95.0, 60.0, 75.0]])
    found = fewest_in_time(finish, np.array([time_s]), np.array([most]))
    assert found.tolist() == [target]


@pytest.mark.parametrize(
    ("busy", "workers", "serving", "want"),
    [
        (0.70, 4, 4, 4),
        (0.75, 4, 4, 4),  # within the tolerance
        (1.00, 4, 4, 6),  # 4 * 1 / 0.7 = 5.7
        (1.00, 6, 4, 6),  # those that start count as idle: 0.95 of the target
        (1.00, 2, 2, 3),
        (0.35, 4, 4, 2),
        (0.35, 8, 4, 6),  # those that start count as at target
    ],
)
def test_hpa_by_hand(busy, workers, serving, want, judges):
    view = view_of(judges["recurring"], 1)
    rows = len(view.now)
    view = dataclasses.replace(
        view,
        max_workers=np.full(rows, 10),
        busy=np.full(rows, busy),
        workers=np.full(rows, workers),
        serving=np.full(rows, serving),
    )
    hpa = Hpa("cpu", 0.7)
    hpa.begin(judges["recurring"].library, judges["recurring"].episodes, SimulatorConfig())
    assert set(hpa.targets(view).tolist()) == {want}


def test_hpa_shrinks_only_to_the_highest_want_of_five_minutes(judges):
    view = view_of(judges["recurring"], 1)
    rows = len(view.now)
    hpa = Hpa("cpu", 0.7)
    hpa.begin(judges["recurring"].library, judges["recurring"].episodes, SimulatorConfig())
    asked = []
    for busy in [0.7, *[0.35] * 20]:
        same = np.full(rows, 4)
        now = dataclasses.replace(
            view,
            busy=np.full(rows, busy),
            workers=same,
            serving=same,
            max_workers=np.full(rows, 10),
        )
        asked.append(int(hpa.targets(now)[0]))
    assert asked == [4] * 20 + [2]


def test_dataproc_waits_for_its_cooldown(judges):
    judge = judges["recurring"]
    dataproc = Dataproc()
    dataproc.begin(judge.library, judge.episodes, judge.config)
    big = np.flatnonzero((judge.episodes.profile == 3) & (judge.episodes.max_workers == 9))
    for steps in range(9):
        view = view_of(judge, steps)
        targets = dataproc.targets(view)[big]
        assert (targets == 2).all() if steps < 8 else (targets > 2).all()


def test_pending_are_the_tasks_of_stages_under_way(judges):
    judge = judges["recurring"]
    before, later = view_of(judge), view_of(judge, 1)
    # At the start none has begun: the first stage counts, not the five after it.
    assert (pending_tasks(before) == 24).all()
    begun = (later.active + later.complete > 0) & ~later.ended
    own = np.where(begun, later.tasks - later.active - later.complete, 0).sum(axis=1)
    some = begun.any(axis=1)
    np.testing.assert_array_equal(pending_tasks(later)[some], own[some])


def test_names_and_margins():
    made = make(["remaining-work", "lookahead@0.85", "static@3", "always-N"], (0.9, 0.7))
    assert list(made) == [
        "remaining-work@0.90",
        "remaining-work@0.70",
        "lookahead@0.85",
        "static@3",
        "always-N",
    ]
    assert len([name for name in make() if name.startswith("mpc@")]) == len(MARGINS)


@pytest.mark.parametrize("name", ["magic", "static", "static@0", "hpa-cpu@0.8", "mpc@2", "mpc@x"])
def test_unknown_names_are_refused(name):
    with pytest.raises(InvalidInputError, match=r"no policy|margin"):
        make([name])
