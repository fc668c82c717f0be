"""The pure core: observation -> policy -> guardrails -> decision -> scaling plan.

Functions over frozen dataclasses and NumPy arrays. Nothing here does I/O, reads a clock, or
imports Airflow, TensorFlow, an HTTP client or docker; `make check` holds that.
"""
