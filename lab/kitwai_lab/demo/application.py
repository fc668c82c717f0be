"""The demo's Spark application: counts the words of many files by their first letters.

It runs as a script of its own under ``spark-submit`` and imports nothing of Kitwai, because its
functions travel to executors. One job, in two parts:

1. *wide*: ``--tasks`` tasks read the files. Before every batch of files a task waits for a permit
   of an HTTP service, so more workers make this part faster, up to one slot a task.
2. *narrow*: ``--levels`` stages roll the counts up from long prefixes to single letters, each in
   ``--partitions`` tasks that wait as long. More slots than partitions stand idle here.
"""

from __future__ import annotations

import argparse
import json
import re
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark import SparkContext

Counts = Iterable[tuple[str, int]]

_WORD = re.compile(r"[a-z]+")
_PERMIT_TIMEOUT_S = 60


def main() -> None:
    """Run the application on the master that ``spark-submit`` names, and print counts as JSON."""
    arguments = _arguments()
    from pyspark import SparkConf, SparkContext

    files = sorted(
        str(path)
        for path in Path(arguments.files).rglob("*.py")
        if "site-packages" not in path.parts
    )
    with SparkContext(conf=SparkConf()) as context:
        counts = count_by_letter(
            context,
            files,
            service=arguments.service,
            permits=arguments.permits,
            tasks=arguments.tasks,
            levels=arguments.levels,
            partitions=arguments.partitions,
        )
    print(json.dumps({"files": len(files), "words": sum(counts.values()), "by_letter": counts}))


def count_by_letter(
    context: SparkContext,
    files: list[str],
    *,
    service: str,
    permits: int,
    tasks: int,
    levels: int,
    partitions: int,
) -> dict[str, int]:
    """How many words of ``files`` begin with each letter.

    :param service: address that answers once a permit is granted.
    :param permits: permits that every task waits for, one after another.
    :param tasks: tasks of the wide part; ``partitions``: of each of the ``levels`` narrow stages.
    """
    counts = context.parallelize(files, tasks).mapPartitions(_reader(levels, permits, service))
    for letters in range(levels, 0, -1):
        counts = counts.reduceByKey(add, partitions).mapPartitions(
            _shortener(letters, permits, service)
        )
    return dict(sorted(counts.reduceByKey(add, partitions).collect()))


def _reader(letters: int, permits: int, service: str) -> Callable[[Iterable[str]], Counts]:
    def read(paths: Iterable[str]) -> Counts:
        names = list(paths)
        counts: Counter[str] = Counter()
        for batch in range(permits):
            _await_permit(service)
            for name in names[batch::permits]:
                text = Path(name).read_text(encoding="utf-8", errors="replace").lower()
                counts.update(word[:letters] for word in _WORD.findall(text))
        return counts.items()

    return read


def _shortener(letters: int, permits: int, service: str) -> Callable[[Counts], Counts]:
    def shorten(counts: Counts) -> Iterator[tuple[str, int]]:
        for _ in range(permits):
            _await_permit(service)
        return ((prefix[:letters], count) for prefix, count in counts)

    return shorten


def _await_permit(service: str) -> None:
    with urllib.request.urlopen(service, timeout=_PERMIT_TIMEOUT_S):  # noqa: S310
        pass


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--files",
        required=True,
        help="folder of .py files (installed packages left out)",
    )
    parser.add_argument("--service", required=True, help="address of the permit service")
    parser.add_argument("--permits", type=int, required=True, help="permits each task waits for")
    parser.add_argument("--tasks", type=int, required=True, help="tasks of the wide part")
    parser.add_argument("--levels", type=int, required=True, help="narrow stages")
    parser.add_argument("--partitions", type=int, required=True, help="tasks of a narrow stage")
    return parser.parse_args()


if __name__ == "__main__":
    main()
