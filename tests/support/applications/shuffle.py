"""Counts keys in a job of one shuffle whose tasks mostly wait, and writes the counts as JSON.

Arguments: output file, map tasks, reduce tasks, seconds that every task waits.
"""

from __future__ import annotations

import json
import sys
import time
from operator import add
from pathlib import Path


def main(output: str, maps: int, reduces: int, wait_s: float) -> None:
    from pyspark import SparkContext

    def keys(task: int) -> list[int]:
        time.sleep(wait_s)
        return [(task * 7 + number) % 50 for number in range(1000)]

    def waited(part):
        time.sleep(wait_s)
        return part

    with SparkContext() as context:
        numbers = context.parallelize(range(maps), maps).flatMap(keys)
        counts = numbers.map(lambda key: (key, 1)).reduceByKey(add, reduces)
        result = dict(counts.mapPartitions(waited).collect())
    Path(output).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
