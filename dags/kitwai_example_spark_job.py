"""Example: submit a Spark application with a time limit of its own.

The limit travels in the application's Spark conf, where the autoscale DAG finds it. The conf below
it lets a worker leave without losing a running task or a shuffle block.
"""

from __future__ import annotations

import importlib.util
import os
from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param

_pyspark = importlib.util.find_spec("pyspark")
SPARK_HOME = os.environ.get("SPARK_HOME") or str(Path((_pyspark and _pyspark.origin) or "").parent)

# Airflow's own settings hold keys and connections, and a driver runs other people's code: of the
# environment it gets what Java and Spark need, and nothing else.
INHERITED = [
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "JAVA_HOME",
    "SPARK_CONF_DIR",
    "SPARK_LOCAL_IP",
    "PYSPARK_PYTHON",
]

# Values reach the shell as variables, never as text of the command.
SUBMIT = """
exec "$SPARK_HOME/bin/spark-submit" --master "$MASTER" \
  --conf "spark.kitwai.timeLimit=$LIMIT" \
  --conf "spark.kitwai.maxWorkers=$MAX_WORKERS" \
  --conf spark.executor.cores=2 \
  --conf spark.ui.port=0 \
  --conf spark.decommission.enabled=true \
  --conf spark.storage.decommission.enabled=true \
  --conf spark.storage.decommission.shuffleBlocks.enabled=true \
  --conf spark.storage.decommission.rddBlocks.enabled=true \
  --conf spark.storage.decommission.replicationReattemptInterval=2s \
  "$APPLICATION" "$ARGUMENT"
"""

with DAG(
    "kitwai_example_spark_job",
    description="Submits a Spark application that must be done within its limit.",
    schedule=None,
    tags=["kitwai", "example"],
    params={
        "master": Param("spark://127.0.0.1:7077", type="string", pattern="^spark://"),
        "limit": Param("5min", type="string", description="spark.kitwai.timeLimit"),
        "max_workers": Param(4, type="integer", minimum=1, description="spark.kitwai.maxWorkers"),
        "application": Param(
            f"{SPARK_HOME}/examples/src/main/python/pi.py",
            type="string",
            description="The Python file to submit",
        ),
        "argument": Param("20", type="string", description="Its argument"),
    },
) as dag:
    BashOperator(
        task_id="submit",
        bash_command=SUBMIT,
        env={
            **{name: os.environ[name] for name in INHERITED if name in os.environ},
            "SPARK_HOME": SPARK_HOME,
            "MASTER": "{{ params.master }}",
            "LIMIT": "{{ params.limit }}",
            "MAX_WORKERS": "{{ params.max_workers }}",
            "APPLICATION": "{{ params.application }}",
            "ARGUMENT": "{{ params.argument }}",
        },
        append_env=False,
        execution_timeout=timedelta(hours=1),
    )
