"""Writes the newest observation and decision of every cluster in Prometheus' text format (0.0.4).

An unknown value has no sample, so a missing source is never a zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kitwai.core.records.observation import Application, Observation
from kitwai.core.records.settings import ClusterSettings
from kitwai.store.store import Store

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_DECISIONS_SINCE_S = 3600.0

Samples = list[tuple[Mapping[str, str], float]]


class _Page:
    """Collects samples by metric family, in the order in which families first appear."""

    def __init__(self) -> None:
        self._families: dict[str, tuple[str, str, Samples]] = {}

    def add(
        self,
        name: str,
        help_text: str,
        value: float | None,
        /,
        *,
        kind: str = "gauge",
        **labels: str,
    ) -> None:  # fmt: skip
        if value is not None:
            _, _, samples = self._families.setdefault(name, (kind, help_text, []))
            samples.append((labels, value))

    def text(self) -> str:
        lines: list[str] = []
        for name, (kind, help_text, samples) in self._families.items():
            lines += [f"# HELP kitwai_{name} {help_text}", f"# TYPE kitwai_{name} {kind}"]
            for labels, value in samples:
                shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
                lines.append(f"kitwai_{name}{{{shown}}} {value!r}")
        return "".join(f"{line}\n" for line in lines)


def prometheus_text(store: Store, clusters: Iterable[str]) -> str:
    """The metrics of ``clusters``, each from its newest observation and decision."""
    page = _Page()
    for cluster in clusters:
        observation = store.newest_observation(cluster)
        if observation is not None:
            _add_cluster(page, observation)
            for application in observation.applications or ():
                _add_application(page, cluster, application)
            _add_decision(page, store, observation)
    return page.text()


def _add_cluster(page: _Page, seen: Observation) -> None:
    cluster = seen.cluster
    page.add(
        "observation_timestamp_seconds",
        "When the cluster was looked at last.",
        seen.at,
        cluster=cluster,
    )
    for part in seen.parts:
        answered = 0.0 if part.error else 1.0
        page.add(
            "source_up", "Whether a source answered.", answered, cluster=cluster, source=part.name
        )
    serving = None if seen.serving is None else len(seen.serving)
    starting = None if seen.pool is None else len(seen.starting)
    for state, count in (("serving", serving), ("starting", starting)):
        page.add("workers", "Workers by state.", count, cluster=cluster, state=state)
    running = None if seen.applications is None else len(seen.applications)
    page.add("applications", "Running applications.", running, cluster=cluster)
    host = seen.host
    if host is not None:
        for mode, share in (("user", host.cpu_user), ("system", host.cpu_system)):
            page.add("cpu_share", "CPU in use, 0 to 1.", share, cluster=cluster, mode=mode)
        for direction, rate in (("in", host.net_in), ("out", host.net_out)):
            page.add(
                "network_bytes_per_second",
                "Network of the master's node.",
                rate,
                cluster=cluster,
                direction=direction,
            )
        page.add("memory_share", "Memory in use, 0 to 1.", host.memory, cluster=cluster)


def _add_application(page: _Page, cluster: str, application: Application) -> None:
    labels = {"cluster": cluster, "application": application.id, "name": application.name}
    page.add(
        "application_elapsed_seconds", "Time since its start.", application.elapsed_s, **labels
    )
    page.add("application_limit_seconds", "Its own limit.", application.limit_s, **labels)
    if application.stages is not None:
        for state in ("complete", "active", "failed"):
            count = sum(getattr(stage, state) for stage in application.stages)
            page.add(
                "application_tasks", "Tasks of its listed stages.", count, **labels, state=state
            )
    log = application.log
    if log is not None:
        for logger, count in log.features.items():
            page.add(
                "driver_log_lines_total",
                "Lines of its driver's log by logger.",
                count,
                kind="counter",
                **labels,
                logger=logger,
            )
        for use, size in (
            ("action", log.action_bytes),
            ("transformation", log.transformation_bytes),
        ):
            page.add(
                "driver_log_memory_bytes_total",
                "Memory that its driver's log tells of.",
                size,
                kind="counter",
                **labels,
                use=use,
            )


def _add_decision(page: _Page, store: Store, seen: Observation) -> None:
    decisions = store.decisions(seen.cluster, since=seen.at - _DECISIONS_SINCE_S)
    if not decisions:
        return
    newest, cluster = decisions[-1].decision, seen.cluster
    _add_settings(page, decisions[-1].settings, seen)
    page.add(
        "target_workers", "Workers that the newest decision asks for.", newest.target,
        cluster=cluster, mode=newest.mode.value,
    )  # fmt: skip
    page.add("decision_timestamp_seconds", "When it was decided last.", newest.at, cluster=cluster)
    page.add(
        "policy_fallback",
        "1 where the forecast stood in for the champion.",
        1.0 if newest.fallback else 0.0,
        cluster=cluster,
    )
    page.add(
        "decision_info", "What made the newest decision: network, forecast or rules.", 1.0,
        cluster=cluster, policy=newest.policy, checkpoint=newest.checkpoint or "",
    )  # fmt: skip
    for decided in newest.applications:
        labels = {"cluster": cluster, "application": decided.id, "name": decided.name}
        page.add("application_target_workers", "Workers decided for it.", decided.target, **labels)
        finish = decided.predicted_finish_s
        page.add(
            "application_predicted_finish_seconds",
            "When it is predicted to end at its target, since its start.",
            finish[min(decided.target, len(finish)) - 1] if finish else None,
            **labels,
        )


def _add_settings(page: _Page, settings: ClusterSettings, seen: Observation) -> None:
    cluster, pin, pause = seen.cluster, settings.pin, settings.pause
    page.add(
        "pause_until_seconds", "A person's pause: until when.", pause.until if pause else None,
        cluster=cluster,
    )  # fmt: skip
    target, until = (pin.target, pin.until) if pin else (None, None)
    page.add("pin_workers", "A person's target.", target, cluster=cluster)
    page.add("pin_until_seconds", "A person's target: until when.", until, cluster=cluster)
    page.add(
        "flap_changes", "Workers started or told to leave within the last hour.",
        seen.past.changes_1h, cluster=cluster,
    )  # fmt: skip
    page.add(
        "flap_budget", "How many may be, before only a limit in danger changes the count.",
        settings.flap_budget, cluster=cluster,
    )  # fmt: skip


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", " ")
