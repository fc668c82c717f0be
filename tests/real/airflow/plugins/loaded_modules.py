"""An Airflow plugin for the tests: notes which modules every task process has loaded at its end."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

WATCHED = (
    "tensorflow",
    "keras",
    "docker",
    "matplotlib",
    "pyspark",
    "numpy",
    "kitwai.plugin",
    "kitwai.web.app",
)


class Listener:
    @hookimpl
    def on_task_instance_success(self, previous_state, task_instance):
        record = {
            "dag_id": task_instance.dag_id,
            "task_id": task_instance.task_id,
            "pid": os.getpid(),
            "loaded": [name for name in WATCHED if name in sys.modules],
            # What Airflow's plugin loader would make of plugins/kitwai without .airflowignore.
            "strays": [
                name
                for name, module in list(sys.modules.items())
                if "." not in name
                and "/plugins/kitwai/" in (getattr(module, "__file__", None) or "")
                and not (getattr(module, "__file__", None) or "").endswith(
                    "/plugins/kitwai/__init__.py"
                )
            ],
        }
        folder = Path(os.environ["KITWAI_TEST_MODULES"])
        (folder / f"{task_instance.dag_id}-{task_instance.task_id}-{os.getpid()}.json").write_text(
            json.dumps(record)
        )


class LoadedModulesPlugin(AirflowPlugin):
    name = "loaded_modules"
    listeners = [Listener()]  # noqa: RUF012
