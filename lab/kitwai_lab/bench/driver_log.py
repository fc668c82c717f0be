"""How fast a driver's log is counted, and whether memory grows with the log."""

from __future__ import annotations

import random
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from kitwai.observe.driver_log import parse_log

WANTED_MB_PER_S = 100.0
_UNIQUE_LINES = 50_000

# A busy driver's log by share of lines: (weight, level, class, message).
_LINES = (
    (30, "INFO", "TaskSetManager", "Starting task {a}.0 in stage {b}.0 (TID {c}) (10.0.0.{d},"
     "executor {d}, partition {a}, PROCESS_LOCAL, 8979 bytes) "),
    (30, "INFO", "TaskSetManager", "Finished task {a}.0 in stage {b}.0 (TID {c}) in {a} ms on "
     "10.0.0.{d} (executor {d}) ({a}/2000)"),
    (20, "INFO", "BlockManagerInfo", "Added rdd_{b}_{a} in memory on 10.0.0.{d}:4{c:04} (size: "
     "{a}.{e} KiB, free: 366.{e} MiB)"),
    (6, "INFO", "MemoryStore", "Block broadcast_{b} stored as values in memory (estimated size "
     "{d}.{e} KiB, free 434.{e} MiB)"),
    (6, "INFO", "DAGScheduler", "Submitting {a} missing tasks from ShuffleMapStage {b} "
     "(MapPartitionsRDD[{c}] at map at job.py:{a}) (first 15 tasks are for partitions "
     "Vector(0, 1, 2, 3, 4))"),
    (4, "INFO", "org.apache.spark.storage.BlockManagerMasterEndpoint", "Trying to remove executor "
     "{d} from BlockManagerMaster."),
    (2, "WARN", "TaskSetManager", "Lost task {a}.0 in stage {b}.0 (TID {c}) (10.0.0.{d}):"),
    (2, "", "", "\tat org.apache.spark.scheduler.Task.run(Task.scala:{a})"),
)  # fmt: skip


def write_log(path: Path, size: int, *, layout: str, seed: int = 0) -> None:
    """Write about ``size`` bytes of a made-up driver log.

    :param layout: "pattern" (Spark's default) or "json" (its structured logging).
    """
    rng = random.Random(seed)
    weights = [line[0] for line in _LINES]
    lines = []
    for number in range(_UNIQUE_LINES):
        _, level, logger, message = rng.choices(_LINES, weights)[0]
        text = message.format(
            a=rng.randrange(2000), b=rng.randrange(300), c=number, d=rng.randrange(1, 250),
            e=rng.randrange(10),
        )  # fmt: skip
        minute, second = divmod(number % 3600, 60)
        if not level:
            lines.append(text)
        elif layout == "json":
            lines.append(
                f'{{"ts":"2026-01-01T10:{minute:02}:{second:02}.000Z","level":"{level}",'
                f'"msg":"{text}","context":{{"stage_id":"{number % 300}"}},"logger":"{logger}"}}'
            )
        else:
            lines.append(f"26/01/01 10:{minute:02}:{second:02} {level} {logger}: {text}")
    block = ("\n".join(lines) + "\n").encode()
    with path.open("wb") as file:
        for _ in range(max(1, round(size / len(block)))):
            file.write(block)


def measure_log(size: int = 1_000_000_000) -> dict[str, Any]:
    """Count a log in each of Spark's two layouts.

    :param size: of each log, in bytes.
    :returns: by layout, MB a CPU second and a second, lines, and growth of memory in MB.
    """
    figures: dict[str, Any] = {"wanted_mb_per_s": WANTED_MB_PER_S, "layouts": {}}
    with tempfile.TemporaryDirectory(prefix="kitwai-log-") as folder:
        path = Path(folder) / "driver.log"
        for layout in ("pattern", "json"):
            write_log(path, 4_000_000, layout=layout)
            parse_log(str(path))  # what a first call allocates is not growth
            write_log(path, size, layout=layout)
            before = _peak_mb()
            began, cpu_began = time.perf_counter(), time.process_time()
            counts = parse_log(str(path))
            cpu_s, wall_s = time.process_time() - cpu_began, time.perf_counter() - began
            megabytes = path.stat().st_size / 1e6
            figures["layouts"][layout] = {
                "mb": megabytes,
                "lines": counts.lines,
                "unparsed": counts.unparsed,
                "mb_per_cpu_s": megabytes / cpu_s,
                "mb_per_s": megabytes / wall_s,
                "memory_growth_mb": _peak_mb() - before,
            }
    return figures


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
