"""Records the event logs beside this file anew: `.venv/bin/python tests/data/event_logs/record.py`.

Six real runs on Spark's local master, all at once, as on a busy machine. What they say of the
machine that ran them (paths, properties, classpath) is left out. What the gate says of a version
that knows six small runs depends on what their tasks took: with others, `tests/real/airflow` may
find that the third day's version is refused.
"""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path

from kitwai_lab.bench import workload
from kitwai_lab.bench.event_logs import RUNS, make_event_logs

HERE = Path(__file__).parent
KEPT = ("spark.app.name", "spark.kitwai.inputs.size", "spark.master")


def without_machine(line: str) -> str:
    """One line of an event log, without what it says of the machine."""
    event = json.loads(line.replace(workload.__file__, "workload.py"))
    if event["Event"] == "SparkListenerEnvironmentUpdate":
        properties = event["Spark Properties"]
        event = {
            "Event": event["Event"],
            **{name: {} for name in event if name not in ("Event", "Spark Properties")},
            "Spark Properties": {name: properties[name] for name in KEPT},
        }
    for stage in [event.get("Stage Info", {}), *event.get("Stage Infos", [])]:
        stage.pop("Details", None)
    event.pop("Properties", None)
    if event["Event"] == "SparkListenerApplicationStart":
        event["User"] = "spark"
    return json.dumps(event, separators=(",", ":"))


def main() -> None:
    """Record all of them."""
    with tempfile.TemporaryDirectory() as folder:
        made = make_event_logs(Path(folder))
        for (shape, size), log in zip(RUNS, made, strict=True):
            record(log, HERE / f"{shape}-{size}.gz")


def record(log: Path, target: Path) -> None:
    """Write an event log without what it says of the machine."""
    lines = [without_machine(line) for line in log.read_text().splitlines()]
    # Without a time of its own, so that the same lines are the same file.
    target.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0))


if __name__ == "__main__":
    main()
