"""The champion as deciders get it: there, missing, or spoilt, in which case the formula decides."""

from __future__ import annotations

import shutil

import pytest
from builders import application, observation, settings, stage

from kitwai.core.decide import decide
from kitwai.store.champion import load_champion

SEEN = observation(1, application(stage(tasks=100, complete=40), elapsed_s=100.0, limit_s=200.0))


@pytest.fixture
def models(tmp_path, repository, monkeypatch):
    folder = tmp_path / "models"
    shutil.copytree(repository / "include" / "models", folder)
    monkeypatch.setenv("AIRFLOW__KITWAI__MODELS", str(folder))
    return folder


def decided():
    policy, why_not = load_champion()
    return decide(SEEN, settings(), policy, no_policy_reason=why_not)


def test_the_shipped_champion_decides(models):
    decision = decided()
    assert decision.checkpoint == (models / "champion").read_text().strip()
    assert decision.fallback is None
    assert len(decision.applications[0].q_values) == 10
    assert decision.target >= 3


def _flip_a_byte(models):
    weights = next(models.glob("*/weights.npz"))
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (shutil.rmtree, "no champion"),
        (lambda models: (models / "champion").write_text("../../etc"), "must hold one line"),
        (lambda models: (models / "champion").write_text("v99\n"), "v99"),
        (_flip_a_byte, "weights.npz"),
    ],
)
def test_a_missing_or_spoilt_champion_is_replaced_and_the_decision_says_so(models, spoil, words):
    spoil(models)
    decision = decided()
    assert (decision.policy, decision.checkpoint) == ("analytic", None)
    assert words in decision.fallback
    assert decision.target == 4
