"""Runs one small application after the other, each with an event log written in another way.

Arguments: a folder for the logs; then, for each application, its Spark properties as JSON. Every
log lies in a folder of its own, named by the application's place in the order. In the middle of
each application its log is copied, as it is then, to the folder ``N-cut``. What Spark itself reads
in the whole log is written to the file ``N.plain``.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from base64 import b64encode
from pathlib import Path


def main(folder: Path, applications: list[dict[str, str]]) -> None:
    from pyspark.sql import SparkSession

    for number, properties in enumerate(applications):
        logs = folder / str(number)
        logs.mkdir()
        builder = SparkSession.builder.master("local[2,4]").appName(f"logged-{number}")
        settings = {
            "spark.eventLog.enabled": "true",
            "spark.eventLog.dir": logs.as_uri(),
            "spark.kitwai.inputs.number": str(number),
            "spark.sql.shuffle.partitions": "4",
            "spark.ui.enabled": "false",
        } | properties
        for name, value in settings.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        work(session)
        # So much that a rolling log begins a new file, whatever it is compressed with.
        if properties.get("spark.eventLog.rolling.enabled") == "true":
            letters = b64encode(random.Random(number).randbytes(2_500_000)).decode()
            session.sparkContext.setLocalProperty("spark.job.description", letters)
            session.range(10).collect()
        shutil.copytree(logs, folder / f"{number}-cut")
        work(session)
        jvm = session.sparkContext._jvm
        session.stop()
        with (folder / f"{number}.plain").open("wb") as plain:
            for path in sorted(logs.rglob("[!.]*"), key=lambda path: (len(path.name), path.name)):
                if path.is_file() and not path.name.startswith("appstatus"):
                    plain.write(as_spark_reads(jvm, path))


def as_spark_reads(jvm, path: Path) -> bytes:
    place = jvm.org.apache.hadoop.fs.Path(path.as_uri())
    files = place.getFileSystem(jvm.org.apache.hadoop.conf.Configuration())
    stream = jvm.org.apache.spark.deploy.history.EventLogFileReader.openEventLog(place, files)
    try:
        return bytes(stream.readAllBytes())
    finally:
        stream.close()


def work(session) -> None:
    from pyspark import TaskContext
    from pyspark.sql import functions as sql

    def fail_once(part):
        context = TaskContext.get()
        if context.partitionId() == 1 and context.attemptNumber() == 0:
            raise ValueError("the first attempt fails")
        return part

    left = session.range(0, 2_000, 1, 3).withColumn("key", sql.col("id") % 7)
    right = session.range(0, 500, 1, 2).withColumn("key", sql.col("id") % 5)
    session.conf.set("spark.sql.autoBroadcastJoinThreshold", "-1")
    left.join(right, "key").groupBy("key").count().collect()
    numbers = session.sparkContext.parallelize(range(100), 4).mapPartitions(fail_once)
    pairs = numbers.map(lambda number: (number % 3, 1)).reduceByKey(lambda a, b: a + b, 2)
    pairs.count()
    pairs.count()  # its first stage is skipped


if __name__ == "__main__":
    main(Path(sys.argv[1]), [json.loads(one) for one in sys.argv[2:]])
