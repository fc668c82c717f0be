"""A run of the demo's application, made up."""

from __future__ import annotations

from kitwai_lab.demo.measure import Application, Run, Sample, Target

START = 1_000.0


def run(**changed) -> Run:
    """A run of 100 s under Kitwai; ``changed``: its fields that differ."""
    fields = {
        "name": "Kitwai",
        "limit_s": 180.0,
        "max_workers": 6,
        "application": Application(START, START + 100.0, failed_tasks=0),
        "lifetimes": ((START - 30.0, None), (START + 20.0, START + 60.0)),
        "samples": (
            Sample(START - 5.0, workers=1, present=1),
            Sample(START + 30.0, workers=2, present=2, tasks_done=10, tasks_total=40),
            Sample(START + 110.0, workers=1, present=1),
        ),
        "targets": (Target(START - 2.0, 1), Target(START + 19.0, 2), Target(START + 55.0, 1)),
        "scale_outs": (START + 20.0,),
        "scale_ins": (START + 56.0, START + 130.0),
        "checkpoints": ("v1",),
    }
    return Run(**(fields | changed))
