"""A small application that touches what a driver's log tells of: blocks, shuffles, a failure."""

from __future__ import annotations

import sys

from pyspark.sql import SparkSession  # noqa: TID253

session = SparkSession.builder.appName("blocks").getOrCreate()
context = session.sparkContext
pairs = context.parallelize(range(200), 4).map(lambda n: (n % 3, "é" * n)).persist()
print(pairs.reduceByKey(lambda a, b: a + b).count())
table = context.broadcast(list(range(10_000)))
print(pairs.map(lambda pair: table.value[pair[0]]).sum())
table.destroy()
pairs.unpersist()
print('{"level": "INFO", "msg": "no line of a log"}', file=sys.stderr, flush=True)
print("26/01/01 10:00:00 INFO", file=sys.stderr, flush=True)
try:
    context.parallelize([0], 1).map(lambda n: 1 / n).count()
except Exception as error:
    print(type(error).__name__, file=sys.stderr, flush=True)
session.stop()
