"""What people are told of, through a real Airflow notifier."""

from __future__ import annotations

import pytest

CLUSTER = "test_cluster"

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]


def test_a_missing_champion_is_told_once_and_once_when_it_is_back(setup):
    def told():
        lines = setup.notices.read_text().splitlines() if setup.notices.exists() else []
        return [line for line in lines if line.startswith("model replaced")]

    def step():
        run_id, state = setup.run(clusters=[CLUSTER])
        assert state == "success"
        (event,) = setup.airflow.api.get(
            "/api/v2/assets/events",
            params={"source_dag_id": "kitwai_autoscale", "source_run_id": run_id},
        ).json()["asset_events"]
        return event["extra"].get("notices", [])

    step()
    before = told()
    champion = setup.models / "champion"
    named = champion.read_text()
    champion.unlink()
    try:
        (notice,) = step()
        assert (notice["event"], notice["state"]) == ("model replaced by fallback", "begins")
        assert step() == []
    finally:
        champion.write_text(named)
    (over,) = step()
    assert over["state"] == "over"
    assert told() == [
        *before,
        "model replaced by fallback begins in step.scale: ",
        "model replaced by fallback over in step.scale: ",
    ]
