"""`metrics.prometheus_text`: what is known of a cluster, and no zero for what is not known."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from builders import settings
from kitwai.core.decide.cluster import decide
from kitwai.metrics.prometheus_text import prometheus_text
from kitwai.store.store import Store
from stored_steps import SEEN, step


@pytest.fixture
def store(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'kitwai.db'}"
    monkeypatch.setenv("AIRFLOW__KITWAI__STORE", url)
    monkeypatch.setenv("AIRFLOW__KITWAI__CLUSTERS", "test")
    return Store(url)


def samples(text: str) -> dict[str, float]:
    found = re.findall(r"^(kitwai_\w+\{.*\}) (\S+)$", text, re.MULTILINE)
    assert len(found) == len([line for line in text.splitlines() if not line.startswith("#")])
    return {name: float(value) for name, value in found}


def test_the_text_holds_what_is_known_and_no_zero_for_the_rest(store):
    seen_id, _ = step(store, 1000.0)
    assert store.observation(seen_id) == SEEN
    text = prometheus_text(store, ["test", "never seen"])
    found = samples(text)
    app = 'cluster="test",application="app-say \\"hi\\"\\\\\\n",name="say \\"hi\\"\\\\\\n"'
    assert found['kitwai_workers{cluster="test",state="serving"}'] == 2
    assert found['kitwai_source_up{cluster="test",source="pool"}'] == 0
    assert found['kitwai_cpu_share{cluster="test",mode="user"}'] == 0.25
    assert found[f"kitwai_application_limit_seconds{{{app}}}"] == 300
    assert found[f'kitwai_application_tasks{{{app},state="complete"}}'] == 10
    assert found[f'kitwai_driver_log_lines_total{{{app},logger="MemoryStore"}}'] == 3
    assert found[f'kitwai_driver_log_memory_bytes_total{{{app},use="action"}}'] == 1536.5
    target = decide(SEEN, settings()).target
    assert found['kitwai_target_workers{cluster="test",mode="auto"}'] == target
    assert not any("system" in name or "memory_share" in name for name in found)
    assert not any("transformation" in name or "never seen" in name for name in found)
    # Every family is named once, before its samples.
    families = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(families) == len(set(families))


def test_a_cluster_that_gave_no_answer_has_no_counts(store):
    store.add_observation(replace(SEEN, workers=None, pool=None, applications=None, host=None))
    found = samples(prometheus_text(store, ["test"]))
    assert set(found) == {
        'kitwai_observation_timestamp_seconds{cluster="test"}',
        'kitwai_source_up{cluster="test",source="master"}',
        'kitwai_source_up{cluster="test",source="pool"}',
    }
