"""Steps on many clusters as one of several schedulers would take them: run as a process.

    store_process.py URL CLUSTERS ROUNDS SEED

Prints how often it has written and how often a lease was another's, as JSON.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter

from kitwai.core.decide.cluster import decide
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.observation import Observation, Worker, WorkerState
from kitwai.core.records.settings import ClusterSettings, Mode
from kitwai.errors import LeaseError
from kitwai.store.retention import prune
from kitwai.store.store import Store


def main(url: str, clusters: int, rounds: int, seed: int) -> None:
    names = [f"cluster_{number}" for number in range(clusters)]
    order = random.Random(seed)
    store = Store(url)
    done: Counter[str] = Counter()
    for _ in range(rounds):
        order.shuffle(names)
        for name in names:
            step(store, name, done)
    print(json.dumps(done))


def step(store: Store, name: str, done: Counter[str]) -> None:
    now = time.time()
    store.newest_observation(name)
    store.past(name, now)
    seen = store.add_observation(_observation(name, now))
    prune(store, name, now - 3600)
    settings = ClusterSettings(cluster=name, constraint=Constraint(4, 300.0), mode=Mode.AUTO)
    decision = decide(store.observation(seen), settings, None, now=now)
    decided = store.add_decision(decision, seen, settings)
    assert store.decision(decided).observation_id == seen
    done["steps"] += 1
    try:
        with store.operation(name, 2, decided) as operation:
            time.sleep(0.005)
            operation.done.started["worker-1"] = None
            operation.note()
            done["scalings"] += 1
    except LeaseError:
        done["busy"] += 1


def _observation(name: str, now: float) -> Observation:
    workers = tuple(
        Worker(f"{name}-{number}", f"127.0.1.{number}", WorkerState.ALIVE, 2, 0, 1024, 0)
        for number in range(3)
    )
    return Observation(name, now, workers=workers, applications=())


if __name__ == "__main__":
    main(sys.argv[1], *(int(part) for part in sys.argv[2:]))
