"""``kitwai metrics``, ``export`` and ``import``: exchange the store's content with others."""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kitwai.errors import InvalidInputError

if TYPE_CHECKING:
    from kitwai.store.store import Store


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the three subcommands."""
    metrics = subparsers.add_parser(
        "metrics", help="print what is known of the clusters for Prometheus, or serve it"
    )
    metrics.add_argument(
        "--port",
        type=int,
        help="serve /metrics on this port (default: [kitwai] metrics_port; without it, print once)",
    )
    metrics.add_argument(
        "--host", default="127.0.0.1", help="address to serve on (default: %(default)s)"
    )
    metrics.set_defaults(run=_metrics)

    export = subparsers.add_parser(
        "export", help="write a cluster's observations as the original system's CSV"
    )
    export.add_argument("--cluster", required=True, help="Airflow connection id of the cluster")
    export.add_argument("--application", help="only the application with this id")
    export.add_argument("--since", default="1d", help="from this long ago (default: %(default)s)")
    export.add_argument("--out", type=Path, required=True, help="file to write")
    export.set_defaults(run=_export)

    bring = subparsers.add_parser(
        "import", help="bring a CSV of the original system into the store"
    )
    bring.add_argument("file", type=Path, help="the CSV")
    bring.add_argument(
        "--cluster", required=True, help="name to keep it under; none that is scaled"
    )
    bring.add_argument(
        "--application", help="id to give the application (default: the file's name)"
    )
    bring.add_argument(
        "--start", type=float, help="its start, epoch seconds (default: so that it ends now)"
    )
    bring.set_defaults(run=_import)


def _store() -> Store:
    from kitwai.config.options import store_url
    from kitwai.store.store import Store

    return Store(store_url())


def _metrics(arguments: argparse.Namespace) -> int:
    from kitwai.config.options import clusters, metrics_port
    from kitwai.metrics.prometheus_text import prometheus_text
    from kitwai.metrics.scrape import scrape_server

    names, store = clusters(), _store()
    port = metrics_port() if arguments.port is None else arguments.port
    if port is None:
        sys.stdout.write(prometheus_text(store, names))
        return 0
    with scrape_server(arguments.host, port, lambda: prometheus_text(store, names)) as server:
        print(
            f"Serving http://{arguments.host}:{server.server_port}/metrics",
            file=sys.stderr,
            flush=True,
        )
        server.serve_forever()
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    from kitwai.cli.output import check_writable, write_text
    from kitwai.core.records.constraint import parse_duration
    from kitwai.metrics.original_csv import rows, to_csv

    check_writable(arguments.out)
    since = time.time() - parse_duration(arguments.since)
    seen = _store().observations(arguments.cluster, since)
    if arguments.application is not None:
        seen = [
            replace(
                observation,
                applications=tuple(
                    app for app in observation.applications or () if app.id == arguments.application
                ),
            )
            for observation in seen
        ]
    table = list(rows(seen))
    if not table:
        raise InvalidInputError(
            f"The store holds no application of cluster {arguments.cluster!r} to export."
        )
    write_text(arguments.out, to_csv(table))
    print(f"{len(table)} rows written to {arguments.out}.", file=sys.stderr)
    return 0


def _import(arguments: argparse.Namespace) -> int:
    from kitwai.config.options import clusters
    from kitwai.metrics.original_csv import MAX_BYTES, from_csv, to_observations

    if arguments.cluster in clusters():
        raise InvalidInputError(
            f"--cluster {arguments.cluster} is a cluster that Kitwai scales: what is imported "
            "would pass for its present, so choose another name."
        )
    if arguments.start is not None and not math.isfinite(arguments.start):
        raise InvalidInputError(f"--start must be epoch seconds, not {arguments.start}.")
    try:
        if arguments.file.stat().st_size > MAX_BYTES:
            raise InvalidInputError(f"{arguments.file} is larger than {MAX_BYTES // 2**20} MiB.")
        text = arguments.file.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{arguments.file} cannot be read: {error}.") from error
    table = from_csv(text, str(arguments.file))
    if not table:
        raise InvalidInputError(f"{arguments.file} holds no row.")
    ended_s = max(row.execu for row in table)
    observations = to_observations(
        table,
        cluster=arguments.cluster,
        application=arguments.application or arguments.file.stem,
        start=time.time() - ended_s if arguments.start is None else arguments.start,
    )
    store = _store()
    for observation in observations:
        store.add_observation(observation)
    print(f"{len(observations)} rows imported as cluster {arguments.cluster!r}.", file=sys.stderr)
    return 0
