"""Training on small settings: what is collected, what an update does, cuts, faults, resumption."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest

from kitwai.core.policy.policy import KNOWLEDGE, ForecastPolicy, NetworkPolicy, Values, held
from kitwai.core.policy.replanning import LOGISTIC
from kitwai.core.policy.state import (
    GLOBAL_FEATURES,
    TARGET_FEATURES,
    TARGETS,
    State,
    build_state,
    encode,
)
from kitwai.core.records.profile import ApplicationProfile, StageProfile
from kitwai.errors import CheckpointError
from kitwai.learning import train as training
from kitwai.learning.experience import PRICE_RANGE, Collector, Labelled, Pool
from kitwai.learning.export import weights_bytes
from kitwai.learning.network import build_network, share_of_allowed, weights_of
from kitwai.learning.train import DQNConfig, compile_update, train
from kitwai.sim.episodes import LIMIT_GRID_S, WORKER_GRID, Episodes, calm, grid_episodes
from kitwai.sim.judging import Judge
from kitwai.sim.library import Library
from kitwai.sim.past_runs import prior_for, priors_of
from kitwai.sim.policy_controller import PolicyController
from kitwai.sim.simulator import Simulator, SimulatorConfig
from kitwai.sim.synthetic import synthetic_profiles

SHORT = DQNConfig(
    held_rounds=2,
    played_rounds=2,
    improve=1,
    envs=24,
    states=8,
    pool=60,
    hidden=8,
    updates=4,
    batch_size=32,
)


@pytest.fixture(scope="module")
def library() -> Library:
    return Library(synthetic_profiles(30, seed=0))


@pytest.fixture(scope="module")
def pool(library) -> Pool:
    return Pool.draw(library, 400, np.random.default_rng(0))


@pytest.fixture(scope="module")
def state(library, pool) -> State:
    """States of half-way applications, informed and not, with prices from low to high."""
    rng = np.random.default_rng(1)
    simulator = Simulator(library, len(pool.episodes))
    episodes = pool.episodes
    simulator.reset(
        episodes.profile, episodes.max_workers, episodes.limit_s, realisation=episodes.realisation
    )
    for _ in range(4):
        simulator.step(rng.integers(1, episodes.max_workers + 1))
    rows = np.flatnonzero(~simulator.done)
    low, high = np.log(PRICE_RANGE)
    price = np.exp(rng.uniform(low, high, size=len(rows)))
    made = build_state(
        simulator.view().take(rows), pool.prior.take(rows), price, start_delay_s=15.0, drain_s=20.0
    )
    assert 20 < made.informed.sum() < len(rows) - 20
    assert (made.mask.sum(axis=1) > 1).sum() > 50
    return made


def weights(scale: float, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = weights_of(build_network(8))
    return {name: rng.normal(0.0, scale, array.shape) for name, array in shapes.items()}


# The network


def test_keras_and_numpy_agree_on_10000_random_states():
    rng = np.random.default_rng(0)
    model = build_network(48)
    spread = 0.12
    model.set_weights([rng.normal(0.0, spread, one.shape) for one in model.get_weights()])
    global_ = rng.uniform(-2.0, 3.0, size=(10_000, len(GLOBAL_FEATURES)))
    of_target = rng.uniform(-2.0, 3.0, size=(10_000, TARGETS, len(TARGET_FEATURES)))
    mask = rng.random((10_000, TARGETS)) < rng.random((10_000, 1))
    assert (mask.sum(axis=1) == 0).any()
    ours = NetworkPolicy("v", weights_of(model)).correct(global_, of_target, mask)
    theirs = model(
        [global_.astype(np.float32), of_target.astype(np.float32), share_of_allowed(mask)]
    )
    assert ours.std() > 0.1
    assert np.abs(ours - np.asarray(theirs)).max() < 1e-5


def test_an_untrained_network_says_exactly_what_it_corrects(state):
    zero = NetworkPolicy("v", weights_of(build_network(8)))
    ours, forecast = zero.values(state), held(state)
    assert (ours.q == forecast.q).all()
    assert (ours.cost == forecast.cost).all()
    assert (ours.miss == forecast.miss).all()
    assert len(np.unique(ours.best(state))) > 3


def test_a_network_that_abstains_runs_whole_episodes_like_the_formula(library):
    silent = dict.fromkeys(KNOWLEDGE, False)
    ours = NetworkPolicy("v", weights_of(build_network(8)), trusted=silent)
    episodes = grid_episodes(library, "disturbed", seed=3, workers=(3, 8), limits_s=(300.0,))
    judge = Judge(library, episodes)
    ours, formula = (judge.run(PolicyController(one)) for one in (ours, ForecastPolicy()))
    assert (ours.finish_s == formula.finish_s).all()
    assert (ours.worker_seconds == formula.worker_seconds).all()


@pytest.mark.parametrize("informed", [True, False])
@pytest.mark.parametrize("uninformed", [True, False])
@pytest.mark.parametrize("spoilt", [False, True])
def test_a_network_is_heard_only_where_it_is_trusted(state, informed, uninformed, spoilt):
    arrays = weights(2.0)
    if spoilt:
        arrays["output_bias"][:] = np.nan
    trusted = {"informed": informed, "uninformed": uninformed}
    ours = NetworkPolicy("v", arrays, trusted=trusted).values(state).q
    formula = ForecastPolicy().values(state).q
    heard = np.where(state.informed, informed, uninformed)
    assert (ours[~heard] == formula[~heard]).all()
    if spoilt:
        assert np.isnan(ours[heard]).all()
    else:
        assert (ours[heard] != formula[heard]).any(axis=1).all()


def test_states_are_encoded_finite_and_of_order_one(state):
    global_, of_target = encode(state)
    assert global_.shape == (len(state.now), len(GLOBAL_FEATURES))
    assert of_target.shape == (len(state.now), TARGETS, len(TARGET_FEATURES))
    for array in (global_, of_target):
        assert np.isfinite(array).all()
        assert np.abs(array).max() <= 6.0


# Experience


def test_a_pool_is_half_disturbed_a_third_uninformed_and_covers_the_grid(library):
    drawn = Pool.draw(library, 3000, np.random.default_rng(0)).episodes
    assert set(drawn.max_workers.tolist()) == set(WORKER_GRID)
    assert set(drawn.limit_s.tolist()) == set(LIMIT_GRID_S)
    assert set(drawn.profile.tolist()) == set(range(30))
    assert (drawn.realisation.noise > 0).mean() == pytest.approx(0.5, abs=0.05)
    assert (~drawn.informed).mean() == pytest.approx(1 / 3, abs=0.05)
    assert ((drawn.realisation.factor != 1.0) == (drawn.realisation.noise > 0)).all()


def forty_tasks_of_30_s(number: int) -> ApplicationProfile:
    stages = (StageProfile(0, (), (30_000.0,) * 40),)
    return ApplicationProfile(f"run-{number}", "family", {"n": float(number)}, 1, stages, "test")


@pytest.fixture
def collector() -> Collector:
    """20 rows at their start: 1,200 s of work on one-slot workers, 10 at most, within 300 s."""
    library = Library([forty_tasks_of_30_s(1), forty_tasks_of_30_s(2)])
    count = 30
    rng = np.random.default_rng(0)
    episodes = Episodes(
        profile=np.zeros(count, dtype=np.int64),
        max_workers=np.full(count, 10),
        limit_s=np.full(count, 300.0),
        miss=np.zeros(count),
        informed=np.ones(count, dtype=np.bool_),
        realisation=calm(count, rng),
    )
    prior = prior_for(library, priors_of(library), episodes.profile, episodes.informed)
    return Collector(library, Pool(episodes, prior), 20, rng, SimulatorConfig())


class Most:
    """Asks for as many workers as allowed."""

    name, version, max_targets, prices = "most", None, None, ForecastPolicy.prices

    def values(self, state: State) -> Values:
        q = np.tile(np.arange(float(TARGETS)), (len(state.now), 1))
        return Values(-q, 0.0 * q, q)


def test_a_fork_says_which_targets_miss_the_limit_if_they_are_held(collector):
    made = collector.label(20)
    # With all workers at the start there is nothing to choose: none may go yet.
    assert 15 < len(made) <= 20
    assert made.mask[:, 9].all()
    assert made.mask[:, 1:3].any(axis=0).all()
    # 40 tasks of 30 s: on 3 workers 13 waves at least, 390 s; on 6 seven waves and the start-up.
    assert (made.missed[:, :3] == made.mask[:, :3]).all()
    assert (made.missed[:, 5:] == 0.0).all()
    assert (made.z[:, 0] < 0).all()
    assert (made.z[:, 9] > 0).all()
    assert collector.steps > 0


def test_a_fork_goes_on_with_the_policy_after_the_held_steps(collector):
    assert not collector.label(20, Most(), hold=1).missed.any()
    # To hold until the limit is past is to hold to the end.
    late = collector.label(20, Most(), hold=30)
    assert late.mask[:, :3].any()
    assert (late.missed[:, :3] == late.mask[:, :3]).all()
    assert (late.missed[:, 5:] == 0.0).all()


def test_forks_leave_the_episodes_alone(library, pool):
    first, second = (
        Collector(library, pool, 24, np.random.default_rng(2), SimulatorConfig()) for _ in range(2)
    )
    for collector in (first, second):
        collector.walk(ForecastPolicy(), 0.0)
    first.label(24)
    for collector in (first, second):
        collector._rng = np.random.default_rng(3)
        collector.walk(ForecastPolicy(), 0.5)
    one, other = first.label(24), second.label(24)
    assert len(one) > 5
    assert (one.global_ == other.global_).all()
    assert (one.missed == other.missed).all()


def test_collected_states_are_whole(library, pool):
    collector = Collector(library, pool, 48, np.random.default_rng(0), SimulatorConfig())
    parts = []
    for _ in range(40):
        collector.walk(ForecastPolicy(), 0.2)
        parts.append(collector.label(12))
    # Ended episodes have been replaced: 40 steps are longer than most limits.
    assert collector.steps > 40 * 48
    made = Labelled.join(parts)
    assert len(made) > 200
    for array in (made.global_, made.of_target, made.z):
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
    assert (made.mask.sum(axis=1) > 1).all()
    assert not made.missed[~made.mask].any()
    assert 0.1 < made.missed[made.mask].mean() < 0.9


# An update


def batch_of(made: Labelled, rows: np.ndarray) -> tuple[np.ndarray, ...]:
    allowed = share_of_allowed(made.mask[rows])
    rest = (made.weight[rows], made.z[rows], made.missed[rows])
    return made.global_[rows], made.of_target[rows], allowed, *rest


@pytest.fixture(scope="module")
def batch(library, pool) -> tuple[np.ndarray, ...]:
    collector = Collector(library, pool, 128, np.random.default_rng(0), SimulatorConfig())
    for _ in range(4):
        collector.walk(ForecastPolicy(), 0.2)
    made = collector.label(128)
    return batch_of(made, np.arange(len(made)))


def test_the_first_loss_is_the_entropy_of_the_forecast(batch):
    _, _, _, weight, z, missed = batch
    chance = 1.0 / (1.0 + np.exp(LOGISTIC * z.astype(np.float64)))
    chance = np.clip(chance, 1e-15, 1.0 - 1e-15)
    entropy = -(missed * np.log(chance) + (1.0 - missed) * np.log1p(-chance))
    update, _ = compile_update(build_network(8), SHORT)
    expected = (weight * entropy).sum(axis=1).mean()
    assert float(update(*batch)) == pytest.approx(expected, rel=1e-4)


def test_losses_fall_on_a_fixed_batch(batch):
    config = dataclasses.replace(SHORT, hidden=32, held_rounds=60, played_rounds=40)
    update, _ = compile_update(build_network(config.hidden), config)
    losses = [float(update(*batch)) for _ in range(300)]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.7 * losses[0]


def test_targets_that_are_not_allowed_teach_nothing(batch):
    global_, of_target, allowed, weight, z, missed = batch
    assert (allowed == 0).any()
    assert (weight == allowed).all()
    other = np.where(weight == 0, 1.0 - missed, missed).astype(np.float32)
    learnt = []
    for labels in (missed, other):
        training_of = build_network(8)
        training_of.set_weights(list(weights(0.1).values()))
        update, _ = compile_update(training_of, SHORT)
        learnt.append((float(update(global_, of_target, allowed, weight, z, labels)), training_of))
    assert learnt[0][0] == learnt[1][0]
    for one, two in zip(*(model.get_weights() for _, model in learnt), strict=True):
        assert (one == two).all()


# Training


def test_the_same_seed_gives_the_same_weights_bit_for_bit(library):
    first, again, other = (
        weights_bytes(train(library, config))
        for config in (SHORT, SHORT, dataclasses.replace(SHORT, seed=1))
    )
    assert first == again
    assert first != other


def test_training_reports_each_round_and_logs_it_for_tensorboard(library, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    seen = []
    trained = train(
        library, SHORT, logs=tmp_path, progress=lambda done, loss: seen.append((done, loss))
    )
    assert [done for done, _ in seen] == [1, 2, 3, 4]
    assert trained.fault is None
    assert trained.updates == 16
    assert trained.steps > 0
    events = EventAccumulator(str(tmp_path)).Reload()
    logged = [
        (event.step, float(tensor_util.make_ndarray(event.tensor_proto)))
        for event in events.Tensors("loss")
    ]
    assert logged == [(done, pytest.approx(loss, rel=1e-6)) for done, loss in seen]
    assert len(events.Tensors("decision_steps")) == 4


def test_a_budget_cuts_the_training(library, monkeypatch):
    ticks = iter(range(1000))
    monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    seen = []
    cut = train(library, SHORT, budget_s=2.5, progress=lambda done, loss: seen.append(done))
    assert seen == [1, 2]
    assert cut.updates == 8
    assert cut.fault is None
    assert all(np.isfinite(array).all() for array in weights_of(cut.model).values())


@pytest.mark.parametrize("shows", [True, False], ids=["in the loss", "in the weights alone"])
def test_a_round_that_is_not_finite_is_taken_back(library, tmp_path, monkeypatch, shows):
    calls = 0

    def spoilt(model, config):
        update, optimizer = compile_update(model, config)

        def wrapped(global_, of_target, allowed, weight, z, missed):
            nonlocal calls
            calls += 1
            if calls != 12:
                return update(global_, of_target, allowed, weight, z, missed)
            loss = update(global_, of_target, allowed, weight, np.full_like(z, np.nan), missed)
            return loss if shows else 0.5

        return wrapped, optimizer

    monkeypatch.setattr(training, "compile_update", spoilt)
    kept = tmp_path / "state.npz"
    trained = train(library, SHORT, resume=kept)
    assert calls == 12
    assert trained.fault.startswith("Round 3 ")
    assert trained.updates == 8
    with np.load(kept) as arrays:
        assert int(arrays["done"]) == 2
        for at, variable in enumerate(trained.model.variables):
            value = variable.numpy()
            assert np.isfinite(value).all()
            assert (value == arrays[f"v{at}"]).all()
    assert np.abs(weights_of(trained.model)["output_kernel"]).max() > 0


# Resumption


@pytest.fixture(scope="module")
def cut(library, tmp_path_factory):
    """What a training leaves that dies after its second round."""
    path = tmp_path_factory.mktemp("cut") / "deep" / "state.npz"

    def die(done: int, loss: float) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(library, SHORT, resume=path, progress=die)
    return path.read_bytes()


def test_a_cut_training_goes_on_where_it_was(library, tmp_path, cut):
    kept = tmp_path / "state.npz"
    kept.write_bytes(cut)
    seen = []
    trained = train(library, SHORT, resume=kept, progress=lambda done, loss: seen.append(done))
    assert seen == [3, 4]
    assert trained.updates == 8
    with np.load(kept) as arrays:
        assert int(arrays["done"]) == 4
        whole = [array for name, array in arrays.items() if name.startswith("v")]
    # The optimiser has counted all updates: it was not begun anew.
    assert [array for array in whole if array.dtype.kind in "iu" and array == 16]
    again = train(library, SHORT, resume=kept, progress=lambda done, loss: seen.append(done))
    assert seen == [3, 4]
    assert weights_bytes(again) == weights_bytes(trained)


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"hidden": 9}, {"learning_rate": 1e-3}, {"played_rounds": 3}]
)
def test_a_state_of_another_configuration_is_refused(library, tmp_path, cut, change):
    kept = tmp_path / "state.npz"
    kept.write_bytes(cut)
    with pytest.raises(CheckpointError, match=r"state\.npz belongs to .* another configuration"):
        train(library, dataclasses.replace(SHORT, **change), resume=kept)
    assert kept.read_bytes() == cut


def _npy(path, cut):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def _without_weights(path, cut):
    np.savez(path, done=2, config=json.dumps(training.describe(SHORT)))


def _other_shapes(path, cut):
    path.write_bytes(cut)
    with np.load(path) as arrays:
        whole = {**arrays, "v0": np.zeros((2, 2), dtype=np.float32)}
    np.savez(path, **whole)


def _objects(path, cut):
    np.savez(path, done=np.array([object()]), config=np.array([object()]))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path, cut: path.write_bytes(b"garbage"),
        lambda path, cut: path.write_bytes(b""),
        lambda path, cut: path.write_bytes(cut[: len(cut) // 2]),
        lambda path, cut: path.mkdir(),
        _npy,
        _without_weights,
        _other_shapes,
        _objects,
    ],
    ids=["bytes", "empty", "cut off", "folder", "npy", "no weights", "shapes", "objects"],
)
def test_a_file_that_is_no_state_is_refused(library, tmp_path, cut, spoil):
    kept = tmp_path / "state.npz"
    spoil(kept, cut)
    with pytest.raises(CheckpointError, match=r"state\.npz is not the state of a training"):
        train(library, SHORT, resume=kept)


def test_a_state_that_cannot_be_kept_is_said(library, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be kept in"):
        train(library, SHORT, resume=tmp_path / "file" / "state.npz")
