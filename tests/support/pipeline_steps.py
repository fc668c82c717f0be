"""One task of a training in a process of its own: ROOT TASK KILL_AT MOST_BYTES."""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path


def main(root: Path, task: str, kill_at: int, most_bytes: int) -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    from kitwai.learning import pipeline
    from kitwai.learning.partition import Partition
    from kitwai.registry.versions import present_champion, promote, versions
    from kitwai.store.store import Store
    from kitwai.store.training import TrainingStore
    from training_plan import plan

    store = TrainingStore(Store(f"sqlite:///{root / 'kitwai.db'}").engine)
    wanted = plan(0)

    def partition() -> Partition:
        found = pipeline.plan_partition(store, wanted, root / "training")
        assert found is not None
        return found

    where = None if task == "plan" else partition()
    if most_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    renames = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal renames
        # What Keras writes for itself lies elsewhere.
        if event == "os.rename" and str(root) in str(arguments[1]):
            renames += 1
            if renames == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    if where is None:
        partition()
    elif task == "collect":
        for part in range(len(wanted.chunks)):
            pipeline.collect_part(where, part)
        pipeline.collect_recorded(where, store)
    elif task == "train":
        pipeline.train_partition(where)
    elif task == "evaluate":
        pipeline.evaluate_partition(where, root / "models", "test")
    elif task == "promote":
        models = root / "models"
        (version,) = [one for one in versions(models) if one.startswith(wanted.day)]
        promote(models, version, present_champion(models))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
