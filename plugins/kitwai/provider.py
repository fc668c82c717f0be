"""What Airflow learns of the installed package (entry point ``apache_airflow_provider``)."""

from __future__ import annotations

from typing import Any

from kitwai import __version__
from kitwai.config.options import OPTIONS, SECTION


def get_provider_info() -> dict[str, Any]:
    """The connection type and the options of the `[kitwai]` section."""
    return {
        "package-name": "airflow-provider-kitwai",
        "name": "Kitwai",
        "description": "Scales Spark clusters so that every job meets its time limit.",
        "versions": [__version__],
        "hook-class-names": ["kitwai.hooks.spark_cluster.SparkClusterHook"],
        "connection-types": [
            {
                "connection-type": "spark_cluster",
                "hook-class-name": "kitwai.hooks.spark_cluster.SparkClusterHook",
            }
        ],
        "config": {
            SECTION: {
                "description": "Kitwai scales Spark clusters.",
                "options": {
                    name: {
                        "description": meaning,
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": None,
                        "default": default,
                    }
                    for name, (default, meaning) in OPTIONS.items()
                },
            }
        },
    }
