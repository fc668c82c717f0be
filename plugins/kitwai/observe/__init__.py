"""Observes a cluster: reads every source and joins them into one
`kitwai.core.records.observation.Observation`.

Each source has a module of its own. A source is read under a deadline. It gives its answer or
raises `kitwai.errors.SourceError` with one sentence, which `kitwai.observe.look` turns into a
`Part`. Parsing is in pure functions beside the reading. Airflow is imported only to read a driver's
log from object storage.
"""
