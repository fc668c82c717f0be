"""A Spark application that only waits, so that a benchmarked step has a driver to ask."""

from __future__ import annotations

import sys
import time

if __name__ == "__main__":
    from pyspark import SparkContext

    with SparkContext(appName="kitwai-bench") as context:
        tasks = int(sys.argv[1])
        context.parallelize(range(tasks), tasks).foreach(lambda _: time.sleep(2))
