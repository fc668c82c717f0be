"""Airflow hooks: the shells that own connections."""
