"""A cluster seen once with all that can be known of it, and its steps in a store."""

from __future__ import annotations

from dataclasses import replace

from builders import application, observation, settings, stage
from kitwai.core.decide.cluster import decide
from kitwai.core.records.observation import DriverLog, HostMetrics, Part
from scaling_rows import add_scaling

LOG = DriverLog(
    lines=9,
    unparsed=1,
    features={"MemoryStore": 3, "Utils": 0},
    levels={"INFO": 8},
    action_bytes=1536.5,
    transformation_bytes=None,
    complete=True,
    offset=100,
    tail="x",
)


APP = replace(
    application(stage(tasks=40, complete=10, active=4), limit_s=300.0, name='say "hi"\\\n'), log=LOG
)


SEEN = replace(
    observation(2, APP),
    host=HostMetrics(cpu_user=0.25, net_in=1000.0),
    parts=(Part("master", age_s=0.1), Part("pool", error="It hangs.")),
)


def step(store, at: float, cluster: str = "test", *, scaled: bool = False) -> tuple[int, int]:
    """One stored step at the moment ``at``."""
    seen = replace(SEEN, at=at, cluster=cluster)
    seen_id = store.add_observation(seen)
    made = replace(settings(), cluster=cluster)
    decision_id = store.add_decision(decide(seen, made), seen_id, made)
    if scaled:
        add_scaling(store, cluster, 3, at + 1, decision_id=decision_id)
    return seen_id, decision_id
