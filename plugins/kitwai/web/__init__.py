"""The scaling interface: a FastAPI application in Airflow's API server, and its page."""
