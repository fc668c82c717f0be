"""Real parts on this machine: Airflow, a Spark master, containers, Postgres, a shuffle service."""
