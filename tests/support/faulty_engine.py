"""A real proxy before a Docker engine's socket that fails at seeded random moments."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections import Counter
from pathlib import Path

_ERROR = b'{"message":"injected"}'
_ANSWER = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(_ERROR), _ERROR)
)


class FaultyEngine:
    """Hands requests on to ``engine`` (a socket's path); of all, the share ``faults`` goes wrong.

    Each in one of three ways: the engine is never asked and the answer is 500; the connection is
    dropped before the engine is asked; the engine does what it is asked and its answer is lost.
    ``seen`` counts what was done. One request a connection: every answer ends it.
    """

    def __init__(self, engine: str, path: Path, faults: float, seed: int) -> None:
        self.engine = engine
        self.url = f"unix://{path}"
        self.faults = faults
        self.seen: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> FaultyEngine:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.settimeout(60)
            request = _read_request(client)
            if request is None:
                return
            # The negotiation of the API's version is the client's own and no pool's.
            spared = request.startswith(b"GET /version ")
            wrong = not spared and self._random.random() < self.faults
            how = self._random.choice(("500", "dropped", "lost")) if wrong else "handed on"
            self.seen[how] += 1
            if how == "500":
                client.sendall(_ANSWER)
            elif how != "dropped":
                self._hand_on(request, client if how == "handed on" else None)

    def _hand_on(self, request: bytes, client: socket.socket | None) -> None:
        head, _, body = request.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection")]
        with socket.socket(socket.AF_UNIX) as engine:
            engine.settimeout(60)
            engine.connect(self.engine)
            engine.sendall(b"\r\n".join([*lines, b"Connection: close", b"", body]))
            while chunk := engine.recv(65536):
                if client is not None:
                    client.sendall(chunk)


def _read_request(client: socket.socket) -> bytes | None:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = client.recv(65536)
        if not chunk:
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
        assert name.strip().lower() != b"transfer-encoding", "a body of unknown length"
    while len(body) < length:
        chunk = client.recv(65536)
        if not chunk:
            return None
        body += chunk
    return head + b"\r\n\r\n" + body
