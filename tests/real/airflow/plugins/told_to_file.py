"""What a user writes to be told: a notifier with templates, here one that writes to a file."""

from __future__ import annotations

import os
from pathlib import Path

from airflow.sdk import BaseNotifier


class ToFile(BaseNotifier):
    template_fields = ("line",)

    def __init__(self):
        super().__init__()
        self.line = (
            "{{ kitwai.event }} {{ kitwai.state }} in {{ ti.task_id }}: {{ kitwai.subject }}"
        )

    def notify(self, context):
        with Path(os.environ["KITWAI_TEST_NOTICES"]).open("a") as file:
            file.write(f"{self.line}\n")
