"""Keeps pytest's standard error open."""

from __future__ import annotations

import sys

from absl import logging as absl_logging

# Keras logs through absl, whose handler takes the standard error of the moment: pytest's. When
# Airflow sets its logging up, all handlers are closed, and pytest would be left without one.
absl_logging.get_absl_handler().python_handler.stream = sys.__stderr__
