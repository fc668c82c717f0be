"""Spark applications of known shape whose tasks wait instead of computing.

So a machine of two cores can carry any number of tasks side by side, as a cluster would. This file
is a script for ``spark-submit`` and imports nothing of Kitwai, because its functions travel to
executors. How long a task waits depends on its number alone, so that every run of a shape at a size
has the same tasks.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Iterable, Iterator
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark import RDD, SparkContext

WORKLOAD = Path(__file__)
"""This script, for ``spark-submit``."""

Pairs = Iterable[tuple[int, int]]
_KEYS = 40


def main() -> None:
    """Run one shape at one size on the master that ``spark-submit`` names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("shape", choices=sorted(SHAPES))
    parser.add_argument(
        "--size", type=int, required=True, help="tasks of the first stage, or seconds"
    )
    arguments = parser.parse_args()
    from pyspark import SparkConf, SparkContext

    conf = SparkConf().setAppName(f"kitwai-{arguments.shape}")
    conf.set("spark.kitwai.inputs.size", str(arguments.size))
    with SparkContext(conf=conf) as context:
        SHAPES[arguments.shape](context, arguments.size)


def wide(context: SparkContext, size: int) -> None:
    """One stage of ``size`` tasks of 1.5 to 4.5 s."""
    _source(context, size, "wide", 1.5, 4.5).count()


def long(context: SparkContext, size: int) -> None:
    """One stage of ``size`` tasks of 20 to 30 s, which a worker that drains brings to their end."""
    _source(context, size, "long", 20.0, 30.0).count()


def rounds(context: SparkContext, size: int) -> None:
    """Three jobs: a shuffle, a join, and a chain of narrow stages down to a single task.

    PySpark reads both sides of the join in one stage. Before the chain the driver works alone for
    2 s.
    """
    first = _source(context, size, "first", 1.5, 2.5).reduceByKey(add, 6)
    _waiting(first, "sums", 1.0, 1.5).collect()
    left = _source(context, size // 3, "left", 1.5, 2.5)
    right = _source(context, size // 2, "right", 0.5, 1.5)
    _waiting(left.join(right, 4), "join", 1.0, 2.0).count()
    time.sleep(2.0)
    narrow = _waiting(_source(context, 8, "narrow", 1.0, 2.0).reduceByKey(add, 4), "four", 1.0, 2.0)
    _waiting(narrow.reduceByKey(add, 1), "last", 2.0, 2.0).collect()


def skewed(context: SparkContext, size: int) -> None:
    """``size`` short tasks, of which one in 25 takes about ten times as long, and a shuffle."""
    first = _source(context, size, "skewed", 0.2, 0.6, slow=0.04).reduceByKey(add, 8)
    _waiting(first, "sums", 0.3, 0.9).collect()


def steady(context: SparkContext, size: int) -> None:
    """Jobs of 60 tasks of 0.25 s and a shuffle until ``size`` seconds are over.

    `kitwai_lab.bench.calibrate` runs it. All tasks wait equally long, so any further time is
    Spark's.
    """
    until = time.monotonic() + size
    while time.monotonic() < until:
        first = _source(context, 60, "steady", 0.25, 0.25).reduceByKey(add, 8)
        _waiting(first, "sums", 0.25, 0.25).collect()


def shuffles(context: SparkContext, size: int) -> None:
    """One job of ``size`` tasks and five shuffles of half as many, tasks of 0.7 to 1.3 s.

    It ends with an error where a count is not what it has to be.
    """
    tasks = max(1, size // 2)
    counts = _source(context, size, "shuffles", 0.7, 1.3).mapValues(lambda _: 1)
    for number in range(5):
        # Another key every time, or Spark would see that nothing has to move.
        counts = _waiting(counts.reduceByKey(add, tasks), str(number), 0.7, 1.3).map(
            lambda pair: ((pair[0] * 7 + 1) % _KEYS, pair[1])
        )
    result = counts.collect()
    if sorted(result) != [(key, size) for key in range(_KEYS)]:
        raise SystemExit(f"wrong counts: {sorted(result)}")


SHAPES: dict[str, Callable[[Any, int], None]] = {
    "wide": wide,
    "long": long,
    "rounds": rounds,
    "skewed": skewed,
    "steady": steady,
    "shuffles": shuffles,
}


def _source(
    context: SparkContext, tasks: int, salt: str, least: float, most: float, slow: float = 0.0
) -> RDD[tuple[int, int]]:
    """A stage of ``tasks`` tasks that wait and give some pairs each.

    :param slow: share of tasks that wait ten times as long.
    """
    return _waiting(context.parallelize(range(tasks), tasks), salt, least, most, slow).flatMap(
        lambda number: [(key, number) for key in range(_KEYS)]
    )


def _waiting(data: RDD[Any], salt: str, least: float, most: float, slow: float = 0.0) -> RDD[Any]:
    def wait(number: int, part: Iterable[Any]) -> Iterator[Any]:
        chance = random.Random(f"{salt}-{number}")
        waited = chance.uniform(least, most)
        time.sleep(waited * 10.0 if chance.random() < slow else waited)
        yield from part

    return data.mapPartitionsWithIndex(wait)


if __name__ == "__main__":
    main()
