"""``kitwai parse-log``: counts the lines of a Spark driver's log."""

from __future__ import annotations

import argparse
import json


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "parse-log", help="count the lines of a Spark driver's log by logger and level"
    )
    parser.add_argument(
        "file", help="the log, plain or .gz: a path, or a URL such as s3://bucket/driver.log"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from kitwai.observe.driver_log import parse_log

    counts = parse_log(arguments.file)
    if arguments.json:
        record = {
            "lines": counts.lines,
            "unparsed": counts.unparsed,
            "features": counts.features,
            "levels": dict(counts.levels),
            "memory": {
                "action": counts.action_bytes,
                "transformation": counts.transformation_bytes,
            },
        }
        print(json.dumps(record, indent=2))
        return 0
    levels = ", ".join(f"{count:,} {level}" for level, count in counts.levels.most_common())
    print(f"{counts.lines:,} lines, {counts.unparsed:,} of them without a logger; {levels or '-'}")
    print(f"memory: actions {counts.action_bytes:,} B, ", end="")
    print(f"transformations {counts.transformation_bytes:,} B")
    for name, count in counts.features.items():
        print(f"{count:>10,}  {name}")
    return 0
