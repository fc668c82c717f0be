"""The simulator of Spark applications, the baselines, and the judging of policies.

Like the core, it imports neither Airflow, TensorFlow, an HTTP client nor docker.
"""
