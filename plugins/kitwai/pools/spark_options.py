"""What a Spark process needs to be told: where Spark is installed, its options, its environment."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from kitwai.errors import PoolError

DECOMMISSION: Mapping[str, str] = {
    "spark.decommission.enabled": "true",
    "spark.storage.decommission.enabled": "true",
    "spark.storage.decommission.shuffleBlocks.enabled": "true",
    "spark.storage.decommission.rddBlocks.enabled": "true",
}
"""What a worker *and* an application need so that a leaving worker hands its blocks on."""

MASTER_DECOMMISSIONS: Mapping[str, str] = {
    "spark.decommission.enabled": "true",
    "spark.master.ui.decommission.allow.mode": "ALLOW",
}
"""What a master needs so that it decommissions workers for others (`kitwai.pools.decommission`)."""

QUICK_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Options of a JVM that is to start quickly on few cores: they halve the CPU time of a worker's
start (2.8 s instead of 5.2 s), which is what five starting at once on two cores wait for."""

APPLICATION: Mapping[str, str] = {
    **DECOMMISSION,
    # At the default of 30 s a leaving executor looks only every 30 s whether all is handed on.
    "spark.storage.decommission.replicationReattemptInterval": "2s",
    "spark.executor.extraJavaOptions": QUICK_JVM,
}
"""What an application on a cluster of this package sets."""

SHUFFLE_SERVICE: Mapping[str, str] = {"spark.shuffle.service.enabled": "true"}
"""What an application sets, and the worker where it is to serve the files itself, so that executors
leave their shuffle files to Spark's external shuffle service."""


def find_spark_home() -> Path:
    """The installed Spark: ``SPARK_HOME``, else the one inside the pyspark package.

    :raises PoolError: there is none.
    """
    home = os.environ.get("SPARK_HOME")
    if home:
        if not (Path(home) / "bin" / "spark-class").is_file():
            raise PoolError(
                f"SPARK_HOME is {home}, but there is no bin/spark-class in it; "
                "set it to the folder of a Spark distribution."
            )
        return Path(home)
    package = importlib.util.find_spec("pyspark")
    for folder in (package and package.submodule_search_locations) or ():
        if (Path(folder) / "bin" / "spark-class").is_file():
            return Path(folder)
    raise PoolError("Spark was not found: set SPARK_HOME or install pyspark.")


def check_java() -> Path:
    """The java that Spark will use: that of ``JAVA_HOME``, else the first on the ``PATH``.

    :raises PoolError: there is none.
    """
    home = os.environ.get("JAVA_HOME")
    if home:
        java = Path(home) / "bin" / "java"
        if not java.is_file():
            raise PoolError(
                f"JAVA_HOME is {home}, but there is no bin/java in it; "
                "set it to the folder of a Java 17 or later."
            )
        return java
    found = shutil.which("java")
    if found is None:
        raise PoolError(
            "Java was not found, and Spark needs it: install Java 17 or later and put it on the "
            "PATH, or set JAVA_HOME."
        )
    return Path(found)


def java_options(properties: Mapping[str, str]) -> str:
    """Spark ``properties`` as the options of a Spark daemon (``SPARK_*_OPTS``)."""
    return " ".join(f"-D{name}={value}" for name, value in properties.items())


def auth_properties(secret: str) -> str:
    """The properties file by which master, workers and drivers know one another.

    A file, because command lines and environments are shown by ``ps`` and ``docker inspect``.
    """
    escaped = secret.replace("\\", "\\\\")
    return f"spark.authenticate true\nspark.authenticate.secret {escaped}\n"


def write_auth(file: Path, secret: str) -> Path:
    """Write `auth_properties` to ``file``, which only its owner may read; returns it."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as opened:  # noqa: PTH123 - a descriptor
        os.fchmod(descriptor, 0o600)
        opened.write(auth_properties(secret))
    return file


def spark_environment(spark_home: Path, local_ip: str) -> dict[str, str]:
    """The environment of a Spark process bound to ``local_ip``.

    Airflow's own settings hold secrets, and executors run other people's code: they stay behind.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.lstrip("_").startswith("AIRFLOW")
    }
    # Set in some shells; it would make every Python worker compile the library anew.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["SPARK_HOME"] = str(spark_home)
    environment["SPARK_LOCAL_IP"] = local_ip
    return environment
