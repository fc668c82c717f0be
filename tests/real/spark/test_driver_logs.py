"""Logs that real drivers of Spark 4 write, in both of its layouts, against awk's counts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import awk_count
from kitwai.observe.driver_log import parse_log
from kitwai.observe.log_lines import FEATURES
from kitwai.pools.spark_options import find_spark_home

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

# BlockManagerInfo tells of blocks at DEBUG in Spark 4.
LOG4J = """
rootLogger.level = info
rootLogger.appenderRef.stderr.ref = console
logger.blocks.name = org.apache.spark.storage.BlockManagerInfo
logger.blocks.level = debug
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
"""
LAYOUTS = {
    "pattern": """
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex
""",
    "json": """
appender.console.layout.type = JsonTemplateLayout
appender.console.layout.eventTemplateUri = classpath:org/apache/spark/SparkLayout.json
""",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_real_log_agrees_with_awk(layout, tmp_path):
    config = tmp_path / "log4j2.properties"
    config.write_text(LOG4J + LAYOUTS[layout])
    log = tmp_path / "driver.log"
    home = find_spark_home()
    command = [
        *(home / "bin" / "spark-submit", "--master", "local[2]"),
        *("--driver-java-options", f"-Dlog4j2.configurationFile=file:{config}"),
        *("--conf", f"spark.log.structuredLogging.enabled={str(layout == 'json').lower()}"),
        *("--conf", "spark.driver.host=127.0.0.1"),
        Path(__file__).parent / "applications" / "blocks.py",
    ]
    environment = {"SPARK_HOME": str(home), "PYSPARK_PYTHON": sys.executable}
    with log.open("wb") as file:
        done = subprocess.run(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=os.environ | environment,
            timeout=240,
        )
    assert done.returncode == 0, log.read_text()[-3000:]
    counts = parse_log(str(log))
    awk_count.compare(counts, awk_count.awk_count(log, json=layout == "json"), FEATURES)
    for name in (
        "SparkContext",
        "MemoryStore",
        "DAGScheduler",
        "TaskSetManager",
        "BlockManagerInfo",
    ):
        assert counts.features[name] > 0
    assert counts.levels["ERROR"] > 0
    assert counts.unparsed >= 3
    assert counts.action_bytes > 10_000
    assert counts.transformation_bytes > 10_000
