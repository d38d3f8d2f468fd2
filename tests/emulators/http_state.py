"""
A server with Terraform's http protocol for states: each path is a state of its own, in memory. It knows nothing of
Lunform.

    python http_state.py PORT [--unchecked | --like-gitlab]

GET, POST, DELETE for the state; LOCK and UNLOCK for its lock, which `?ID=` of a POST must name while it is held.

--unchecked      takes any POST, whoever has the lock, as simple servers do.
--like-gitlab    as GitLab does: POST and DELETE on PATH/lock lock and unlock, the holder's id and time are all that is
                 told of it, a `serial` is taken once, and a wrong lock is answered with 500.
                 Source: lib/api/terraform/state.rb, app/services/terraform/remote_state_handler.rb.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class State:
    body: bytes | None = None
    lock: dict[str, Any] | None = None
    serials: set[int] = field(default_factory=set)


STATES: dict[str, State] = {}
ONE_AT_A_TIME = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    unchecked = False
    like_gitlab = False

    def handle_method(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        method, path = self.command, url.path
        if self.like_gitlab and path.endswith("/lock"):
            path = path.removesuffix("/lock")
            method = {"POST": "LOCK", "DELETE": "UNLOCK"}.get(method, method)
        with ONE_AT_A_TIME:
            state = STATES.setdefault(path, State())
            status, answer = self.answer(method, state, body, parse_qs(url.query).get("ID", [None])[0])
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_LOCK = do_UNLOCK = handle_method

    def answer(self, method: str, state: State, body: bytes, id: str | None) -> tuple[int, bytes]:
        given = self.headers.get("Content-MD5")
        if given is not None and given != base64.b64encode(hashlib.md5(body).digest()).decode():
            return 400, b"Content-MD5 does not fit"
        if method == "GET":
            if state.body is None:
                return (204 if self.like_gitlab and state.lock else 404), b""
            return 200, state.body
        if method == "LOCK":
            asked = json.loads(body)
            if state.lock is not None:
                return (409, self.told(asked, state)) if self.like_gitlab else (423, self.told(asked, state))
            state.lock = {**asked, "Created": datetime.now(UTC).isoformat()} if self.like_gitlab else asked
            return 200, self.told(asked, state)
        if method == "UNLOCK":
            unlocked = json.loads(body).get("ID") if body else None
            if state.lock is not None and unlocked not in (None, "", state.lock["ID"]) and not self.unchecked:
                return 409, self.told({}, state)
            state.lock = None
            return 200, b""
        held = state.lock["ID"] if state.lock else None
        if id != held and not self.unchecked:
            return (500, b"") if self.like_gitlab else (423 if held else 409, self.told({}, state))
        if method == "DELETE":
            state.body = None
            return 200, b""
        if self.like_gitlab:
            serial = json.loads(body)["serial"]
            if serial in state.serials:
                return 422, b"Version has already been taken"
            state.serials.add(serial)
        state.body = body
        return 200, b""

    def told(self, asked: dict[str, Any], state: State) -> bytes:
        """Of the lock that is held, if any."""
        if self.like_gitlab and state.lock:
            return json.dumps({**asked, **{name: state.lock[name] for name in ("ID", "Who", "Created")}}).encode()
        return json.dumps(state.lock or {}).encode()

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    port, *options = sys.argv[1:]
    Handler.unchecked = "--unchecked" in options
    Handler.like_gitlab = "--like-gitlab" in options
    ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
