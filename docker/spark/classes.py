"""Loads the classes of every part of Spark into one JVM, which archives them when it ends.

``local-cluster`` runs a master and a worker beside the driver, ``local`` an executor.
"""

from __future__ import annotations

from urllib.request import urlopen


def main() -> None:
    """Run an application of both kinds, with a shuffle and a join."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    for master in ("local-cluster[1,1,512]", "local[1]"):
        with SparkContext(master) as context:
            pairs = context.parallelize(range(8), 4).map(lambda number: (number % 3, 1))
            pairs.reduceByKey(lambda a, b: a + b, 2).mapPartitions(lambda part: part).collect()
            # What Kitwai asks a driver for.
            for path in ("executors", "stages", "jobs", "environment"):
                url = f"{context.uiWebUrl}/api/v1/applications/{context.applicationId}/{path}"
                urlopen(url, timeout=60).read()  # noqa: S310
            numbers = SparkSession(context).range(100)
            numbers.join(numbers, "id").groupBy("id").count().collect()


if __name__ == "__main__":
    main()
