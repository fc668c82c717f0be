"""The demo from beginning to end.

Airflow scales a Spark cluster so that an application makes its limit. Then the first run is made
known, and the same application runs again. Both runs are measured, drawn and compared, with
constant counts of workers too.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from kitwai.core.records.decision import Decision
from kitwai.core.records.observation import Observation
from kitwai.pools.spark_options import QUICK_JVM
from kitwai.store.store import Store
from kitwai_lab.demo.claim import DemoError, claim, end_all, keep
from kitwai_lab.demo.cluster import CLUSTER, DemoCluster, Workload
from kitwai_lab.demo.history import forget_all, learn
from kitwai_lab.demo.live import Frame, LiveView
from kitwai_lab.demo.measure import Application, Run, Target, sample_of
from kitwai_lab.demo.report import FIRST, SECOND, Report
from kitwai_lab.demo.service import PermitService
from kitwai_lab.local.airflow import AirflowStandalone
from kitwai_lab.local.checkout import repository

DAG_ID = "kitwai_autoscale"
_SCALE_IN_TIMEOUT_S = 120.0
# An application that takes this many times its limit hangs.
_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line; ``out`` is the folder for everything."""

    out: Path
    limit_s: float = 210.0
    max_workers: int = 6
    keep: bool = False
    compare: bool = False


def run_demo(options: Options, workload: Workload | None = None) -> int:
    """Run the demo; returns 0 when both runs under Kitwai met the limit, else 1.

    :raises KitwaiError: a part that the demo needs did not work; nothing is left running.
    """
    out = options.out.resolve()
    workload = workload or Workload()
    with claim(out) as demo_id, LiveView() as view:
        own = os.environ.get("JDK_JAVA_OPTIONS", "")
        # A dozen Java programs start while the application runs, and none computes much.
        os.environ["JDK_JAVA_OPTIONS"] = f"{own} {QUICK_JVM}".strip()
        for old in (out / "summary.json", out / "timeline.png"):
            old.unlink(missing_ok=True)
        with PermitService(workload.permit_s) as service:
            demo = _Demo(options, workload, service, view, out)
            scaled = _start(demo, repository())
            report = Report([scaled.run(FIRST)])
            demo.tell(report)
            scaled.learn()
            report.scaled.append(scaled.run(SECOND))
            demo.tell(report)
            if options.keep:
                keep(out)
            if options.compare:
                if not options.keep:
                    end_all(demo_id)
                for count in range(1, options.max_workers + 1):
                    report.constant.append(demo.constant(count))
                    demo.tell(report)
        view.say_table(report.table())
        view.say(f"Summary: {out / 'summary.json'}; picture: {out / 'timeline.png'}")
        if options.keep:
            view.say(f"Still up: {_login(scaled.airflow)}.")
            view.say(f"End it with `kitwai demo --stop --out {out}`.")
        else:
            view.say(f"Airflow was at {scaled.airflow.url}; --keep leaves it up.")
    return 0 if all(run.hit for run in report.scaled) else 1


@dataclass(frozen=True, slots=True)
class _Demo:
    """What all runs of one demo share."""

    options: Options
    workload: Workload
    service: PermitService
    view: LiveView
    out: Path

    def constant(self, count: int) -> Run:
        """The run on a cluster that gets ``count`` workers when the application starts."""
        name = f"always-{count}"
        self.view.say(f"For comparison: the same application with {name} ...")
        with DemoCluster(self.out / name) as cluster:
            cluster.wait_until("the first worker had registered", lambda seen: bool(seen.serving))
            shown = _Shown(self.options, self.view, target=count, phase=name)
            self.run_application(cluster, shown, count)
            application, _ = cluster.result()
            return self.run_of(name, cluster, application)

    def run_application(
        self, cluster: DemoCluster, shown: _Shown, constant: int | None = None
    ) -> None:
        """Submit the application and watch it to its end.

        :param constant: workers to set the cluster to once the application has started.
        """
        limit_s = self.options.limit_s
        cluster.run(self.workload, self.service.url, limit_s)
        pending = (constant or 1) - 1

        def ended(observation: Observation) -> bool:
            nonlocal pending
            if pending and observation.applications:
                cluster.pool.start(pending)
                pending = 0
            shown.show("the application runs", observation)
            return cluster.application_ended

        cluster.wait_until("the application had ended", ended, _PATIENCE * limit_s)

    def run_of(self, name: str, cluster: DemoCluster, application: Application) -> Run:
        """The record of the newest run on ``cluster``."""
        return Run(
            name=name,
            limit_s=self.options.limit_s,
            max_workers=self.options.max_workers,
            application=application,
            lifetimes=cluster.recorder.lifetimes,
            samples=tuple(cluster.recorder.samples),
        )

    def tell(self, report: Report) -> None:
        """Write summary and picture, and say the newest run's figures."""
        report.write(self.out / "summary.json", self.out / "timeline.png")
        run = report.newest
        verdict = "met" if run.hit else "missed"
        self.view.say(
            f"{run.name}: {run.finish_s:.0f} s, limit of {run.limit_s:.0f} s {verdict}, "
            f"{run.worker_seconds:.0f} worker-seconds, "
            f"{run.application.failed_tasks} failed tasks."
        )


@dataclass(frozen=True, slots=True)
class _Scaled:
    """The cluster that Airflow scales, with its Airflow, its store, and its file of past runs."""

    demo: _Demo
    cluster: DemoCluster
    airflow: AirflowStandalone
    store: Store
    history: Path

    def run(self, name: str) -> Run:
        """One run of the application, until the cluster has scaled in again."""
        options, view, since = self.demo.options, self.demo.view, time.time()
        self.cluster.record_anew()
        shown = _Shown(options, view, self.store, self.airflow, since, phase=name)

        def ready(observation: Observation) -> bool:
            shown.show("waiting for a decision", observation)
            _check_steps(self.airflow, since)
            return shown.decision is not None and bool(observation.serving)

        self.cluster.wait_until("the autoscale DAG had decided", ready)
        view.say(f"{name}: submitting the application; its limit is {options.limit_s:.0f} s.")
        self.demo.run_application(self.cluster, shown)

        def scaled_in(observation: Observation) -> bool:
            shown.show("the application has ended, its workers go", observation)
            return sum(worker.alive for worker in observation.pool or ()) == 1

        self.cluster.wait_until("the cluster had scaled in", scaled_in, _SCALE_IN_TIMEOUT_S)
        return self._result(name, since)

    def learn(self) -> None:
        """Make the newest run known to decisions."""
        driver = self.cluster.driver
        if driver is None:
            raise DemoError("No application has run.")
        self.demo.view.say("Making the run known, as you would:")
        learn(driver.events, self.demo.out / "profiles", self.history, self.demo.view.say)

    def _result(self, name: str, since: float) -> Run:
        application, counts = self.cluster.result()
        words, files = counts["words"], counts["files"]
        self.demo.view.say(f"The application counted {words:,} words in {files:,} files.")
        decisions = [stored.decision for stored in self.store.decisions(CLUSTER, since)]
        scalings = self.store.scalings(CLUSTER, since)
        return replace(
            self.demo.run_of(name, self.cluster, application),
            targets=tuple(Target(d.at, d.target) for d in decisions if d.target is not None),
            scale_outs=tuple(scaling.started_at for scaling in scalings if scaling.started),
            scale_ins=tuple(scaling.started_at for scaling in scalings if scaling.removed),
            checkpoints=tuple(sorted({d.checkpoint for d in decisions if d.checkpoint})),
        )


def _start(demo: _Demo, root: Path) -> _Scaled:
    """Start a cluster with one worker, and an Airflow that knows no past run.

    :param root: Kitwai's repository.
    """
    options, view = demo.options, demo.view
    view.say("Starting a Spark master with one worker ...")
    cluster = DemoCluster(demo.out / "cluster")
    cluster.start()
    view.say("Starting Airflow ...")
    home, history = demo.out / "airflow", demo.out / "history.json"
    shutil.rmtree(home, ignore_errors=True)
    forget_all(history)
    store_url = f"sqlite:///{home / 'kitwai.db'}"
    store = Store(store_url)
    connection = cluster.connection(
        max_workers=options.max_workers, limit=options.limit_s, quiet="10s", history=str(history)
    )
    airflow = AirflowStandalone(
        home,
        root / "dags",
        root / "plugins",
        {CLUSTER: connection},
        {"AIRFLOW__KITWAI__CLUSTERS": CLUSTER, "AIRFLOW__KITWAI__STORE": store_url},
        dag_ids=[DAG_ID],
    )
    airflow.start()
    view.say(f"{_login(airflow)}.")
    airflow.unpause(DAG_ID)
    return _Scaled(demo, cluster, airflow, store, history)


@dataclass(slots=True)
class _Shown:
    """Shows observations, with the newest decision where there is a store."""

    options: Options
    view: LiveView
    store: Store | None = None
    airflow: AirflowStandalone | None = None
    since: float = 0.0
    decision: Decision | None = None
    target: int | None = None
    phase: str = "Kitwai"

    def show(self, phase: str, observation: Observation) -> None:
        """Show ``observation`` with the newest decision. :raises DemoError: Airflow has ended."""
        if self.airflow is not None and not self.airflow.running:
            raise DemoError(f"Airflow has ended; see {self.airflow.log}.")
        if self.store is not None:
            for stored in self.store.decisions(CLUSTER, self.since):
                self.decision, self.since = stored.decision, stored.decision.at
                self.target = stored.decision.target
        sample = sample_of(observation)
        applications = observation.applications or ()
        self.view.show(
            Frame(
                phase=f"{self.phase}: {phase}",
                limit_s=self.options.limit_s,
                max_workers=self.options.max_workers,
                elapsed_s=applications[0].elapsed_s if applications else None,
                workers=sample.workers,
                present=sample.present,
                target=self.target,
                tasks_done=sample.tasks_done,
                tasks_total=sample.tasks_total,
                predicted_s=_predicted(self.decision),
                reason=self.decision.reason if self.decision else None,
            )
        )


def _check_steps(airflow: AirflowStandalone, since: float) -> None:
    """:raises DemoError: a step that was due since then failed (with the text of its log)."""
    for run in airflow.runs(DAG_ID):
        due_at = datetime.fromisoformat(run["run_after"]).timestamp()
        if run["state"] != "failed" or due_at < since:
            continue
        for task in airflow.task_instances(DAG_ID, run["dag_run_id"]):
            if task["state"] == "failed":
                text = airflow.task_log(
                    DAG_ID, run["dag_run_id"], task["task_id"],
                    try_number=task["try_number"], map_index=task["map_index"],
                )  # fmt: skip
                raise DemoError(f"The first step failed in {task['task_id']}:\n{text[-2000:]}")


def _login(airflow: AirflowStandalone) -> str:
    return f"Airflow at {airflow.url}, user admin, password {airflow.password}"


def _predicted(decision: Decision | None) -> float | None:
    if decision is None or decision.target is None or len(decision.applications) != 1:
        return None
    finish_s = decision.applications[0].predicted_finish_s
    return finish_s[decision.target - 1] if finish_s else None
