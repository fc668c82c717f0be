"""A Docker engine of the tests' own: its daemon, its base image, what is built on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import docker
import psutil

BASE = "kitwai-test-base:bookworm"
ENGINE_IMAGE = "kitwai-engine"
CACHE = Path(os.environ.get("KITWAI_TESTS_CACHE", "~/.cache/kitwai-tests")).expanduser()
"""Where test runs of every checkout keep what takes minutes to make."""

_START_S = 150.0
_TRUSTED = Path("/usr/local/share/ca-certificates")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")


class NoEngine(Exception):
    """This machine cannot run a Docker engine; the message says why."""


class DockerEngine:
    """A ``dockerd`` with its images under ``folder``, where the next test run finds them again.

    It leaves the machine's firewall, its routing and any other engine alone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # A socket's path may have 107 characters, and the daemon makes longer ones below this.
        self.run = Path(tempfile.mkdtemp(prefix="kw"))
        self.url = f"unix://{self.run}/docker.sock"
        self.log = folder / "dockerd.log"
        self._pid_file = folder / "dockerd.pid"
        self._daemon: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    def lock(self, *, wait: bool = False) -> bool:
        """Whether the folder is this run's: two daemons on one folder would destroy it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        self._end_orphan()
        # All networks were tests' own. One whose daemon was killed cannot be removed by the next.
        for left in ("network", "swarm"):
            shutil.rmtree(self.folder / "data" / left, ignore_errors=True)
        return True

    def start(self) -> None:
        """:raises NoEngine: there is none, or it does not come up."""
        if os.geteuid() != 0:
            raise NoEngine("dockerd needs root")
        if shutil.which("dockerd") is None:
            raise NoEngine("dockerd is not installed: apt-get install docker.io")
        if self._lock is None:
            self.lock(wait=True)
        command = ["dockerd", "--data-root", self.folder / "data", "--exec-root", self.run / "x"]
        command += ["--pidfile", self._pid_file, "--host", self.url, "--bridge=none"]
        command += ["--iptables=false", "--ip-forward=false", "--ip-masq=false"]
        with self.log.open("wb") as log:
            # In a session of its own: Ctrl-C is for the tests, which stop it in order.
            self._daemon = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        until = time.monotonic() + _START_S
        while not self._answers():
            if self._daemon.poll() is not None or time.monotonic() > until:
                self.stop()
                last = self.log.read_text(errors="replace").splitlines()[-1:]
                raise NoEngine(f"dockerd does not come up, its log ends: {''.join(last)}")
            time.sleep(0.2)

    def stop(self) -> None:
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(60)
            self._daemon = None

    def kill(self) -> None:
        """End it and its containers as a power cut would."""
        assert self._daemon is not None
        self._daemon.kill()
        self._daemon.wait(60)
        self._daemon = None
        own = str(self.run / "x")
        for process in [p for p in psutil.process_iter() if own in " ".join(_command(p))]:
            with contextlib.suppress(psutil.NoSuchProcess):
                for member in [process, *process.children(recursive=True)]:
                    member.kill()
        # After a power cut, what runs is found nowhere.
        _forget_networks(self.run)
        shutil.rmtree(self.run / "x" / "containerd", ignore_errors=True)
        self._pid_file.unlink(missing_ok=True)

    def close(self) -> None:
        """Stop it and let the next test run have its folder."""
        self.stop()
        _forget_networks(self.run)
        # One that was killed leaves its folder mounted on itself, so that `make clean` could not
        # remove it.
        subprocess.run(["umount", self.folder / "data"], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.run, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()

    def _end_orphan(self) -> None:
        """End the daemon of a test run that was killed: it still has the folder."""
        with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
            orphan = psutil.Process(int(self._pid_file.read_text()))
            command = orphan.cmdline()
            if str(self.folder / "data") in command:
                orphan.terminate()
                orphan.wait(60)
                _forget_networks(Path(command[command.index("--exec-root") + 1]).parent)

    def _answers(self) -> bool:
        try:
            return docker.APIClient(self.url, timeout=5).ping()
        except docker.errors.DockerException:
            return False


def _forget_networks(run: Path) -> None:
    """Let go of the network namespaces that a daemon leaves mounted: the VXLAN devices in them
    would be in the way of the next Swarm.
    """
    for namespace in (run / "x" / "netns").glob("*"):
        subprocess.run(["umount", namespace], stderr=subprocess.DEVNULL, check=False)


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def remove_leftovers(client: docker.APIClient) -> None:
    """What a killed test run left: all containers, networks and volumes here are tests'."""
    leave_swarm(client)
    for container in client.containers(all=True, quiet=True):
        # Swarm may be quicker.
        with contextlib.suppress(docker.errors.NotFound):
            client.remove_container(container["Id"], v=True, force=True)
    client.prune_networks()
    client.prune_volumes()


def leave_swarm(client: docker.APIClient) -> None:
    """End this engine's Swarm, and with it its services, their containers and its networks."""
    if client.info()["Swarm"]["LocalNodeState"] != "inactive":
        client.leave_swarm(force=True)
    # The engine makes this bridge for every Swarm and leaves it behind.
    with contextlib.suppress(docker.errors.NotFound):
        client.remove_network("docker_gwbridge")


def import_base(client: docker.APIClient, folder: Path) -> None:
    """Make the base image, Debian as this machine gets it: no registry is asked."""
    if client.images(BASE):
        return
    if shutil.which("debootstrap") is None:
        raise NoEngine("debootstrap is not installed: apt-get install debootstrap")
    archive = folder / "base.tar"
    with tempfile.TemporaryDirectory(prefix="kw", dir=folder) as made:
        root = Path(made) / "root"
        subprocess.run(
            ["debootstrap", "--variant=minbase", "bookworm", root, _mirror()],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        if _TRUSTED.is_dir():
            # Where this machine has a certificate authority of its own, PyPI is behind it.
            shutil.copytree(_TRUSTED, root / _TRUSTED.relative_to("/"), dirs_exist_ok=True)
        with tarfile.open(archive, "w") as tar:
            tar.add(root, arcname=".")
    repository, _, tag = BASE.partition(":")
    client.import_image(src=str(archive), repository=repository, tag=tag)
    archive.unlink()


def build(
    client: docker.APIClient,
    folder: Path,
    tag: str,
    dockerfile: str | None = None,
    *,
    stage: str | None = None,
) -> None:
    """Build the Dockerfile in ``folder``; steps that were built before cost nothing.

    :param stage: its slow first stage. It gets a tag too, by which later runs find it.
    """
    if stage is not None:
        _build(client, folder, f"{tag}-{stage}", dockerfile, stage)
    _build(client, folder, tag, dockerfile, None)


def _build(
    client: docker.APIClient, folder: Path, tag: str, dockerfile: str | None, target: str | None
) -> None:
    proxies = {name: os.environ[name] for name in _PROXIES if name in os.environ}
    said = []
    for line in client.build(
        path=str(folder),
        dockerfile=dockerfile,
        tag=tag,
        target=target,
        buildargs={"BASE": BASE, **proxies},
        network_mode="host",
        rm=True,
        decode=True,
    ):
        said.append(line.get("stream") or line.get("error") or "")
        if "error" in line:
            raise RuntimeError(f"{folder} does not build:\n{''.join(said[-40:])}")


@contextlib.contextmanager
def forwarded(bridge: str) -> Iterator[None]:
    """Let containers on ``bridge`` talk to one another where the machine's firewall would not.

    Another engine on this machine, also one that ran before, leaves it that way.
    """
    rule = ["FORWARD", "-i", bridge, "-o", bridge, "-j", "ACCEPT"]
    if shutil.which("iptables") is None:
        yield
        return
    # A test run that was killed left it there.
    subprocess.run(["iptables", "-w", "-D", *rule], stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["iptables", "-w", "-I", *rule], check=True)
    try:
        yield
    finally:
        subprocess.run(["iptables", "-w", "-D", *rule], check=True)


def _mirror() -> str:
    """Where this machine gets Debian from."""
    targets = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    chosen = ["Codename: bookworm", "Created-By: Packages"]
    answer = subprocess.run([*targets, *chosen], capture_output=True, text=True, check=False)
    return next(iter(answer.stdout.split()), "http://deb.debian.org/debian")
