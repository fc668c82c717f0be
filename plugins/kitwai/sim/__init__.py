"""The simulator: application profiles, their generator, episodes, and the judging of policies.

NumPy alone; like the core it imports neither Airflow, TensorFlow, an HTTP client nor docker.
"""
