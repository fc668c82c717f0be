"""The training loop on small settings: an update, a training, cuts, faults, resumption."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest

from kitwai.core.policy.policy import ForecastPolicy
from kitwai.core.policy.replanning import LOGISTIC
from kitwai.errors import CheckpointError
from kitwai.learning import train as training
from kitwai.learning.collect import collect
from kitwai.learning.experience import Collector, Labelled
from kitwai.learning.experience_sources import ShardSource, SimulatorSource
from kitwai.learning.export import model_bytes, weights_bytes
from kitwai.learning.network import build_network, share_of_allowed, weights_of
from kitwai.learning.partition import Plan
from kitwai.learning.shards import Shard, nothing
from kitwai.learning.train import Trained, compile_update
from kitwai.learning.training_config import TrainingConfig
from kitwai.sim.simulator import SimulatorConfig
from kitwai.sim.synthetic import synthetic_profiles

SHORT = TrainingConfig(
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


def train(library, config, **options) -> Trained:
    """A training in the simulator."""
    return training.train(SimulatorSource(library, config), config, **options)


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


@pytest.mark.slow
def test_the_first_loss_is_the_entropy_of_the_forecast(batch):
    _, _, _, weight, z, missed = batch
    chance = 1.0 / (1.0 + np.exp(LOGISTIC * z.astype(np.float64)))
    chance = np.clip(chance, 1e-15, 1.0 - 1e-15)
    entropy = -(missed * np.log(chance) + (1.0 - missed) * np.log1p(-chance))
    update, _ = compile_update(build_network(8), SHORT)
    expected = (weight * entropy).sum(axis=1).mean()
    assert float(update(*batch)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_losses_fall_on_a_fixed_batch(batch):
    config = dataclasses.replace(SHORT, hidden=32, held_rounds=60, played_rounds=40)
    update, _ = compile_update(build_network(config.hidden), config)
    losses = [float(update(*batch)) for _ in range(300)]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.slow
def test_targets_that_are_not_allowed_teach_nothing(batch):
    global_, of_target, allowed, weight, z, missed = batch
    assert (allowed == 0).any()
    assert (weight == allowed).all()
    other = np.where(weight == 0, 1.0 - missed, missed).astype(np.float32)
    rng = np.random.default_rng(0)
    start = [rng.normal(0.0, 0.1, array.shape) for array in build_network(8).get_weights()]
    learnt = []
    for labels in (missed, other):
        training_of = build_network(8)
        training_of.set_weights(start)
        update, _ = compile_update(training_of, SHORT)
        learnt.append((float(update(global_, of_target, allowed, weight, z, labels)), training_of))
    assert learnt[0][0] == learnt[1][0]
    for one, two in zip(*(model.get_weights() for _, model in learnt), strict=True):
        assert (one == two).all()


# Training


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_bit_for_bit(library):
    first, again, other = (
        weights_bytes(train(library, config))
        for config in (SHORT, SHORT, dataclasses.replace(SHORT, seed=1))
    )
    assert first == again
    assert first != other


@pytest.mark.slow
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
    assert trained.losses == tuple(loss for _, loss in seen)
    events = EventAccumulator(str(tmp_path)).Reload()
    logged = [
        (event.step, float(tensor_util.make_ndarray(event.tensor_proto)))
        for event in events.Tensors("loss")
    ]
    assert logged == [(done, pytest.approx(loss, rel=1e-6)) for done, loss in seen]
    assert len(events.Tensors("decision_steps")) == 4


@pytest.mark.slow
def test_a_budget_cuts_the_training(library, monkeypatch):
    ticks = iter(range(1000))
    monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    seen = []
    cut = train(library, SHORT, budget_s=2.5, progress=lambda done, loss: seen.append(done))
    assert seen == [1, 2]
    assert cut.updates == 8
    assert cut.fault is None
    assert all(np.isfinite(array).all() for array in weights_of(cut.model).values())


@pytest.mark.slow
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


# Recorded experience


@pytest.fixture(scope="module")
def shards() -> list[Shard]:
    """Simulated states of two applications, in two parts."""
    plan = Plan(0.0, 86_400.0, "N=2,4,T=300s,600s", effort=0.02, parts=2)
    profiles = synthetic_profiles(2, 5)
    return [Shard(*collect(profiles, plan, part), {}) for part in range(2)]


def train_on(shards: list[Shard], config: TrainingConfig, **options) -> Trained:
    return training.train(ShardSource(shards, config), config, **options)


@pytest.mark.slow
def test_recorded_experience_gives_the_same_network_whatever_was_trained_before(library, shards):
    first = train_on(shards, SHORT)
    train(library, SHORT)
    again = train_on(shards, SHORT)
    assert weights_bytes(again) == weights_bytes(first)
    assert model_bytes(again) == model_bytes(first)
    assert again.losses == first.losses
    assert len(first.losses) == 4
    assert first.steps == sum(len(shard.held) + len(shard.played) for shard in shards)
    other = train_on(shards, dataclasses.replace(SHORT, seed=1))
    assert weights_bytes(other) != weights_bytes(first)


@pytest.mark.slow
def test_rounds_without_states_change_nothing(shards):
    seen = []
    played = [Shard(nothing(), shard.played, {}) for shard in shards]
    trained = train_on(played, SHORT, progress=lambda done, loss: seen.append(done))
    assert seen == [3, 4]
    assert (trained.updates, len(trained.losses)) == (8, 2)
    empty = train_on([Shard(nothing(), nothing(), {})], SHORT)
    assert (empty.updates, empty.losses, empty.fault) == (0, (), None)
    assert not weights_of(empty.model)["output_kernel"].any()


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


@pytest.mark.slow
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


@pytest.mark.slow
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
    np.savez(path, done=2, config=json.dumps(dataclasses.asdict(SHORT)))


def _other_shapes(path, cut):
    path.write_bytes(cut)
    with np.load(path) as arrays:
        whole = {**arrays, "v0": np.zeros((2, 2), dtype=np.float32)}
    np.savez(path, **whole)


def _objects(path, cut):
    np.savez(path, done=np.array([object()]), config=np.array([object()]))


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_state_that_cannot_be_kept_is_said(library, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be kept in"):
        train(library, SHORT, resume=tmp_path / "file" / "state.npz")
