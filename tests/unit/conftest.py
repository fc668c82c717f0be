"""Lets the unit tests import `builders` from beside them."""

from __future__ import annotations

import sys
from pathlib import Path

from absl import logging as absl_logging

sys.path.insert(0, str(Path(__file__).parent))

# Keras logs through absl, whose handler takes the standard error of the moment: pytest's. When
# Airflow sets its logging up, all handlers are closed, and pytest would be left without one.
absl_logging.get_absl_handler().python_handler.stream = sys.__stderr__
