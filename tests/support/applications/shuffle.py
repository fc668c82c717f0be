"""Counts keys in a job of one shuffle whose tasks mostly wait, and writes the counts as JSON.

Arguments: output file, map tasks, reduce tasks, seconds that every task waits. The driver ends the
waiting: once the file ``OUTPUT.enough`` exists, no task waits any more.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from operator import add
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer


class _Waits(ThreadingTCPServer):
    """Ends every connection after ``wait_s``, or where there is ``enough``."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, wait_s: float, enough: Path) -> None:
        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                until = time.monotonic() + wait_s
                while (left := until - time.monotonic()) > 0 and not enough.exists():
                    time.sleep(min(left, 0.1))

        super().__init__(("", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


def main(output: str, maps: int, reduces: int, wait_s: float) -> None:
    from pyspark import SparkContext

    with SparkContext() as context, _Waits(wait_s, Path(f"{output}.enough")) as waits:
        address = (context.getConf().get("spark.driver.host"), waits.server_address[1])

        def wait() -> None:
            with socket.create_connection(address, timeout=60 + wait_s) as connection:
                connection.recv(1)

        def keys(task: int) -> list[int]:
            wait()
            return [(task * 7 + number) % 50 for number in range(1000)]

        def waited(part):
            wait()
            return part

        numbers = context.parallelize(range(maps), maps).flatMap(keys)
        counts = numbers.map(lambda key: (key, 1)).reduceByKey(add, reduces)
        result = dict(counts.mapPartitions(waited).collect())
    Path(output).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
