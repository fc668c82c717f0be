"""The simulator of Spark applications, the baselines, and the judging of policies.

Like the core, it imports neither Airflow, TensorFlow, an HTTP client nor docker.
"""

import os

# Threads of the compiled loop that wait for work must sleep: by default they spin, and take the
# processor from everything else on the machine. It counts from when the loop is first compiled.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
