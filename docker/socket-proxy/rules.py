"""What may be asked of a Docker engine by Kitwai's pool of workers. Pure: no I/O.

Whoever may ask an engine anything is root on its machine. Here one may, of the containers that bear
the label ``kitwai.pool``, list, look at, start, stop and remove them, read their logs, send them
the signal to decommission, and leave one of two small files in them; and create them: of one image,
in one network, with limits, without capabilities, as a Spark worker. A request is never handed on
as it came: its path, its query and its body are made anew from what was checked, so that the engine
cannot read in it what was not seen here.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

POOL_LABEL = "kitwai.pool"
LABELS = {POOL_LABEL, "kitwai.worker"}
WORKER_CLASS = "org.apache.spark.deploy.worker.Worker"
# Inside a worker's container: what says since when it drains, and what holds its cluster's secret.
MARK = ("/tmp", "kitwai-draining")  # noqa: S108
AUTH = ("/", "var/lib/spark/kitwai-auth.conf")
MOST_IN_FILE = 4096

_NAME = "[A-Za-z0-9][A-Za-z0-9_.-]{0,127}"
_ENVIRONMENT = re.compile("_?SPARK_[A-Z_]{1,60}=.{0,8192}", re.DOTALL)


class Refused(Exception):
    """The request is not one of the pool's; the message says what is wrong with it."""


@dataclass(frozen=True)
class Bounds:
    """What every worker has to have: its image, and the network it is in."""

    image: str
    network: str


Body = Callable[[bytes, Bounds], bytes]


def _no_body(body: bytes, bounds: Bounds) -> bytes:
    if body:
        raise Refused("this request takes no body")
    return b""


def small_file(body: bytes, bounds: Bounds) -> bytes:
    """A tar archive of one of the two files, made anew from ``body``.

    :raises Refused: it is of other files, of links, or too large.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(body), mode="r:") as asked:
            entries = asked.getmembers()
            entry = entries[0] if len(entries) == 1 else None
            if entry is None or not entry.isreg() or entry.size > MOST_IN_FILE:
                raise Refused("the archive must be of one small file")
            file = asked.extractfile(entry)
            data = file.read() if file else b""
    except (tarfile.TarError, ValueError):
        raise Refused("the body is no tar archive") from None
    if entry.name not in (MARK[1], AUTH[1]):
        raise Refused("workers have no such file")
    made = tarfile.TarInfo(entry.name)
    made.size, made.mode, made.mtime = len(data), entry.mode & 0o444, entry.mtime
    made.uid, made.gid = max(0, entry.uid), max(0, entry.gid)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(made, io.BytesIO(data))
    return packed.getvalue()


def worker_container(body: bytes, bounds: Bounds) -> bytes:
    """The description of a worker's container, made anew from ``body`` (JSON, as for the engine).

    :raises Refused: it is of something else, or asks for more than a worker has.
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("the body is no JSON") from None
    fields = _Fields(asked, "")
    host = _Fields(fields.take("HostConfig"), "HostConfig.")
    memory = host.number("Memory")
    made = {
        "Image": fields.the("Image", bounds.image),
        "Hostname": fields.text("Hostname", _NAME),
        "Labels": _labels(fields.take("Labels")),
        "Cmd": _command(fields.take("Cmd")),
        "Env": _environment(fields.take("Env")),
        "AttachStdin": False,
        "AttachStdout": False,
        "AttachStderr": False,
        "HostConfig": {
            "NetworkMode": host.the("NetworkMode", bounds.network),
            "NanoCpus": host.number("NanoCpus"),
            "Memory": memory,
            "MemorySwap": host.the("MemorySwap", memory),
            "PidsLimit": host.number("PidsLimit"),
            "CapDrop": host.the("CapDrop", ["ALL"]),
            "SecurityOpt": host.the("SecurityOpt", ["no-new-privileges"]),
        },
    }
    fields.drop("AttachStdin", "AttachStdout", "AttachStderr")
    fields.end()
    host.end()
    return json.dumps(made).encode()


class _Fields:
    """The fields of a JSON object, taken out one by one. What is left at the end is refused."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise Refused(f"{where.rstrip('.') or 'the body'} is no object")
        self._left = dict(value)
        self._where = where

    def take(self, name: str) -> Any:
        return self._left.pop(name, None)

    def the(self, name: str, wanted: Any) -> Any:
        if (found := self.take(name)) != wanted or type(found) is not type(wanted):
            raise Refused(f"{self._where}{name} must be {json.dumps(wanted)}")
        return wanted

    def number(self, name: str) -> int:
        found = self.take(name)
        if type(found) is not int or not 0 < found < 1 << 62:
            raise Refused(f"{self._where}{name} must be a limit")
        return found

    def text(self, name: str, pattern: str) -> str:
        found = self.take(name)
        if not isinstance(found, str) or not re.fullmatch(pattern, found):
            raise Refused(f"{self._where}{name} must be a name")
        return found

    def drop(self, *names: str) -> None:
        for name in names:
            self._left.pop(name, None)

    def end(self) -> None:
        # Clients also send what they leave at nothing: that is left out here.
        asked = sorted(str(name)[:60] for name, value in self._left.items() if value)
        if asked:
            raise Refused(f"workers have no {self._where}{asked[0]}")


def _labels(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or value.keys() != LABELS:
        raise Refused(f"Labels must be {' and '.join(sorted(LABELS))}")
    if not all(isinstance(one, str) and one for one in value.values()):
        raise Refused("a label must be a text")
    return value


def _command(value: Any) -> list[str]:
    if not _texts(value) or value[:1] != [WORKER_CLASS]:
        raise Refused(f"Cmd must begin with {WORKER_CLASS}")
    return value


def _environment(value: Any) -> list[str]:
    if not _texts(value) or not all(_ENVIRONMENT.fullmatch(one) for one in value):
        raise Refused("Env must hold Spark's variables alone")
    return value


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _of_pools(text: str) -> bool:
    """Whether the filters of a list are such that only pools' containers are listed."""
    try:
        labels = json.loads(text)["label"]
    except (ValueError, RecursionError, TypeError, KeyError):
        return False
    # Another form of the same filter, {"label": {"kitwai.pool=x": true}}, is not needed.
    return _texts(labels) and any(one.startswith(f"{POOL_LABEL}=") for one in labels)


@dataclass(frozen=True)
class Route:
    """One kind of request. ``query``: for every name that it may have, what its value must match
    (a pattern, or a function), and ``needs`` the name that it must have, if any. ``body``: what
    makes the body that is handed on.

    A group ``worker`` of the path is a container that must be a pool's; ``image`` and ``network``
    must be those of the workers.
    """

    method: str
    path: str
    query: Mapping[str, str | Callable[[str], bool]]
    body: Body = _no_body
    needs: str | None = None

    def checked_query(self, asked: list[tuple[str, str]]) -> str:
        """The query that is handed on. :raises Refused: naming what it may not have."""
        if self.needs and self.needs not in dict(asked):
            raise Refused(f"{self.needs!r} of the query is needed")
        for at, (name, value) in enumerate(asked):
            rule = self.query.get(name)
            fits = rule(value) if callable(rule) else rule and re.fullmatch(rule, value)
            if not fits or any(name == earlier for earlier, _ in asked[:at]):
                raise Refused(f"{name[:60]!r} of the query may not be {value[:60]!r}")
        return urlencode(asked)


_FLAG = "0|1|true|false|True|False"
_OFF = "0|false|False"
_WORKER = f"/containers/(?P<worker>{_NAME})"
ROUTES = (
    Route("GET", "/_ping", {}),
    Route("GET", "/version", {}),
    Route("GET", "/images/(?P<image>.{1,256})/json", {}),
    Route("GET", f"/networks/(?P<network>{_NAME})", {}),
    Route(
        "GET",
        "/containers/json",
        {"all": _FLAG, "limit": "-1", "size": _OFF, "trunc_cmd": _FLAG, "filters": _of_pools},
        needs="filters",
    ),
    Route("POST", "/containers/create", {"name": _NAME}, worker_container),
    Route("GET", f"{_WORKER}/json", {}),
    Route("POST", f"{_WORKER}/start", {}),
    Route("POST", f"{_WORKER}/stop", {"t": "[0-9]{1,3}"}),
    Route("POST", f"{_WORKER}/kill", {"signal": "30|SIGPWR"}, needs="signal"),
    Route("DELETE", _WORKER, {"v": _FLAG, "force": _FLAG, "link": _OFF}),
    Route(
        "GET",
        f"{_WORKER}/logs",
        {"stdout": _FLAG, "stderr": _FLAG, "timestamps": _FLAG, "follow": _OFF, "tail": "[0-9]+"},
    ),
    Route("GET", f"{_WORKER}/archive", {"path": "/".join(MARK)}, needs="path"),
    Route("PUT", f"{_WORKER}/archive", {"path": f"{MARK[0]}|{AUTH[0]}"}, small_file, needs="path"),
)


@dataclass(frozen=True)
class Call:
    """A request as it may be handed on, once ``worker`` (if any) turns out to be a pool's.

    ``path`` holds "{worker}" where the container's id comes.
    """

    method: str
    path: str
    query: str
    body: bytes
    worker: str | None


def check(method: str, target: str, body: bytes, bounds: Bounds) -> Call:
    """What to hand on for a request. :raises Refused: it is none of the pool's."""
    parts = urlsplit(target)
    matched = re.fullmatch(r"(?P<version>/v1\.[0-9]{1,3})?(?P<path>/.*)", unquote(parts.path))
    for route in ROUTES:
        found = matched and re.fullmatch(route.path, matched["path"])
        if found is None or matched is None or route.method != method:
            continue
        named = found.groupdict()
        if named.get("image", bounds.image) != bounds.image:
            raise Refused(f"workers have the image {bounds.image}")
        if named.get("network", bounds.network) != bounds.network:
            raise Refused(f"workers have the network {bounds.network}")
        query = route.checked_query(parse_qsl(parts.query, keep_blank_values=True))
        worker = named.get("worker")
        path = matched["path"] if worker is None else _with_place(found)
        return Call(
            method,
            (matched["version"] or "") + path,
            query,
            route.body(body, bounds),
            worker,
        )
    raise Refused(f"{method[:16]} {parts.path[:120]} is not needed by a pool of workers")


def _with_place(found: re.Match[str]) -> str:
    begin, end = found.span("worker")
    return f"{found.string[:begin]}{{worker}}{found.string[end:]}"
