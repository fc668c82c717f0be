"""Spark applications of nine shapes, whose tasks wait instead of computing.

So a machine of two cores can carry the slots of many workers. This file is a script for
``spark-submit`` and imports nothing of Kitwai, because its functions travel to executors. How long
a task waits depends on its number alone, so that every run of a shape at a size has the same tasks.
"""

from __future__ import annotations

import argparse
import random
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark import RDD, SparkContext
    from pyspark.sql import Column, SparkSession

SCRIPT = Path(__file__)
"""This script, for ``spark-submit``."""

Pairs = Iterable[tuple[int, int]]

_KEYS = 40
_PERMIT_TIMEOUT_S = 120


def main() -> None:
    """Run one shape at one size on the master that ``spark-submit`` names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", choices=sorted(SHAPES))
    parser.add_argument("--size", type=int, required=True, help="how much there is to do")
    parser.add_argument("--service", default="", help="address of the shared service")
    arguments = parser.parse_args()
    from pyspark.sql import SparkSession

    session = SparkSession.builder.getOrCreate()
    try:
        SHAPES[arguments.shape](session, arguments.size, arguments.service)
    finally:
        session.stop()


def wide_then_narrow(session: SparkSession, size: int, service: str) -> None:
    """One job: ``size`` tasks of 3 to 5 s, then ``size`` / 16 stages of two tasks of 2 to 4 s."""
    data = _source(session.sparkContext, size, "wide", 3.0, 5.0)
    for number in range(max(1, size // 16)):
        data = _reduced(data, 2, f"narrow-{number}", 2.0, 4.0)
    data.collect()


def short_stages(session: SparkSession, size: int, service: str) -> None:
    """One job of ``size`` stages, each of twelve tasks of 0.4 to 0.8 s."""
    data = _source(session.sparkContext, 12, "first", 0.4, 0.8)
    for number in range(size - 1):
        data = _reduced(data, 12, f"short-{number}", 0.4, 0.8)
    data.collect()


def three_jobs(session: SparkSession, size: int, service: str) -> None:
    """Three jobs of different width and task times, each with a shuffle."""
    context = session.sparkContext
    _reduced(_source(context, size, "one", 2.0, 4.0), 8, "one-sums", 1.0, 2.0).collect()
    _reduced(_source(context, size // 2, "two", 4.0, 6.0), 4, "two-sums", 2.0, 3.0).collect()
    _reduced(_source(context, 2 * size, "three", 1.0, 2.0), 8, "three-sums", 0.5, 1.5).collect()


def cached(session: SparkSession, size: int, service: str) -> None:
    """``size`` jobs over 48 cached partitions of 2.6 MB, which few executors cannot hold.

    A partition that memory has no room for is made anew by each job, which takes 1 s. A cached
    partition takes 0.4 s. The session has to set ``spark.memory.fraction`` to 0.2.
    """
    from pyspark import StorageLevel

    def load(number: int, part: Iterable[int]) -> Iterator[bytes]:
        time.sleep(random.Random(f"load-{number}").uniform(0.8, 1.2))
        yield from (random.Random(number).randbytes(650_000) for _ in range(4))

    def use(number: int, part: Iterable[bytes]) -> Iterator[int]:
        total = sum(len(block) for block in part)
        time.sleep(random.Random(f"use-{number}").uniform(0.3, 0.5))
        yield total

    blocks = session.sparkContext.parallelize(range(48), 48).mapPartitionsWithIndex(load)
    blocks.persist(StorageLevel.MEMORY_ONLY)
    for _ in range(size):
        if blocks.mapPartitionsWithIndex(use).sum() != 48 * 4 * 650_000:
            raise SystemExit("A block has the wrong size.")


def skew(session: SparkSession, size: int, service: str) -> None:
    """``size`` tasks of 1 to 2 s, of which a few take 15 s, and a shuffle with one heavy task."""
    first = _source(session.sparkContext, size, "skew", 1.0, 2.0, slow=0.02, slow_s=15.0)
    heavy = first.reduceByKey(add, 16).mapPartitionsWithIndex(
        _wait("heavy", 1.0, 2.0, slow_numbers=(11,), slow_s=20.0)
    )
    _reduced(heavy, 8, "last", 1.0, 2.0).collect()


def shared_service(session: SparkSession, size: int, service: str) -> None:
    """``size`` tasks, each of three requests to a service that serves few requests at once."""

    def ask(part: Iterable[int]) -> Iterator[int]:
        for number in part:
            for _ in range(3):
                with urllib.request.urlopen(service, timeout=_PERMIT_TIMEOUT_S):  # noqa: S310
                    pass
            yield number

    session.sparkContext.parallelize(range(size), size).mapPartitions(ask).count()


def driver_waits(session: SparkSession, size: int, service: str) -> None:
    """Four jobs of ``size`` tasks of 2 to 4 s and a shuffle; the driver works 12 s in between."""
    for number in range(4):
        if number:
            time.sleep(12.0)
        data = _source(session.sparkContext, size, f"round-{number}", 2.0, 4.0)
        _reduced(data, 4, f"sums-{number}", 1.0, 2.0).collect()


def sql_adaptive(session: SparkSession, size: int, service: str) -> None:
    """Two scans, an aggregation of each, and a join, planned anew while it runs.

    Adaptive execution submits each stage of the query as a job of its own. It merges the 200
    partitions of a shuffle into as many as the sizes of the outputs ask for.
    """
    from pyspark.sql import functions as sql

    session.conf.set("spark.sql.adaptive.enabled", "true")
    session.conf.set("spark.sql.adaptive.coalescePartitions.parallelismFirst", "false")
    session.conf.set("spark.sql.adaptive.coalescePartitions.minPartitionSize", "1KB")
    session.conf.set("spark.sql.adaptive.advisoryPartitionSizeInBytes", "16KB")

    def scan(tasks: int, salt: str, least: float, most: float) -> Any:
        key = _waiting_key(sql.col("id"), salt, least, most)
        rows = session.range(0, tasks, 1, tasks).select(key.alias("first"))
        keys = sql.explode(sql.sequence(sql.lit(0), sql.lit(199)))
        return rows.select(keys.alias("key"), (sql.col("first") * 0 + 1).alias("number"))

    sales = scan(size, "sales", 2.0, 4.0).groupBy("key").agg(sql.sum("number").alias("sales"))
    stock = scan(size // 2, "stock", 1.0, 3.0).groupBy("key").agg(sql.sum("number").alias("stock"))
    joined = sales.join(stock, "key")
    slow = _waiting_key(sql.col("key"), "joined", 0.002 * size, 0.006 * size)
    rows = joined.select(slow.alias("key"), "sales", "stock").repartition(8, "key").collect()
    if len(rows) != 200 or any(row.sales != size for row in rows):
        raise SystemExit("The query gave a wrong result.")


def widening(session: SparkSession, size: int, service: str) -> None:
    """Four jobs, each of ``size`` times as many tasks as the one before, of 1.2 to 2 s."""
    for number in range(4):
        data = _source(session.sparkContext, size ** (number + 1), f"wider-{number}", 1.2, 2.0)
        _reduced(data, 2, f"sums-{number}", 0.5, 1.0).collect()


SHAPES: dict[str, Callable[[Any, int, str], None]] = {
    "wide-then-narrow": wide_then_narrow,
    "short-stages": short_stages,
    "three-jobs": three_jobs,
    "cached": cached,
    "skew": skew,
    "shared-service": shared_service,
    "driver-waits": driver_waits,
    "sql-adaptive": sql_adaptive,
    "widening": widening,
}


def _source(
    context: SparkContext,
    tasks: int,
    salt: str,
    least: float,
    most: float,
    slow: float = 0.0,
    slow_s: float = 0.0,
) -> RDD[tuple[int, int]]:
    """A stage of ``tasks`` tasks that wait and give a pair for each key.

    :param slow: share of tasks that wait ``slow_s``.
    """
    chance = random.Random(salt)
    numbers = tuple(number for number in range(tasks) if chance.random() < slow)
    waiting = _wait(salt, least, most, slow_numbers=numbers, slow_s=slow_s)
    return (
        context.parallelize(range(tasks), tasks)
        .mapPartitionsWithIndex(waiting)
        .flatMap(lambda number: [(key, number) for key in range(_KEYS)])
    )


def _reduced(data: RDD[Any], tasks: int, salt: str, least: float, most: float) -> RDD[Any]:
    """A shuffle to ``tasks`` tasks, which wait and give each key another number."""
    return (
        data.reduceByKey(add, tasks)
        .mapPartitionsWithIndex(_wait(salt, least, most))
        # With the same keys Spark would see that nothing has to move.
        .map(lambda pair: ((pair[0] * 7 + 1) % _KEYS, pair[1]))
    )


def _wait(
    salt: str,
    least: float,
    most: float,
    slow_numbers: tuple[int, ...] = (),
    slow_s: float = 0.0,
) -> Callable[[int, Iterable[Any]], Iterator[Any]]:
    def wait(number: int, part: Iterable[Any]) -> Iterator[Any]:
        usual = random.Random(f"{salt}-{number}").uniform(least, most)
        time.sleep(slow_s if number in slow_numbers else usual)
        yield from part

    return wait


def _waiting_key(key: Column, salt: str, least: float, most: float) -> Column:
    """``key`` itself, after a wait for each row."""
    from pyspark.sql.functions import udf

    def wait(number: int) -> int:
        time.sleep(random.Random(f"{salt}-{number}").uniform(least, most))
        return number

    # Else the optimiser may run the function twice, or not at all.
    return udf(wait, "long").asNondeterministic()(key)


if __name__ == "__main__":
    main()
