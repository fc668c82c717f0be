"""What is made of a manager's answers; real ones: tests/real/docker/test_swarm_pool.py."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from kitwai.pools.swarm.service import HOST_LABEL, SINCE_LABEL, WorkerService

GRACE_S = 90


def service(*, told_ago_s: float | None = None, state: str | None = "running") -> WorkerService:
    """A worker that was made an hour ago, and told to end ``told_ago_s`` ago, None for not yet."""
    now = time.time()
    told = told_ago_s is not None
    updated = now - (told_ago_s if told_ago_s is not None else 3600.0)
    labels = {"kitwai.worker": "3"}
    if told:
        labels |= {SINCE_LABEL: f"{updated - 10:.3f}", HOST_LABEL: "10.0.1.7"}
    return WorkerService(
        {
            "ID": "abc",
            "CreatedAt": moment(now - 3600.0),
            "UpdatedAt": moment(updated),
            "Spec": {
                "Name": "kitwai-test-3",
                "Labels": labels,
                "Mode": {"Replicated": {"Replicas": 0 if told else 1}},
                "TaskTemplate": {"ContainerSpec": {"StopGracePeriod": GRACE_S * 10**9}},
            },
        },
        None if state is None else {"Status": {"State": state, "Timestamp": moment(now - 3590.0)}},
    )


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "123Z")


def test_a_worker_that_runs_is_alive_however_old_it_is():
    found = service()
    assert (found.alive, found.told, found.draining_since) == (True, False, None)


@pytest.mark.parametrize("told_ago_s", [1.0, GRACE_S + 20.0])
def test_one_that_was_told_is_alive_until_its_task_has_ended(told_ago_s):
    assert service(told_ago_s=told_ago_s).alive
    assert not service(told_ago_s=told_ago_s, state="complete").alive
    assert not service(told_ago_s=told_ago_s, state=None).alive


def test_on_a_host_that_is_lost_it_has_ended_when_its_host_should_have_ended_it():
    found = service(told_ago_s=GRACE_S + 60.0)
    assert not found.alive
    assert found.ended_at == pytest.approx(time.time() - 60.0, abs=5.0)


def test_what_swarm_has_forgotten_is_in_the_labels():
    found = service(told_ago_s=5.0, state=None)
    assert found.host == "10.0.1.7"
    assert found.draining_since == pytest.approx(time.time() - 15.0, abs=5.0)
    assert found.ended_at == pytest.approx(time.time() + GRACE_S - 5.0, abs=5.0)
