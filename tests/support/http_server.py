"""A real HTTP server that misbehaves on demand, for the tests of everything that reads HTTP."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import contextmanager, suppress
from email.utils import formatdate

Handler = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


def response(body: bytes, status: str = "200 OK", headers: tuple[str, ...] = ()) -> bytes:
    head = (
        f"HTTP/1.1 {status}",
        f"Content-Length: {len(body)}",
        f"Date: {formatdate(usegmt=True)}",
        *headers,
    )
    return "\r\n".join((*head, "", "")).encode() + body


def answers(body: bytes, status: str = "200 OK", headers: tuple[str, ...] = ()) -> Handler:
    async def handle(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(response(body, status, headers))

    return handle


async def hangs(path: str, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(600)


async def drips(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(10_000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def drips_headers(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(10_000):
        writer.write(b"X-%d: 1\r\n" % number)
        await writer.drain()
        await asyncio.sleep(0.05)


async def streams_for_ever(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        await writer.drain()


async def resets(path: str, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


Writer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@contextmanager
def serve_tcp(write: Writer, host: str = "127.0.0.1"):
    """A server that writes to whoever connects, then closes; gives its ``(host, port)``."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            await write(writer)
            await writer.drain()
            writer.close()

    with _running(connected, host) as port:
        yield host, port


@contextmanager
def serve(handler: Handler, host: str = "127.0.0.1"):
    """Serve on a free port while the block runs; gives the server's ``http://host:port``."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await handler(head.split()[1].decode(), writer)
                await writer.drain()

    with _running(connected, host) as port:
        yield f"http://{host}:{port}"


@contextmanager
def _running(connected, host: str):
    loop = asyncio.new_event_loop()
    held: set[object] = set()  # the loop itself refers to its tasks only weakly

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.add(asyncio.current_task())
        try:
            await connected(reader, writer)
        finally:
            held.discard(asyncio.current_task())

    server = loop.run_until_complete(asyncio.start_server(hold, host, 0))
    port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield port
    finally:

        async def stop() -> None:
            server.close()
            connections = asyncio.all_tasks() - {asyncio.current_task()}
            for task in connections:
                task.cancel()
            await asyncio.gather(*connections, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), loop).result(timeout=30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=30)
        loop.close()
