"""gmond, gmetad, node-exporter with Prometheus, and psutil on one machine, under one load.

The daemons are Debian's, on free ports and with their own files; the network is a pair of virtual
interfaces, because what goes over loopback is counted by none of them.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import fmean

import psutil
import pytest

from kitwai.core.records.observation import HostMetrics
from kitwai.errors import SourceError
from kitwai.observe.metrics.ganglia import read_ganglia
from kitwai.observe.metrics.host import read_nodes
from kitwai.observe.metrics.prometheus import read_prometheus
from kitwai.observe.metrics.source import over_cluster
from kitwai.pools.processes import free_port

DAEMONS = ("gmond", "gmetad", "prometheus", "prometheus-node-exporter")
WINDOW_S = 10
NAMES = ("cpu_user", "cpu_system", "net_in", "net_out")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(shutil.which(name) for name in DAEMONS),
        reason="needs ganglia-monitor, gmetad, prometheus and prometheus-node-exporter",
    ),
    pytest.mark.skipif(os.geteuid() != 0, reason="virtual interfaces need root"),
]

# Something of user time, something of the kernel's, and a pause, over and over.
CPU_LOAD = """
import os, time
zero = os.open("/dev/zero", os.O_RDONLY)
while True:
    until = time.perf_counter() + 0.006
    while time.perf_counter() < until:
        sum(range(500))
    until = time.perf_counter() + 0.003
    while time.perf_counter() < until:
        os.read(zero, 1 << 16)
    time.sleep(0.009)
"""

# Sends RATE bytes a second to where it is told, and throws away what it is sent.
NETWORK_LOAD = """
import socket, sys, time
here, there, rate = sys.argv[1], sys.argv[2], float(sys.argv[3])
end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end.bind((here, 9999))
end.setblocking(False)
began, sent = time.monotonic(), 0
while True:
    while sent < (time.monotonic() - began) * rate:
        try:
            end.sendto(b"x" * 1000, (there, 9999))
        except BlockingIOError:
            pass
        sent += 1000
    try:
        while True:
            end.recv(2000)
    except BlockingIOError:
        time.sleep(0.01)
"""

GMOND = """
globals {{ daemonize = no  setuid = no  host_dmax = 0  send_metadata_interval = 1 }}
cluster {{ name = "kitwai" }}
host {{ location = "here" }}
udp_send_channel {{ host = 127.0.0.1  port = {port} }}
udp_recv_channel {{ bind = 127.0.0.1  port = {port} }}
tcp_accept_channel {{ bind = 127.0.0.1  port = {port} }}
modules {{
  module {{ name = "core_metrics" }}
  module {{ name = "cpu_module"  path = "{modules}/modcpu.so" }}
  module {{ name = "mem_module"  path = "{modules}/modmem.so" }}
  module {{ name = "net_module"  path = "{modules}/modnet.so" }}
}}
collection_group {{
  collect_every = 1
  time_threshold = 1
  {metrics}
}}
"""
GMOND_METRICS = (
    *("cpu_num", "cpu_user", "cpu_nice", "cpu_system", "bytes_in", "bytes_out"),
    *("mem_total", "mem_free", "mem_buffers", "mem_cached"),
)

GMETAD = """
data_source "kitwai" 1 127.0.0.1:{gmond}
xml_port {xml}
interactive_port {interactive}
rrd_rootdir "{rrds}"
setuid off
"""

PROMETHEUS = """
global: {{ scrape_interval: 1s, scrape_timeout: 1s }}
scrape_configs:
  - job_name: node
    static_configs: [{{ targets: ["127.0.0.1:{exporter}"] }}]
"""


@contextmanager
def process(folder: Path, *command: str) -> Iterator[None]:
    with (folder / f"{Path(command[0]).name}.out").open("ab") as out:
        started = subprocess.Popen(command, stdout=out, stderr=out, cwd=folder)
        try:
            yield
        finally:
            started.terminate()
            try:
                started.wait(timeout=10)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()


@contextmanager
def second_network(name: str) -> Iterator[str]:
    """A network namespace at 10.213.87.2, which this one, at 10.213.87.1, is wired to."""
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True)
    if made.returncode:
        pytest.skip(f"no network namespaces here: {made.stderr.decode().strip()}")
    try:
        for command in (
            f"ip link add {name}0 type veth peer name {name}1 netns {name}",
            f"ip address add 10.213.87.1/30 dev {name}0",
            f"ip link set {name}0 up",
            f"ip -n {name} address add 10.213.87.2/30 dev {name}1",
            f"ip -n {name} link set {name}1 up",
        ):
            subprocess.run(command.split(), check=True, capture_output=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], capture_output=True)


@pytest.fixture
def sources(tmp_path):
    """What is measured while the load runs: by source, a function that gives the nodes."""
    ports = [free_port() for _ in range(5)]
    gmond, xml, interactive, exporter, prometheus = ports
    modules = next(Path("/usr/lib").glob("**/ganglia/modcpu.so")).parent
    metrics = "\n  ".join(f'metric {{ name = "{name}" }}' for name in GMOND_METRICS)
    (tmp_path / "gmond.conf").write_text(GMOND.format(port=gmond, modules=modules, metrics=metrics))
    (tmp_path / "rrds").mkdir()
    (tmp_path / "gmetad.conf").write_text(
        GMETAD.format(gmond=gmond, xml=xml, interactive=interactive, rrds=tmp_path / "rrds")
    )
    (tmp_path / "prometheus.yml").write_text(PROMETHEUS.format(exporter=exporter))
    (tmp_path / "cpu.py").write_text(CPU_LOAD)
    (tmp_path / "network.py").write_text(NETWORK_LOAD)
    name = f"kw{os.getpid() % 100000}"
    here, there, send = "10.213.87.1", "10.213.87.2", str(tmp_path / "network.py")
    with ExitStack() as stack:
        stack.enter_context(second_network(name))
        inside = ("ip", "netns", "exec", name)
        for command in (
            (sys.executable, str(tmp_path / "cpu.py")),
            (sys.executable, send, here, there, "2000000"),
            (*inside, sys.executable, send, there, here, "1000000"),
            ("gmond", "-f", "-c", str(tmp_path / "gmond.conf")),
            ("prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{exporter}",
             "--collector.disable-defaults", "--collector.cpu", "--collector.meminfo",
             "--collector.netdev"),
            ("prometheus", f"--config.file={tmp_path / 'prometheus.yml'}",
             f"--storage.tsdb.path={tmp_path / 'tsdb'}",
             f"--web.listen-address=127.0.0.1:{prometheus}"),
        ):  # fmt: skip
            stack.enter_context(process(tmp_path, *command))
        wait_for(lambda: read_ganglia("127.0.0.1", gmond))
        stack.enter_context(
            process(tmp_path, "gmetad", "-d", "1", "-c", str(tmp_path / "gmetad.conf"))
        )
        yield {
            "gmond": lambda: read_ganglia("127.0.0.1", gmond),
            "gmetad": lambda: read_ganglia("127.0.0.1", xml, cluster="kitwai"),
            "prometheus": lambda: read_prometheus(
                f"http://127.0.0.1:{prometheus}", matcher='job="node"', window_s=WINDOW_S
            ),
        }


def metrics_of(nodes) -> HostMetrics:
    return over_cluster(nodes, ["127.0.0.1"], "127.0.0.1")


def wait_for(read, timeout_s: float = 60.0) -> None:
    """Until a source tells every metric."""
    until = time.monotonic() + timeout_s
    while True:
        try:
            found = metrics_of(asyncio.run(read()))
            if None not in (getattr(found, name) for name in (*NAMES, "memory")):
                return
            fault: object = found
        except SourceError as error:
            fault = error
        assert time.monotonic() < until, fault
        time.sleep(0.5)


async def measure(sources) -> dict[str, HostMetrics]:
    """Every source over the same seconds: psutil and Prometheus in one go, Ganglia second by
    second, because it tells the rates of its last one alone.
    """
    by_psutil = asyncio.create_task(read_nodes(float(WINDOW_S)))
    seen: dict[str, list[HostMetrics]] = {"gmond": [], "gmetad": []}
    for _ in range(WINDOW_S):
        await asyncio.sleep(1.0)
        for name, samples in seen.items():
            samples.append(metrics_of(await sources[name]()))
    found = {
        name: HostMetrics(*(fmean(getattr(one, field) for one in samples) for field in NAMES))
        for name, samples in seen.items()
    }
    found["psutil"] = metrics_of(await by_psutil)
    found["prometheus"] = metrics_of(await sources["prometheus"]())
    return found


@pytest.mark.alone
@pytest.mark.timeout(300)
def test_four_sources_agree_under_one_load(sources):
    for read in sources.values():
        wait_for(read)
    time.sleep(WINDOW_S)  # Prometheus rates over this long
    found = asyncio.run(measure(sources))
    assert found["psutil"].net_out > 1_900_000
    assert found["psutil"].net_in > 900_000
    for one in found.values():
        for name in ("cpu_user", "cpu_system"):
            assert getattr(one, name) == pytest.approx(getattr(found["psutil"], name), abs=0.05)
        for name in ("net_in", "net_out"):
            assert getattr(one, name) == pytest.approx(getattr(found["psutil"], name), rel=0.1)
    assert psutil.cpu_count() == asyncio.run(sources["gmond"]())[0].cores
