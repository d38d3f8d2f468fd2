"""Servers that states are kept on: moto's S3, and an emulator of Terraform's http protocol."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import requests

from tests.rigs.process import start, stop, until

EMULATOR = Path(__file__).parents[1] / "emulators" / "http_state.py"


@dataclass(frozen=True, slots=True)
class Bucket:
    """
    Attributes:
        port: of its server.
        arguments: of the s3 backend, but for the key.
    """

    port: int
    name: str

    @property
    def arguments(self) -> dict[str, Any]:
        return self.through(f"http://127.0.0.1:{self.port}")

    def through(self, url: str) -> dict[str, Any]:
        """The arguments with another way to the server."""
        return {
            "bucket": self.name,
            "endpoint": url,
            "region": "us-east-1",
            "use_path_style": True,
            "access_key": "AKIDEXAMPLE",
            "secret_key": "not-a-secret",
        }


def client_of(arguments: Mapping[str, Any]) -> Any:
    """Amazon's own, with the arguments of the backend."""
    return boto3.client(
        "s3",
        endpoint_url=arguments["endpoint"],
        region_name=arguments["region"],
        aws_access_key_id=arguments["access_key"],
        aws_secret_access_key=arguments["secret_key"],
    )


@contextmanager
def running_moto(directory: Path) -> Iterator[Bucket]:
    """S3 in memory, with a bucket."""
    argv = [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p"]
    with _running(argv, [], directory / "moto.log") as port:
        requests.put(f"http://127.0.0.1:{port}/states", timeout=10).raise_for_status()
        yield Bucket(port, "states")


@contextmanager
def running_http_state(directory: Path, *options: str) -> Iterator[int]:
    """The emulator with these options; its port."""
    with _running([sys.executable, EMULATOR], options, directory / "http_state.log") as port:
        yield port


@contextmanager
def _running(argv: Sequence[str | Path], options: Sequence[str], log: Path) -> Iterator[int]:
    port = free_port()
    daemon = start([*argv, str(port), *options], log)

    def answers() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(f"answer on port {port}", answers, alive=lambda: log.read_text() if daemon.poll() is not None else "")
        yield port
    finally:
        stop(daemon)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
