"""The demo: a real application with a time limit on a real cluster, scaled by a real Airflow."""
