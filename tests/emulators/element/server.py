"""
The transport: JSON-RPC over HTTPS with Basic authentication, and the faults that tests order.

Tests talk to it at `/emulator`, without authentication:

    GET                     {"calls": {method: number}, "log": [[method, parameters], ...], "faults": [{"method", ...}],
                             "unused": [[method, names of parameters that it has not], ...]}
                            the faults are those that wait for their call
    POST {"fault": {"method", "effect", "times", "name", "message", "seconds"}}
         effect: "lost"     the call has its effect, and its answer never comes
                 "reset"    the connection ends before the call has its effect
                 "error"    the error `name` is answered, and nothing happens
                 "late"     the call begins after `seconds`
                 "status"   the answer is HTML with the HTTP status `status`, and nothing happens
    POST {"advance": seconds}           moves the cluster's clock, on which deleted volumes are purged
    POST {"set": {attribute: value}}    of `Cluster`: limits and names are merged, the rest is replaced
    POST {"empty": true}                takes away all that was made; no number is given a second time
    POST {"restore": true}              puts back all that was set
    POST {"forget": true}               empties the log and the faults
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.emulators.element.cluster import ApiError, Cluster, Row

_PATH = re.compile(r"/json-rpc/([^/]+)/?")
_DENIED = b"<html><head><title>401 Unauthorized</title></head><body><h1>Unauthorized</h1></body></html>"


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, cluster: Cluster, port: int, certificate: Path, key: Path, user: str, password: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.cluster = cluster
        self.authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self.control = threading.Lock()
        self.log: list[tuple[str, Row]] = []
        self.unused: list[tuple[str, list[str]]] = []
        self.faults: list[Row] = []
        self.before: Row = {}
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate, key)

    def finish_request(self, request: Any, client_address: Any) -> None:
        # The handshake is the connection's own affair: one that hangs must not hold up the others.
        try:
            wrapped = self._tls.wrap_socket(request, server_side=True)
        except OSError:
            return
        super().finish_request(wrapped, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients that go away in the middle are part of the tests

    def fault_for(self, method: str) -> Row | None:
        with self.control:
            for fault in self.faults:
                if fault["method"] in (method, "*") and fault["times"] > 0:
                    fault["times"] -= 1
                    return fault
        return None

    def order(self, what: Row) -> Row:
        """What a test asks for at `/emulator`."""
        with self.control, self.cluster.lock:
            if "fault" in what:
                self.faults.append({"times": 1, "name": "xDBConnectionLoss", "message": "", **what["fault"]})
            self.cluster.ahead += what.get("advance", 0)
            for name, value in what.get("set", {}).items():
                had = getattr(self.cluster, name)
                self.before.setdefault(name, had)
                setattr(self.cluster, name, had | value if name in ("limits", "names") else value)
            if what.get("empty"):
                self.cluster.empty()
            if what.get("restore"):
                for name, value in self.before.items():
                    setattr(self.cluster, name, value)
                self.before.clear()
            if what.get("forget"):
                self.log.clear()
                self.unused.clear()
                self.faults.clear()
            self.cluster.settle()
            return {
                "calls": Counter(method for method, _ in self.log),
                "log": self.log,
                "faults": [fault for fault in self.faults if fault["times"] > 0],
                "unused": self.unused,
            }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # the whole answer in one packet: no waiting for the other side's acknowledgement
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        if self.path == "/emulator":
            self.answer(200, json.dumps(self.server.order({})).encode())
        else:
            self.answer(404, b"", "text/html")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/emulator":
            self.answer(200, json.dumps(self.server.order(json.loads(body))).encode())
            return
        found = _PATH.fullmatch(self.path)
        if found is None or found[1] not in map(str, self.server.cluster.versions):
            self.answer(404, b"<html><body>Not Found</body></html>", "text/html")
        elif self.headers.get("Authorization") != self.server.authorization:
            self.answer(401, _DENIED, "text/html")
        else:
            self.rpc(body)

    def rpc(self, body: bytes) -> None:
        try:
            request = json.loads(body)
            method, parameters = request["method"], request.get("params") or {}
            if not isinstance(parameters, dict):
                raise TypeError("parameters go by name")
        except (ValueError, KeyError, TypeError):
            self.envelope(None, {"error": {"code": 500, "name": "xInvalidRequest", "message": "No JSON-RPC request"}})
            return
        id = request.get("id")
        fault = self.server.fault_for(method) or {"effect": None}
        if fault["effect"] == "late":
            time.sleep(fault["seconds"])
        if fault["effect"] == "reset":
            self.hang_up()
            return
        with self.server.control:
            self.server.log.append((method, parameters))
        if fault["effect"] == "status":
            self.answer(fault["status"], b"<html><body>Not now</body></html>", "text/html")
            return
        if fault["effect"] == "error":
            error = {"code": 500, "name": fault["name"], "message": fault["message"] or fault["name"]}
            self.envelope(id, {"error": error})
            return
        try:
            answer: Row = {"result": self.server.cluster.call(method, parameters)}
        except ApiError as refusal:
            answer = {"error": {"code": 500, "name": refusal.name, "message": str(refusal)}}
        if fault["effect"] == "lost":
            self.hang_up()
            return
        unused = answer.get("result", {}).pop("unusedParameters", None)
        if unused:
            answer["unusedParameters"] = unused
            with self.server.control:
                self.server.unused.append((method, unused))
        self.envelope(id, answer)

    def envelope(self, id: Any, answer: Row) -> None:
        self.answer(200, json.dumps({"id": id, **answer}).encode())

    def answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        pass
