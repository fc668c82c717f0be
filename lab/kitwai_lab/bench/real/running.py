"""One run of an application on a cluster of its own, kept in a folder.

The folder gets the event log (``events/``), what was observed and decided (``kitwai.db``, a store
of Kitwai), the application's output, and the run's record (``run.json``).

A constant run has its workers before the application starts, and is only looked at: in mode
suggest, so that the store also holds what Kitwai would have decided. A run under Kitwai starts with
one worker. Each step is that of the autoscale DAG: observe, decide, carry out.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitwai.core.records.observation import Observation
from kitwai.errors import KitwaiError, PoolError
from kitwai.pools.base import WorkerPool
from kitwai.pools.spark_options import QUICK_JVM
from kitwai.store.store import Store
from kitwai_lab.bench.machine import machine
from kitwai_lab.bench.real.applications import SERVICE, JudgedApplication
from kitwai_lab.bench.real.record import CLUSTER, RunRecord, write_record
from kitwai_lab.bench.real.service import SharedService
from kitwai_lab.bench.spark_run import RealCluster
from kitwai_lab.demo.measure import Recorder, read_event_log
from kitwai_lab.local.spark import LocalApplication

if TYPE_CHECKING:
    from kitwai.hooks.spark_cluster import SparkClusterHook
    from kitwai.registry.champion import Champion

PATIENCE = 4.0
"""A run that takes so many times its limit is ended, and fails."""

_SERVICE_S = 1.0
_SERVED_AT_ONCE = 5
_WATCH_S = 1.0
_POLL_S = 0.1
_SUBMIT_S = 60.0
_AIRFLOW_HOME = "airflow"


@dataclass(frozen=True, slots=True)
class RunPlan:
    """How an application is to be run.

    ``constant``: workers from the start on, None for a run under Kitwai; ``step_s``: from look to
    look; ``settle_s``: how long workers that have registered may still use the processors before
    the application starts.
    """

    name: str
    max_workers: int
    step_s: float
    constant: int | None = None
    settle_s: float = 30.0


def run_application(
    application: JudgedApplication,
    plan: RunPlan,
    folder: Path,
    champion: Champion,
    history: Path | None = None,
) -> RunRecord:
    """Run the application once. A run that fails is a record with the reason.

    :param folder: made anew.
    :param history: the file of past runs that Kitwai knows; None: it knows none.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    record = RunRecord.planned(application, plan)
    if history is not None:
        shutil.copyfile(history, folder / "history.json")
        history = folder / "history.json"
    try:
        record = _run(application, plan, folder, champion, history, record)
    except KitwaiError as error:
        record = record.failed(str(error))
    finally:
        shutil.rmtree(folder / "cluster", ignore_errors=True)
    write_record(folder, record)
    return record


def _run(
    application: JudgedApplication,
    plan: RunPlan,
    folder: Path,
    champion: Champion,
    history: Path | None,
    record: RunRecord,
) -> RunRecord:
    with ExitStack() as parts:
        log = parts.enter_context(_step_log(folder / "steps.log"))
        cluster = parts.enter_context(RealCluster(folder / "cluster", shuffle_service=True))
        cluster.keep(plan.constant or 1, settle_s=plan.settle_s)
        service = parts.enter_context(SharedService(_SERVICE_S, _SERVED_AT_ONCE))
        store = Store(f"sqlite:///{folder / 'kitwai.db'}")
        parts.callback(store.engine.dispose)
        hook = _hook(cluster, application, plan, history)
        steps = Steps(store, hook, champion, plan.step_s, log, acts=plan.constant is None)
        recorder = parts.enter_context(_watched(cluster.pool))
        running = _submit(cluster, application, plan, service.url, folder)
        parts.callback(running.stop)
        steps.follow(running, PATIENCE * application.limit_s + _SUBMIT_S)
        running.finish(1.0)
        scalings = store.scalings(CLUSTER)
    measured = read_event_log(running.events)
    return record.ended(
        measured,
        recorder.lifetimes,
        scale_outs=[scaling.started_at for scaling in scalings if scaling.started],
        scale_ins=[scaling.started_at for scaling in scalings if scaling.removed],
        step_errors=steps.errors,
        measured_on=machine(),
    )


@dataclass(slots=True)
class Steps:
    """The steps on one cluster, one every ``step_s`` seconds.

    ``acts``: whether decisions are carried out; ``errors``: what went wrong in steps, which are
    not repeated before the next one is due, as in Airflow.
    """

    store: Store
    hook: SparkClusterHook
    champion: Champion
    step_s: float
    log: logging.Logger
    acts: bool
    errors: list[str] = field(default_factory=list)

    def follow(self, application: LocalApplication, timeout_s: float) -> None:
        """Take steps until the application has ended.

        :raises KitwaiError: it has not ended after ``timeout_s`` seconds.
        """
        now = time.monotonic()
        until, due = now + timeout_s, now
        while application.poll() is None:
            now = time.monotonic()
            if now > until:
                raise KitwaiError(f"The application did not end within {timeout_s:.0f} s.")
            if now >= due:
                # A step that takes too long delays the next one, and does not double it.
                due = max(due + self.step_s, now)
                self._step(due)
            time.sleep(_POLL_S)

    def _step(self, next_due: float) -> None:
        """One step, which is to be over when the next one is due (`time.monotonic`)."""
        from kitwai.actions.step import carry_out, decide_cluster, observe_cluster

        try:
            seen = observe_cluster(self.store, self.hook, self.log)
            decided = decide_cluster(
                self.store, self.hook, seen["observation_id"], self.log, self.champion
            )
            if self.acts:
                wait_s = max(0.0, next_due - time.monotonic())
                carry_out(
                    self.store,
                    self.hook,
                    decided["decision_id"],
                    ask=_ask_nobody,
                    wait_s=wait_s,
                    log=self.log,
                )
        except KitwaiError as error:
            self.log.error("The step failed: %s", error)
            self.errors.append(str(error))


@contextmanager
def airflow_home(out: Path) -> Iterator[None]:
    """Give the parts of Airflow that steps use a home of their own, below ``out``.

    It has to come before Airflow is imported.
    """
    changed = {
        "AIRFLOW_HOME": str(out / _AIRFLOW_HOME),
        # Its messages would stand between those of the command.
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _hook(
    cluster: RealCluster, application: JudgedApplication, plan: RunPlan, history: Path | None
) -> SparkClusterHook:
    """The cluster's hook, by the connection that a user would have."""
    from kitwai.cli.cluster import cluster_hook

    extra: dict[str, Any] = {"max_workers": plan.max_workers, "limit": application.limit_s}
    if plan.constant is not None:
        extra["mode"] = "suggest"
    if history is not None:
        extra["history"] = str(history)
    connection = cluster.connection(**extra)
    os.environ[f"AIRFLOW_CONN_{CLUSTER.upper()}"] = json.dumps(connection)
    try:
        return cluster_hook(CLUSTER)
    finally:
        # The hook has read it. It holds the cluster's secret, and other programs start later.
        del os.environ[f"AIRFLOW_CONN_{CLUSTER.upper()}"]


def _submit(
    cluster: RealCluster,
    application: JudgedApplication,
    plan: RunPlan,
    service_url: str,
    folder: Path,
) -> LocalApplication:
    # A run of which nothing is to be known has a name that nothing is known of.
    family = f"real-{application.name}" + ("-unknown" if plan.name == "unknown" else "")
    conf: Mapping[str, str] = {
        "spark.app.name": family,
        "spark.kitwai.timeLimit": f"{application.limit_s:.0f}s",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.extraJavaOptions": QUICK_JVM,
        **({} if application.size is None else {_SIZE: str(application.size)}),
        **application.conf,
    }
    arguments = [argument.replace(SERVICE, service_url) for argument in application.arguments]
    return cluster.submit(application.script, arguments, conf, folder=folder)


_SIZE = "spark.kitwai.inputs.size"


@contextmanager
def _watched(pool: WorkerPool) -> Iterator[Recorder]:
    """Records when workers come and go, about once a second, beside everything else."""
    recorder, over = Recorder(), threading.Event()

    def watch() -> None:
        while not over.wait(_WATCH_S):
            with suppress(PoolError):
                recorder.add(Observation(CLUSTER, time.time(), pool=pool.workers()))

    thread = threading.Thread(target=watch, name="watch-workers", daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        over.set()
        thread.join()


@contextmanager
def _step_log(file: Path) -> Iterator[logging.Logger]:
    """A log that writes what steps say to ``file`` alone."""
    log = logging.Logger("kitwai.bench.real")
    handler = logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    try:
        yield log
    finally:
        handler.close()


def _ask_nobody(*_: Any) -> dict[str, Any]:
    return {"done": "nothing", "why": "nobody is asked here"}
