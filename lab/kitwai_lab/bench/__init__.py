"""Measurements of a whole Kitwai: real Airflow, real Spark."""
