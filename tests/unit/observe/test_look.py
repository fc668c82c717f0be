"""`observe.look` against a real HTTP server that plays a master and twenty drivers."""

from __future__ import annotations

import json
import threading
import time

import pytest

import builders
import http_server
from kitwai.core.decide.cluster import decide
from kitwai.core.records.observation import HostMetrics, Told
from kitwai.errors import PoolError, SourceError
from kitwai.observe.look import Sources, observe
from kitwai.observe.metrics.source import Node
from kitwai.observe.spark_tasks import TASKS_OF_A_LOOK
from kitwai_lab.bench.masters import Load, SimulatedMasters
from played_cluster import (
    ENOUGH_S,
    PAST,
    WORKERS,
    Cluster,
    Pool,
    errors,
    look,
    read_metrics,
    recorded,
)


def test_a_healthy_cluster():
    with http_server.serve(Cluster(["app-1", "app-2"])) as url:
        observation = look(url)
    assert errors(observation) == {}
    assert [part.name for part in observation.parts] == [
        "master",
        "applications",
        "pool",
        "host",
        "driver addresses",
        "driver app-1",
        "driver app-2",
    ]
    assert all(0.0 <= part.age_s < ENOUGH_S for part in observation.parts)
    assert observation.at == pytest.approx(time.time(), abs=ENOUGH_S)
    assert (observation.cluster, observation.past) == ("spark", PAST)
    assert observation.pool == WORKERS
    assert observation.present == 2
    assert observation.host == HostMetrics(0.5, 0.1, 1.0, 2.0, 0.3)
    one, two = observation.applications
    assert (one.id, one.name, one.elapsed_s) == ("app-1", "name of app-1", 36.958)
    assert (one.limit_s, one.max_workers, one.error) == (180.0, 4, None)
    assert (one.jobs, len(one.stages)) == (len(json.loads(recorded("jobs.json"))), 6)
    assert one.stages[-1].began_s == pytest.approx(33.522, abs=1e-3)
    assert one.inputs == {}
    assert {executor.host for executor in two.executors} == {"127.0.7.2", "127.0.7.3"}


@pytest.mark.slow
def test_twenty_applications_of_which_five_hang_and_five_answer_garbage():
    ids = [f"app-{number:02}" for number in range(20)]
    garbage = [
        http_server.answers(b"<html>"),
        http_server.answers(b"[" * 100_000),
        http_server.answers(b'[{"id": NaN}]'),
        http_server.streams_for_ever,
        http_server.answers(b"", "302 Found", ("Location: http://127.0.0.1:1/",)),
    ]
    faulty = {f"/driver/{one}/": http_server.hangs for one in ids[:4]}
    faulty[f"/driver/{ids[4]}/"] = http_server.drips
    faulty |= {f"/driver/{one}/": bad for one, bad in zip(ids[5:10], garbage, strict=True)}

    async def metrics_down() -> tuple[Node, ...]:
        raise SourceError("The metrics are down.")

    with http_server.serve(Cluster(ids, faulty)) as url:
        started = time.monotonic()
        observation = look(url, timeout_s=4.0, sources=Sources(metrics_down))
        took = time.monotonic() - started
    with http_server.serve(Cluster(ids[10:])) as url:
        without = look(url)
    assert took < ENOUGH_S
    assert set(errors(observation)) == {"host", *(f"driver {one}" for one in ids[:10])}
    assert errors(observation)["host"] == "The metrics are down."
    assert "no complete answer" in errors(observation)["driver app-00"]
    assert "no complete answer" in errors(observation)["driver app-04"]
    assert "did not answer as expected" in errors(observation)["driver app-06"]
    for application in observation.applications[:10]:
        assert application.error == errors(observation)[f"driver {application.id}"]
        assert application.executors is application.stages is None
        assert (application.cores, application.elapsed_s) == (4, 35.281)  # as the master says
    assert observation.applications[10:] == without.applications
    assert observation.workers == without.workers
    assert observation.host is None
    decision, alone = (decide(one, builders.settings(40)) for one in (observation, without))
    assert decision.applications[10:] == alone.applications
    assert all(one.predicted_finish_s for one in alone.applications)
    assert all("is held at" in one.reason for one in decision.applications[:10])


def test_drivers_logs_are_read_on_from_the_look_before(tmp_path):
    line = "26/01/01 10:00:00 INFO DAGScheduler: Submitting\n"
    log = tmp_path / "app-1.log"
    log.write_text(3 * line)
    (tmp_path / "app-2.log").mkdir()
    sources = Sources(read_metrics, driver_log=f"{tmp_path}/{{id}}.log")
    with http_server.serve(Cluster(["app-1", "app-2", "../app-1"])) as url:
        first = look(url, sources=sources)
        log.write_text(5 * line)
        second = look(url, sources=sources, previous=first)
        log.unlink()
        third = look(url, sources=sources, previous=second)
    assert [one.applications[0].log.lines for one in (first, second, third)] == [3, 5, 5]
    assert second.applications[0].log.features["DAGScheduler"] == 5
    assert [one.applications[0].log.complete for one in (first, second, third)] == [
        True,
        True,
        False,
    ]
    assert first.applications[1].log is first.applications[2].log is None
    assert "log app-1" not in errors(second)
    assert "No such file" in errors(third)["log app-1"]
    assert "Is a directory" in errors(first)["log app-2"]
    assert "cannot be part of a log's name" in errors(first)["log ../app-1"]


def test_tasks_are_read_on_from_the_look_before():
    cluster = Cluster(["a"])
    with http_server.serve(cluster) as url:
        first = look(url)
        asked = len(cluster.lists_asked)
        second = look(url, previous=first)
    (one,), (two,) = first.applications, second.applications
    assert {stage.told for stage in one.stages if stage.complete} == {Told.TASKS}
    # Only the running stage is asked about again.
    assert (asked, len(cluster.lists_asked)) == (6, 7)
    assert "/stages/8/0/taskList?offset=0" in cluster.lists_asked[-1]
    assert [stage.ran for stage in two.stages] == [stage.ran for stage in one.stages]
    assert all(sum(ran.tasks for ran in stage.ran) == stage.complete for stage in two.stages)
    (running,) = (stage for stage in two.stages if stage.active)
    assert running.running_s > 0.0
    assert set(two.warm_s) == {"0", "1"}
    assert two.served[-1] == (36.958, 2)


@pytest.mark.parametrize(
    "bad",
    [
        http_server.answers(b"no", "404 Not Found"),
        http_server.answers(b'[{"taskId": -1}]'),
        http_server.answers(b"[" * 100_000),
        http_server.streams_for_ever,
        http_server.resets,
    ],
)
def test_lists_of_tasks_that_give_no_sense_are_named_and_the_rest_is_kept(bad):
    prefix = "/driver/a/api/v1/applications/a/stages/"
    with http_server.serve(Cluster(["a"], {prefix: bad})) as url:
        observation = look(url)
    with http_server.serve(Cluster(["a"])) as url:
        sound = look(url)
    assert set(errors(observation)) == {"tasks a"}
    assert errors(observation)["tasks a"].count(f"{prefix}8/0/taskList") == 1
    assert len(errors(observation)["tasks a"]) < 1000
    (one,), (other,) = observation.applications, sound.applications
    assert {stage.told for stage in one.stages} == {Told.SUM}
    assert [(stage.id, stage.complete, stage.run_ms) for stage in one.stages] == [
        (stage.id, stage.complete, stage.run_ms) for stage in other.stages
    ]
    assert (one.executors, one.limit_s, one.error) == (other.executors, other.limit_s, None)
    assert decide(observation, builders.settings()).applications[0].predicted_finish_s


def test_a_driver_that_hangs_over_a_list_of_tasks_is_read_in_time():
    bad = {"/driver/a/api/v1/applications/a/stages/": http_server.hangs}
    with http_server.serve(Cluster(["a"], bad)) as url:
        started = time.monotonic()
        observation = look(url, timeout_s=4.0)
        took_s = time.monotonic() - started
    assert took_s < ENOUGH_S
    assert set(errors(observation)) == {"tasks a"}
    assert "no complete answer" in errors(observation)["tasks a"]
    assert len(observation.applications[0].stages) == 6


def test_applications_share_the_tasks_that_a_look_reads():
    done = [0]
    load = Load(applications=40, tasks=9_000, done=lambda: done[0])
    share = TASKS_OF_A_LOOK // 40
    with SimulatedMasters(1, load) as masters:
        (port,) = masters.ports
        seen, told = None, []
        for new in (share // 2, share // 2, share + 1):
            done[0] += new
            seen = look(f"http://127.0.0.1:{port}", previous=seen, timeout_s=30.0)
            told.append({one.stages[0].told for one in seen.applications})
            assert "tasks" not in str(errors(seen))
    assert told == [{Told.TASKS}, {Told.TASKS}, {Told.QUANTILES}]


def test_the_metrics_of_a_cluster_of_nodes():
    async def read_nodes() -> tuple[Node, ...]:
        return (
            Node(frozenset({"127.0.7.2"}), HostMetrics(0.5, 0.1, 1.0, 2.0, 0.3)),
            Node(frozenset({"elsewhere"}), HostMetrics(0.1, 0.1, 3.0, 4.0, 0.1)),
        )

    with http_server.serve(Cluster([])) as url:
        named = look(url, sources=Sources(read_nodes, "elsewhere"))
        unnamed = look(url, sources=Sources(read_nodes, "spark-master"))
    assert named.host == HostMetrics(0.5, 0.1, 3.0, 4.0, 0.3)
    assert errors(named) == {}
    assert unnamed.host == HostMetrics(0.5, 0.1, None, None, 0.3)
    assert "metrics_master" in errors(unnamed)["master's network"]


def test_sparks_own_metrics_are_made_of_two_looks():
    with http_server.serve(Cluster(["app-1"])) as url:
        ticks = iter(range(1000, 2000, 10))
        first = look(url, sources=Sources(None), now=lambda: float(next(ticks)))
        second = look(url, sources=Sources(None), previous=first, now=lambda: float(next(ticks)))
    assert first.host.cpu_user is None
    assert second.host.cpu_user == 0.0  # the recorded driver answered the same twice
    assert 0.0 <= second.host.memory < 1.0
    with http_server.serve(Cluster(["app-1"], {"/driver/app-1/": http_server.resets})) as url:
        broken = look(url, sources=Sources(None), previous=first)
    assert broken.host is None
    assert "from every driver" in errors(broken)["host"]


def test_a_master_that_is_down():
    with http_server.serve(http_server.hangs) as url:
        pass
    observation = look(url)
    assert (observation.workers, observation.applications, observation.present) == (None,) * 3
    assert observation.pool == WORKERS
    assert set(errors(observation)) == {"master", "applications", "driver addresses"}
    assert f"{url}/json/ cannot be connected to" in errors(observation)["master"]
    assert errors(observation)["applications"] == errors(observation)["master"]


@pytest.mark.parametrize(
    "handler", [http_server.hangs, http_server.drips, http_server.answers(b"hello")]
)
def test_a_master_that_gives_no_sense(handler):
    with http_server.serve(handler) as url:
        observation = look(url, timeout_s=1.0)
    assert observation.workers is observation.applications is None
    assert {"master", "applications"} <= set(errors(observation))


@pytest.mark.parametrize("url", ["", "spark://127.0.0.1:7077", "127.0.0.1:8080"])
def test_a_wrong_address_is_named_not_raised(url):
    observation = look(url)
    assert observation.workers is None
    assert "http://host:port" in errors(observation)["master"]


def test_applications_that_are_malformed_leave_the_workers():
    cluster = Cluster(["app-1"])
    cluster.master["activeapps"][0]["cores"] = None
    with http_server.serve(cluster) as url:
        observation = look(url)
    assert observation.present == 2
    assert observation.applications is None
    assert "activeapps.0.cores" in errors(observation)["applications"]


def test_no_application():
    with http_server.serve(Cluster([])) as url:
        observation = look(url)
    assert observation.applications == ()
    assert errors(observation) == {}


def test_a_driver_gone_between_list_and_read_is_left_out():
    cluster = Cluster(["app-1", "app-2", "app-3"], {"/driver/app-2/": http_server.resets})
    cluster.ended_after_list = {"app-1", "app-2"}
    with http_server.serve(cluster) as url:
        observation = look(url)
    # app-1 was read in time and is kept as it was.
    assert [one.id for one in observation.applications] == ["app-1", "app-3"]
    assert errors(observation) == {}


def test_a_driver_that_breaks_off_and_is_still_listed_is_an_error():
    with http_server.serve(Cluster(["a"], {"/driver/a/": http_server.resets})) as url:
        observation = look(url)
    assert "broke the connection off" in observation.applications[0].error


@pytest.mark.parametrize("path", ["", "/jobs", "/stages", "/executors", "/environment"])
def test_half_of_a_driver_is_not_used(path):
    """Without its environment, its own limit would be passed over in silence."""
    bad = http_server.answers(b"no", "404 Not Found")
    prefix = f"/driver/a/api/v1/applications/a{path}"
    cluster = Cluster(["a"], {prefix: bad})
    with http_server.serve(cluster) as url:
        (application,) = look(url).applications
    assert (application.executors, application.stages, application.limit_s) == (None,) * 3
    assert "status 404" in application.error


def test_an_application_without_a_web_interface():
    cluster = Cluster(["a"])
    page = http_server.response(recorded("master.html"))

    async def handle(path, writer):
        if path == "/":
            writer.write(page)  # links another application
        else:
            await cluster(path, writer)

    with http_server.serve(handle) as url:
        (application,) = look(url).applications
    assert "spark.ui.enabled" in application.error


def test_a_malformed_own_limit_is_seen_and_nothing_else_is_lost():
    cluster = Cluster(["a"])
    cluster.environment["sparkProperties"] = [
        ["spark.kitwai.timeLimit", "tomorrow"],
        ["spark.kitwai.maxWorkers", "3"],
    ]
    with http_server.serve(cluster) as url:
        observation = look(url)
    (application,) = observation.applications
    assert (application.limit_s, application.max_workers, application.error) == (None, 3, None)
    assert len(application.stages) == 6
    assert (
        "spark.kitwai.timeLimit is not used: 'tomorrow'"
        in errors(observation)["application a limit"]
    )


def test_what_an_application_announces_of_its_inputs():
    cluster = Cluster(["a"])
    cluster.environment["sparkProperties"] += [["spark.kitwai.inputs.size", "80"]]
    with http_server.serve(cluster) as url:
        (application,) = look(url).applications
    assert application.inputs == {"size": 80.0}


def fails():
    raise PoolError("The process table cannot be read.")


def breaks():
    raise RuntimeError("a bug of the pool")


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        (Pool(fails), "The process table cannot be read."),
        (Pool(breaks), "RuntimeError"),
        (Pool(lambda: threading.Event().wait(600)), "The pool gave no answer within"),
    ],
)
def test_a_pool_that_fails_or_hangs(pool, expected):
    with http_server.serve(Cluster(["a"])) as url:
        observation = look(url, pool, timeout_s=4.0)
    assert observation.pool is None
    assert expected in errors(observation)["pool"]
    assert set(errors(observation)) == {"pool"}


def test_a_cluster_without_a_pool():
    with http_server.serve(Cluster([])) as url:
        observation = observe("spark", url, None, PAST, timeout_s=ENOUGH_S)
    assert observation.pool is None
    assert "has no worker pool" in errors(observation)["pool"]
    assert observation.host.memory > 0  # the real source, psutil


def test_the_age_of_a_part_is_by_the_given_clock():
    ticks = iter(range(1000, 2000))
    with http_server.serve(Cluster([])) as url:
        observation = look(url, now=lambda: float(next(ticks)))
    assert {part.name: part.age_s for part in observation.parts}.keys() >= {"master", "pool"}
    assert all(1.0 <= part.age_s < 10.0 for part in observation.parts)


def test_credentials_of_the_master_appear_nowhere():
    with http_server.serve(http_server.answers(b"", "401 Unauthorized")) as url:
        observation = look(url.replace("http://", "http://user:geheim@"))
    assert "status 401" in errors(observation)["master"]
    assert "geheim" not in repr(observation)


def test_a_masters_page_that_hangs_costs_no_log(tmp_path):
    cluster = Cluster(["a"])
    (tmp_path / "a.log").write_text("26/01/01 10:00:00 INFO DAGScheduler: Submitting\n")

    async def handle(path, writer):
        await (http_server.hangs if path == "/" else cluster)(path, writer)

    with http_server.serve(handle) as url:
        sources = Sources(read_metrics, driver_log=f"{tmp_path}/{{id}}.log")
        seen = look(url, sources=sources, timeout_s=2.0)
    (application,) = seen.applications
    assert (application.log.lines, application.log.complete) == (1, True)
    assert "no complete answer" in application.error
    assert set(errors(seen)) == {"driver addresses", "driver a"}
