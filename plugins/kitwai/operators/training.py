"""The tasks of the training DAG: ingest -> collect (mapped) -> train -> evaluate -> promote.

The work itself is in `kitwai.learning.pipeline`. Imports that cost time stand inside the functions:
Airflow imports this module in every process that parses the DAG, and TensorFlow is needed by the
train task alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from kitwai.errors import InvalidInputError, KitwaiError, PromotionError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from kitwai.learning.partition import Partition, Plan
    from kitwai.store.training import TrainingStore

CHAMPION = Asset("kitwai_champion")
"""Changes whenever another version becomes the champion."""


class TrainingOperator(BaseOperator):
    """What the tasks share: one clear error, and how long the work itself took (XCom "seconds")."""

    ui_color = "#ece6f5"

    def execute(self, context: Context) -> Any:
        """Do the work. A setting or file that cannot be used fails at once, without a retry."""
        began = time.monotonic()
        try:
            result = self.work(context)
        except InvalidInputError as error:
            self.log.error("%s", error)
            raise AirflowFailException(str(error)) from error
        except KitwaiError as error:
            self.log.error("%s", error)
            raise
        context["ti"].xcom_push(key="seconds", value=round(time.monotonic() - began, 3))
        return result

    def work(self, context: Context) -> Any:
        """The task's own part; returns the small JSON that goes to the next task."""
        raise NotImplementedError

    def store(self) -> TrainingStore:
        """The store of this Airflow."""
        from kitwai.config.options import store_url
        from kitwai.store.store import Store

        return Store(store_url()).training


class IngestOperator(TrainingOperator):
    """Reads new event logs into the store, and fixes what this run learns from.

    Returns the parts of the grid, one for each collect task; none where no application ended inside
    the data interval, so that the tasks behind are skipped.
    """

    def work(self, context: Context) -> list[dict[str, Any]]:
        """Read, plan, and write the partition."""
        from kitwai.config.options import event_logs, training_root
        from kitwai.learning.ingest import ingest
        from kitwai.learning.pipeline import plan_partition

        plan, store = plan_of(context), self.store()
        ingested = ingest(event_logs(), store)
        for source, reason in ingested.set_aside.items():
            self.log.warning("Set aside %s: %s", source, reason)
        self.log.info(
            "%s new event logs read, %s set aside.", ingested.read, len(ingested.set_aside)
        )
        partition = plan_partition(store, plan, training_root())
        if partition is None:
            self.log.info("No application ended inside %s: the champion stays.", plan.interval)
            return []
        self.log.info("This run works in %s.", partition.folder)
        parts: list[int | None] = [*range(len(plan.chunks)), None]
        return [{"partition": str(partition.folder), "part": part} for part in parts]


def plan_of(context: Context) -> Plan:
    """The run's plan: its params, else the `[kitwai]` section, for its data interval.

    A run by hand learns from everything that ended before its logical date, or before now.

    :raises InvalidInputError: a value cannot be used.
    """
    from kitwai.config.options import option
    from kitwai.learning.partition import Plan

    params: dict[str, Any] = dict(context.get("params") or {})
    run = context["dag_run"]

    def value(name: str, kind: type) -> Any:
        given = params.get(name)
        text = option(name) if given is None else given
        try:
            return kind(text)
        except ValueError as error:
            raise InvalidInputError(f"[kitwai] {name} is no number: {text!r}.") from error

    since, until = run.data_interval_start, run.data_interval_end
    if run.run_type not in ("scheduled", "backfill") or since is None or until is None:
        since, until = None, run.logical_date or run.run_after
    return Plan(
        since=0.0 if since is None else since.timestamp(),
        until=until.timestamp(),
        grid=value("grid", str),
        seed=value("seed", int),
        effort=value("effort", float),
        parts=value("collect_tasks", int),
    )


class CollectOperator(TrainingOperator):
    """Collects experience for one part of the grid in the simulator, or the recorded steps.

    :param chunk: one of the parts that `IngestOperator` returned. (templated)
    """

    template_fields: Sequence[str] = ("chunk",)

    def __init__(self, *, chunk: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.chunk = chunk

    def work(self, context: Context) -> dict[str, Any]:
        """Write the part's shard."""
        from kitwai.learning.pipeline import collect_part, collect_recorded

        partition, part = _partition(self.chunk), self.chunk["part"]
        if part is None:
            made = collect_recorded(partition, self.store())
        else:
            made = collect_part(partition, int(part))
        self.log.info("Collected: %s", made)
        return made


class _AfterIngest(TrainingOperator):
    """A task on the run's partition.

    :param parts: what `IngestOperator` returned. (templated)
    """

    template_fields: Sequence[str] = ("parts",)

    def __init__(self, *, parts: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.parts = parts


class TrainOperator(_AfterIngest):
    """Trains the network on the run's shards: the same shards and seed give the same weights.

    :param parts: what `IngestOperator` returned. (templated)
    """

    def work(self, context: Context) -> dict[str, Any]:
        """Leave the network in the partition."""
        from kitwai.learning.pipeline import train_partition

        made = train_partition(_partition(self.parts[0]))
        self.log.info("Trained: %s", made)
        return made


class EvaluateOperator(_AfterIngest):
    """Judges the network, saves it as a version, and holds that against the champion.

    :param parts: what `IngestOperator` returned. (templated)
    """

    def work(self, context: Context) -> dict[str, Any]:
        """Add the version to the registry."""
        from kitwai.config.options import models_root
        from kitwai.learning.pipeline import evaluate_partition

        partition = _partition(self.parts[0])
        plan = partition.plan
        command = f"DAG {self.dag_id}, grid {plan.grid}, effort {plan.effort:g}"
        judged = evaluate_partition(partition, models_root(), command)
        self.log.info("%s: %s", judged["version"], judged["reason"])
        return judged


class PromoteOperator(TrainingOperator):
    """Makes a version that has passed the gate the champion; otherwise it is skipped, and the
    champion stays. Either way the verdict goes to the store, and from there to the run's note.

    :param judged: what `EvaluateOperator` returned. (templated)
    """

    template_fields: Sequence[str] = ("judged",)

    def __init__(self, *, judged: Any, **kwargs: Any) -> None:
        super().__init__(outlets=[CHAMPION], **kwargs)
        self.judged = judged

    def work(self, context: Context) -> dict[str, Any]:
        """Promote or refuse."""
        from kitwai.actions.shadow import all_figures
        from kitwai.config.options import models_root
        from kitwai.registry.versions import promote

        judged: dict[str, Any] = self.judged
        version, champion, reason = judged["version"], judged["champion"], judged["reason"]
        verdict = "promoted"
        if judged["passed"]:
            try:
                promote(models_root(), version, champion)
            except PromotionError as error:
                verdict, reason = "refused", str(error)
        else:
            verdict = "kept" if version == champion else "refused"
        store = self.store()
        shadows = [figures.sentence() for figures in all_figures(store.engine, version)]
        reason = " ".join([reason, *shadows])
        store.add_verdict(
            version, champion, verdict, reason, run_id=run_id_of(context), body=judged
        )
        if verdict == "refused":
            from kitwai.core.decide.notices import GATE, ONCE, Notice
            from kitwai.notifiers.send import send

            text = f"The champion stays {champion}. {version}: {reason}"
            send([Notice(GATE, ONCE, None, version, text, time.time())], context)
        if verdict != "promoted":
            raise AirflowSkipException(f"The champion stays {champion}. {version}: {reason}")
        self.log.info("%s is the champion now. %s", version, reason)
        context["outlet_events"][CHAMPION].extra = {"version": version, "before": champion}
        return {"version": version, "before": champion, "reason": reason}


def run_id_of(context: Context) -> str:
    """The run as verdicts name it: DAG and run."""
    run = context["dag_run"]
    return f"{run.dag_id}/{run.run_id}"


def _partition(chunk: dict[str, Any]) -> Partition:
    from kitwai.learning.partition import Partition

    return Partition(Path(chunk["partition"]))
