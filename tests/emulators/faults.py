"""A way to a server on which things happen: a proxy for HTTP on the loopback, inside the test's process."""

from __future__ import annotations

import http.client
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Fault = Literal["unavailable", "lost"]
"""503 without any effect; or the effect, and no answer."""


class Proxy(ThreadingHTTPServer):
    """
    Attributes:
        url: of this way to the server.
        headers: what becomes of a header of a call on its way, by its name in small letters; None drops it.
        faults: what happens to calls with this method, one after the other.
        calls: all methods and paths, in the order they came.
    """

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = port
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.headers: dict[str, Callable[[str], str | None]] = {}
        self.faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.calls: list[tuple[str, str]] = []

    def next_fault(self, method: str) -> Fault | None:
        waiting = self.faults.get(method)
        return waiting.popleft() if waiting else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Proxy

    def forward(self) -> None:
        proxy = self.server
        proxy.calls.append((self.command, self.path))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = proxy.next_fault(self.command)
        if fault == "unavailable":
            self._answer(503, [], b"")
            return
        headers = {}
        for name, value in self.headers.items():
            passed = proxy.headers.get(name.lower(), lambda value: value)(value)
            if passed is not None and name.lower() not in ("host", "connection", "expect"):
                headers[name] = passed
        connection = http.client.HTTPConnection("127.0.0.1", proxy.target)
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if fault == "lost":
            self.close_connection = True
            return
        self._answer(answer.status, answer.getheaders(), content)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_LOCK = do_UNLOCK = forward

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    with Proxy(port) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
