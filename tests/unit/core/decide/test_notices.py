"""What people are told of, once when it begins and once when it is over, through real notifiers."""

from __future__ import annotations

import dataclasses
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from airflow.sdk import BaseNotifier
from airflow.sdk.exceptions import AirflowSkipException

from builders import application, observation, pool_worker, settings, stage, worker
from kitwai.actions.scale import scaling_notices
from kitwai.core.decide.cluster import decide
from kitwai.core.decide.notices import Notice, of_decision, of_scalings
from kitwai.core.records.observation import Part
from kitwai.notifiers import send as sending
from kitwai.notifiers.send import send
from kitwai.operators.training import PromoteOperator
from kitwai.store.store import Store
from scaling_rows import add_scaling

SMALL = application(stage(tasks=40, complete=20), limit_s=300.0)
LATE = application(stage(tasks=4000, complete=40), limit_s=40.0)
NOTICE = Notice("pool failing", "begins", "prod", "scaling", "No {{ room }}.", 1000.0)


def told(*looks, of=None):
    """Events and states that a series of looks leads to."""
    of = of or settings()
    found, earlier, before = [], [], None
    for seen in looks:
        made = decide(seen, of)
        found.append([(n.event, n.state) for n in of_decision(made, seen, earlier, before)])
        earlier, before = [made, *earlier], seen
    return found


def test_a_limit_in_danger_is_told_when_it_begins_and_when_it_is_over():
    danger, over = ("limit in danger", "begins"), ("limit in danger", "over")
    looks = [observation(2, one) for one in (SMALL, LATE, LATE)] + [observation(2)]
    assert told(*looks) == [[], [danger], [], [over]]


def test_a_look_without_an_answer_neither_ends_nor_begins_anything():
    blind = observation(2, applications=None, parts=(Part("applications", error="It hangs."),))
    late = observation(2, LATE)
    assert told(late, blind, blind, late) == [[("limit in danger", "begins")], [], [], []]


def test_what_only_a_person_can_change_is_in_danger_at_the_present_count():
    busy = observation(1, application(stage(tasks=400, complete=40), limit_s=300.0))
    made = decide(busy, settings())
    finish = made.applications[0].predicted_finish_s
    assert finish[made.target - 1] < 300.0 < finish[0]
    assert told(busy) == [[]]
    assert told(busy, of=settings(mode="suggest")) == [[("limit in danger", "begins")]]


def test_the_fallback_of_the_model():
    seen = observation(2, SMALL)
    good = decide(seen, settings())
    bad = decide(seen, settings(), no_policy_reason="It is altered.")
    (begun,) = of_decision(bad, seen, [good], seen)
    assert (begun.event, begun.state) == ("model replaced by fallback", "begins")
    assert "It is altered" in begun.text
    assert of_decision(bad, seen, [bad], seen) == []
    (over,) = of_decision(good, seen, [bad], seen)
    assert over.state == "over"


def test_a_pool_that_fails():
    dead = observation(2, pool=None, parts=(Part("pool", error="No engine."),))
    well = observation(2)
    assert told(well, dead, dead, well) == [
        [],
        [("pool failing", "begins")],
        [],
        [("pool failing", "over")],
    ]
    assert of_scalings("prod", 1.0, [], None) == []
    assert [n.state for n in of_scalings("prod", 1.0, ["full"], [])] == ["begins"]
    assert of_scalings("prod", 1.0, ["full"], ["full again"]) == []
    assert [n.state for n in of_scalings("prod", 1.0, [], ["full"])] == ["over"]


def test_a_worker_that_does_not_register():
    begins, over = ("pool failing", "begins"), ("pool failing", "over")
    well = observation(2)
    missing = observation(2, workers=(worker(0),))
    new = replace(pool_worker(1), started_at=990.0)
    starts = observation(2, workers=(worker(0),), pool=(pool_worker(0), new))
    blind = observation(2, workers=None)
    assert told(starts, well, missing, missing, well) == [[], [], [begins], [], [over]]
    assert told(missing, blind) == [[begins], []]
    (notice,) = of_decision(decide(missing, settings()), missing, [], None)
    assert "the master does not list worker-1" in notice.text


def test_scalings_are_compared_as_the_store_has_them(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 's.db'}")
    assert scaling_notices(store, "prod", 1.0) == []
    for failed, settled, states in (
        (["full"], False, ["begins"]),
        (["full"], False, []),
        ([], False, []),  # it goes on in the next step, where the fault may come again
        (["full"], False, []),
        ([], True, ["over"]),
        ([], True, []),
        ([], False, []),
    ):
        body = {"failed": failed, "settled": settled}
        add_scaling(store, "prod", 3, 0.5, ended_at=0.9, body=body)
        add_scaling(store, "prod", 3, 0.9)  # a killed scaling says nothing
        assert [one.state for one in scaling_notices(store, "prod", 1.0)] == states


class ToFile(BaseNotifier):
    """A notifier as a provider ships them: a templated message, here to a file."""

    template_fields = ("message",)

    def __init__(self, path, message="{{ kitwai.event }} {{ kitwai.state }}: {{ kitwai.text }}"):
        super().__init__()
        self.path, self.message = path, message

    def notify(self, context):
        with self.path.open("a") as file:
            file.write(self.message + "\n")


class Failing(BaseNotifier):
    def notify(self, context):
        raise RuntimeError("no mail server")


class Hanging(BaseNotifier):
    def notify(self, context):
        time.sleep(30)


@pytest.fixture
def named(monkeypatch):
    """Makes things findable as a user's module and names them in the configuration."""

    def name(**things):
        module = type(sys)("a_users_notifiers")
        for key, thing in things.items():
            setattr(module, key, thing)
        monkeypatch.setitem(sys.modules, "a_users_notifiers", module)
        paths = ", ".join(f"a_users_notifiers:{key}" for key in things)
        monkeypatch.setenv("AIRFLOW__KITWAI__NOTIFIERS", paths)

    return name


def test_each_way_to_name_notifiers_reaches_them(named, tmp_path):
    files = [tmp_path / name for name in ("one", "made", "first", "second")]
    named(
        one=ToFile(files[0]),
        made=lambda: ToFile(files[1]),
        several=lambda: [ToFile(files[2]), ToFile(files[3], "cluster {{ kitwai.cluster }}")],
    )
    over = dataclasses.replace(NOTICE, state="over")
    send([NOTICE, over], {"params": {}})
    # Twice with the same object: each notice is rendered afresh, and its text is no template.
    lines = "pool failing begins: No {{ room }}.\npool failing over: No {{ room }}.\n"
    assert [file.read_text() for file in files[:3]] == [lines] * 3
    assert files[3].read_text() == "cluster prod\n" * 2


def test_a_notifier_that_fails_or_hangs_fails_nothing(named, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(sending, "TIMEOUT_S", 0.2)
    file = tmp_path / "last"
    named(fails=Failing, hangs=Hanging, wrong=lambda: ["no notifier"], last=lambda: ToFile(file))
    monkeypatch.setenv(
        "AIRFLOW__KITWAI__NOTIFIERS",
        "nowhere:x, nonsense, a_users_notifiers:fails, a_users_notifiers:hangs, "
        "a_users_notifiers:wrong, a_users_notifiers:absent, a_users_notifiers:last",
    )
    send([NOTICE], {})
    assert file.read_text().startswith("pool failing begins")
    for words in ("nowhere", "no mail server", "no end after", "gave str", "absent"):
        assert words in caplog.text


def test_without_notifiers_it_is_only_logged(monkeypatch, caplog):
    monkeypatch.delenv("AIRFLOW__KITWAI__NOTIFIERS", raising=False)
    with caplog.at_level("INFO"):
        send([replace(NOTICE, text="Full.")], {})
    assert "pool failing begins: Full." in caplog.text


def test_a_refused_version_is_told(named, tmp_path, monkeypatch):
    file = tmp_path / "told"
    named(one=ToFile(file))
    monkeypatch.setenv("AIRFLOW__KITWAI__STORE", f"sqlite:///{tmp_path / 's.db'}")
    judged = {"version": "v2", "champion": "v1", "passed": False, "reason": "It is dearer."}
    task = PromoteOperator(task_id="promote", judged=judged)
    with pytest.raises(AirflowSkipException):
        task.work({"dag_run": SimpleNamespace(dag_id="kitwai_train", run_id="r")})
    assert file.read_text() == "gate refused once: The champion stays v1. v2: It is dearer.\n"
    # The champion judged against itself is no refusal.
    task = PromoteOperator(task_id="promote", judged={**judged, "version": "v1"})
    with pytest.raises(AirflowSkipException):
        task.work({"dag_run": SimpleNamespace(dag_id="kitwai_train", run_id="s")})
    assert file.read_text().count("\n") == 1
