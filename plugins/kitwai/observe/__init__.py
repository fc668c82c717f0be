"""Observing: one file a source, joined into one `kitwai.core.records.observation.Observation`.

A source is read under a deadline and either gives its answer or raises
`kitwai.errors.SourceError` with one sentence; `observer` turns that sentence into a `Part`.
Parsing is in pure functions beside the reading. Nothing here imports Airflow.
"""
