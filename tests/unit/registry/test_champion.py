"""The champion as deciders get it: there, missing, or spoilt, in which case the formula decides."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest

from builders import application, observation, settings, stage
from kitwai.core.decide.cluster import decide
from kitwai.core.policy.policy import PRICES
from kitwai.registry.champion import load_champion
from kitwai.registry.history_file import history_text
from kitwai.sim.library import Library
from kitwai.sim.past_runs import history_of
from kitwai.sim.synthetic import synthetic_profiles

SEEN = observation(1, application(stage(tasks=100, complete=40), elapsed_s=100.0, limit_s=200.0))


@pytest.fixture
def models(tmp_path, repository, monkeypatch):
    folder = tmp_path / "models"
    shutil.copytree(repository / "include" / "models", folder)
    monkeypatch.setenv("AIRFLOW__KITWAI__MODELS", str(folder))
    return folder


def decided():
    champion = load_champion()
    return decide(SEEN, settings(), champion.policy, no_policy_reason=champion.why_not)


def test_the_shipped_champion_decides(models):
    decision = decided()
    assert decision.checkpoint == (models / "champion").read_text().strip()
    assert (decision.policy, decision.fallback) == ("forecast", None)
    assert len(decision.applications[0].q_values) == 10
    assert decision.target >= 2


def rewrite(models, **changes):
    """Change the manifest of the champion."""
    path = models / (models / "champion").read_text().strip() / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_champion_that_is_trusted_nowhere_decides_like_the_formula(models):
    prices = {f"{miss:g}": price for miss, price in PRICES.items()}
    rewrite(models, prices=prices, trusted={"informed": False, "uninformed": False})
    decision, formula = decided(), decide(SEEN, settings())
    assert (decision.policy, formula.policy) == ("forecast", "forecast")
    assert decision.target == formula.target
    assert decision.applications[0].q_values == formula.applications[0].q_values


def test_a_champion_decides_at_its_own_prices(models):
    untrusted = {"informed": False, "uninformed": False}
    rewrite(models, prices={"0.01": 1000.0}, trusted=untrusted)
    dear = decided()
    rewrite(models, prices={"0.01": 0.001}, trusted=untrusted)
    cheap = decided()
    assert cheap.applications[0].q_values != dear.applications[0].q_values
    assert min(dear.applications[0].q_values) < min(cheap.applications[0].q_values)


def _flip_a_byte(models):
    weights = models / (models / "champion").read_text().strip() / "weights.npz"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (shutil.rmtree, "no champion"),
        (lambda models: (models / "champion").write_text("../../etc"), "must hold one line"),
        (lambda models: (models / "champion").write_text("v99\n"), "v99"),
        (_flip_a_byte, "weights.npz was altered"),
        (lambda models: rewrite(models, trusted={}), "does not say where the network is trusted"),
        (lambda models: rewrite(models, prices={}), "prices that are not finite"),
        (lambda models: rewrite(models, features=[]), "other features"),
        (lambda models: rewrite(models, prior={}), "another prediction"),
    ],
)
def test_a_missing_or_spoilt_champion_is_replaced_and_the_decision_says_so(models, spoil, words):
    spoil(models)
    decision = decided()
    assert (decision.policy, decision.checkpoint) == ("forecast", None)
    assert words in decision.fallback
    assert decision.target == decide(SEEN, settings()).target
    assert decision.target >= 2


def known(models, text):
    """Give the champion past runs."""
    version = models / (models / "champion").read_text().strip()
    files = json.loads((version / "manifest.json").read_text())["files"]
    (version / "runs.json").write_text(text)
    rewrite(models, files=files | {"runs.json": hashlib.sha256(text.encode()).hexdigest()})


def test_a_champion_brings_the_past_runs_that_it_knows(models):
    history = history_of(Library(synthetic_profiles(6, 1)))
    known(models, history_text(history))
    champion = load_champion()
    assert champion.why_not is None
    assert history_text(champion.runs) == history_text(history)
    assert {run.app for runs in champion.runs.values() for run in runs} == {
        run.app for runs in history.values() for run in runs
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "runs.json is not a history"),
        ('{"families": {"job": [{"inputs": {}}]}}', "runs.json is not a history"),
    ],
)
def test_a_champion_whose_past_runs_are_none_is_replaced(models, text, words):
    known(models, text)
    assert words in load_champion().why_not
    decision = decided()
    assert (decision.policy, decision.checkpoint) == ("forecast", None)


def test_past_runs_that_were_altered_are_refused(models):
    known(models, '{"families": {}}')
    version = models / (models / "champion").read_text().strip()
    (version / "runs.json").write_text('{"families": {"job": []}}')
    assert "runs.json was altered" in load_champion().why_not
