"""The yardstick of `kitwai bench step`: a DAG of three tasks that do nothing."""

from airflow.sdk import DAG, BaseOperator


class NothingOperator(BaseOperator):
    """Does nothing."""

    def execute(self, context: object) -> None:
        """Return at once."""


with DAG("kitwai_bench_empty", schedule=None, catchup=False):
    (
        NothingOperator(task_id="first")
        >> NothingOperator(task_id="second")
        >> NothingOperator(task_id="third")
    )
