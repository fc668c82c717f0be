"""Kitwai scales Apache Spark clusters from Apache Airflow.

The package owns nothing at import: every part is imported from its own module, so that an
Airflow process pays only for what it uses.
"""

__version__ = "0.1.0"
