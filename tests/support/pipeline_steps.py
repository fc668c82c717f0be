"""Tasks of a training in processes of their own, forked from one that has imported all they need.

Reads lines of JSON, the arguments of `run_task`. Answers each with a line of JSON: the exit status
of the process and what it printed.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from tempfile import TemporaryFile


def main() -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    import keras  # noqa: F401
    import matplotlib.figure  # noqa: F401

    import kitwai.learning.collect
    import kitwai.learning.evaluate
    import kitwai.learning.pipeline  # noqa: F401

    for line in sys.stdin:
        with TemporaryFile() as output:
            child = os.fork()
            if child == 0:
                os.dup2(output.fileno(), 1)
                os.dup2(output.fileno(), 2)
                _exit_after(**json.loads(line))
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            output.seek(0)
            print(json.dumps([status, output.read().decode()]), flush=True)


def _exit_after(root: str, task: str, kill_at: int, most_bytes: int) -> None:
    """Carry a task out and end this process, with 1 where the task failed."""
    try:
        run_task(Path(root), task, kill_at, most_bytes)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def run_task(root: Path, task: str, kill_at: int, most_bytes: int) -> None:
    """:param kill_at: the rename before which the process kills itself, 0 for none.

    :param most_bytes: the longest file that the process may write, 0 for no limit.
    """
    from kitwai.learning import pipeline
    from kitwai.learning.partition import Partition
    from kitwai.registry.versions import present_champion, promote, versions
    from kitwai.store.store import Store
    from kitwai.store.training import TrainingStore
    from training_plan import plan

    store = TrainingStore(Store(f"sqlite:///{root / 'kitwai.db'}").engine)
    wanted = plan(0)

    def planned() -> Partition:
        partition = pipeline.plan_partition(store, wanted, root / "training")
        assert partition is not None
        return partition

    partition = None if task == "plan" else planned()
    if most_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    renames = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal renames
        # Keras renames files of its own elsewhere.
        if event == "os.rename" and str(root) in str(arguments[1]):
            renames += 1
            if renames == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    if partition is None:
        planned()
    elif task == "collect":
        for part in range(len(wanted.chunks)):
            pipeline.collect_part(partition, part)
        pipeline.collect_recorded(partition, store)
    elif task == "train":
        pipeline.train_partition(partition)
    elif task == "evaluate":
        pipeline.evaluate_partition(partition, root / "models", "test")
    elif task == "promote":
        models = root / "models"
        (version,) = [name for name in versions(models) if name.startswith(wanted.day)]
        promote(models, version, present_champion(models))


if __name__ == "__main__":
    main()
