"""
The state as an object of S3, or of a server that speaks its protocol with conditional writes.

One object for each workspace, as Terraform lays them out: `KEY`, and `env:/WORKSPACE/KEY`. Nothing else is made in the
bucket: the lease is in the object (`planner.state.leased`), and each writing says which version it takes the place of
(`If-Match` with the ETag, `If-None-Match: *` for the first).
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.errors import ForeignState, StateError
from planner.resources.schema import Argument
from planner.state.document import StateDocument
from planner.state.leased import LEASE_TIME, SHORTEST_LEASE_TIME, LeasedWholeStore
from planner.state.place import Found, Refused, Unanswered
from planner.state.store import DEFAULT_WORKSPACE, BackendDefinition, Cipher
from planner.values.types import BOOL, NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONNECT_TIMEOUT = 10
_READ_TIMEOUT = 60
"""Seconds."""

_NO_VERSION = '"00000000000000000000000000000000"'
"""An ETag that no object has."""

_COME_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""409 is S3's ConditionalRequestConflict: another writing was under way."""

_proven: set[tuple[str | None, str]] = set()
"""Endpoints and buckets that were found to heed conditions."""


class S3Place:
    """One object; see `planner.state.place.Place`."""

    def __init__(self, bucket: S3Bucket, key: str) -> None:
        self._bucket = bucket
        self._key = key
        self.name = f"s3://{bucket.name}/{key}"

    def get(self) -> Found:
        from botocore.exceptions import ClientError

        with self._bucket.told(self.name):
            try:
                answer = self._bucket.client.get_object(Bucket=self._bucket.name, Key=self._key)
                content = answer["Body"].read()
            except ClientError as error:
                if _code(error) != "NoSuchKey":
                    raise
                return Found(None, "", _time(error.response))
        try:
            return Found(content.decode(), answer["ETag"], _time(answer))
        except UnicodeDecodeError as error:
            raise ForeignState("Not a Lunform state", f"{self.name} is no text. It was not touched.") from error

    def put(self, text: str, version: str, lease: str) -> tuple[str, float | None]:
        return self._put(text, {"IfMatch": version} if version else {"IfNoneMatch": "*"})

    def keeps_others_out(self, text: Callable[[], str]) -> bool:
        place = (self._bucket.endpoint, self._bucket.name)
        if place in _proven:
            return True
        for condition in ({"IfMatch": _NO_VERSION}, {"IfNoneMatch": "*"}):
            try:
                self._put(text(), condition)
            except Refused:
                continue
            return False
        _proven.add(place)
        return True

    def remove(self, version: str) -> None:
        with self._bucket.told(self.name):
            self._bucket.client.delete_object(Bucket=self._bucket.name, Key=self._key, IfMatch=version)

    def close(self) -> None:
        pass  # connections are kept for whoever comes next in this process

    def _put(self, text: str, condition: Mapping[str, str]) -> tuple[str, float | None]:
        body = text.encode()
        with self._bucket.told(self.name):
            answer = self._bucket.client.put_object(
                Bucket=self._bucket.name,
                Key=self._key,
                Body=body,
                ContentType="application/json",
                ContentMD5=base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode(),
                **self._bucket.encryption,
                **condition,
            )
            return answer["ETag"], _time(answer)


class S3Bucket:
    """A bucket, and how it is spoken to. Connects when first asked for something."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self._arguments = arguments
        self.name: str = arguments["bucket"]
        self.endpoint: str | None = arguments["endpoint"]
        self.encryption: dict[str, str] = {}
        if arguments["kms_key_id"]:
            self.encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": arguments["kms_key_id"]}
        elif arguments["encrypt"]:
            self.encryption = {"ServerSideEncryption": "AES256"}

    @property
    def client(self) -> Any:
        given = self._arguments
        session = (given["profile"], given["access_key"], given["secret_key"], given["token"], given["region"])
        return _client(*session, self.endpoint, given["custom_ca_bundle"], given["use_path_style"])

    @contextmanager
    def told(self, place: str) -> Iterator[None]:
        """What the server or the way to it says of the object `place`, in our words."""
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            ConnectionError,
            HTTPClientError,
            IncompleteReadError,
            NoCredentialsError,
            PartialCredentialsError,
        )

        try:
            yield
        except ClientError as error:
            status, code = error.response["ResponseMetadata"].get("HTTPStatusCode", 0), _code(error)
            if status == 412 or code == "NoSuchKey":
                raise Refused(
                    "the server refuses a writing whose condition holds: If-Match with the ETag that it has just given."
                    " Keep the state on a server with conditional writes as S3 has them"
                ) from error
            if status in _COME_AGAIN:
                raise Unanswered(f"the server answers {status} {code}") from error
            raise StateError("The state cannot be read or written", f"{place}: {_ADVICE.get(code, code)}.") from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise StateError(
                "No credentials for S3",
                f"{place} needs an access key: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, a"
                " profile, or the role of the machine.",
            ) from error
        except (
            ConnectionError,
            HTTPClientError,
            IncompleteReadError,
        ) as error:  # not its text, which has the URL in it
            raise Unanswered(_WAYS.get(type(error).__name__, "the server cannot be reached")) from error
        except BotoCoreError as error:
            raise StateError("The s3 backend cannot be used as it is configured", f"{place}: {error}") from error

    def keys(self, prefix: str) -> Iterator[str]:
        with self.told(f"s3://{self.name}/{prefix}"):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
                yield from (item["Key"] for item in page.get("Contents", ()))


@cache
def _client(
    profile: str | None,
    access_key: str | None,
    secret_key: str | None,
    token: str | None,
    region: str | None,
    endpoint: str | None,
    trusted: str | None,
    path_style: bool,
) -> Any:
    """It takes half a second to make one, and any number of threads can use it."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    try:
        return boto3.Session(
            profile_name=profile,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            aws_session_token=token,
            region_name=region or os.environ.get("AWS_REGION"),
        ).client(
            "s3",
            endpoint_url=endpoint,
            verify=trusted,
            config=Config(
                connect_timeout=_CONNECT_TIMEOUT,
                read_timeout=_READ_TIMEOUT,
                retries={"total_max_attempts": 1},  # a writing is looked up before it is repeated
                s3={"addressing_style": "path" if path_style else "auto"},
                # Servers other than Amazon's do not all know the newer checksums; Content-MD5 they do.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
    except (BotoCoreError, ValueError) as error:
        raise StateError("The s3 backend cannot be used as it is configured", f"{error}") from error


_ADVICE = {
    "NoSuchBucket": "there is no such bucket. Make it first, with versioning",
    "AccessDenied": "access is denied. The key needs s3:GetObject, s3:PutObject and s3:DeleteObject on the object, and"
    " s3:ListBucket on the bucket, without which a missing object looks like a forbidden one",
    "InvalidAccessKeyId": "the server does not know the access key",
    "SignatureDoesNotMatch": "the secret key does not belong to the access key",
    "ExpiredToken": "the session token has run out",
}

_WAYS = {
    "EndpointConnectionError": "no connection to the server",
    "ConnectTimeoutError": f"no connection to the server within {_CONNECT_TIMEOUT} seconds",
    "ReadTimeoutError": f"no answer from the server within {_READ_TIMEOUT} seconds",
    "SSLError": "the certificate of the server is not accepted",
    "ProxyConnectionError": "no connection to the proxy",
    "ConnectionClosedError": "the server closed the connection without an answer",
}


class S3Backend:
    """See `planner.state.store.StateBackend`."""

    def __init__(self, arguments: Mapping[str, Any], cipher: Cipher) -> None:
        self._arguments = arguments
        self._cipher = cipher
        self._bucket = S3Bucket(arguments)

    def open(self, workspace: str) -> LeasedWholeStore:
        given = self._arguments
        return LeasedWholeStore(
            S3Place(self._bucket, self._key(workspace)),
            self._cipher,
            seconds=float(given["lease_time"]),
            waits=[min(0.2 * 2**number, 10.0) for number in range(int(given["max_retries"]))],
        )

    def workspaces(self) -> Sequence[str]:
        key, prefix = self._arguments["key"], f"{self._arguments['workspace_key_prefix']}/"
        found = {DEFAULT_WORKSPACE} if key in self._bucket.keys(key) else set()
        for name in self._bucket.keys(prefix):
            workspace = name.removeprefix(prefix).removesuffix(f"/{key}")
            if name == self._key(workspace):
                found.add(workspace)
        return sorted(found)

    def remove(self, workspace: str) -> None:
        if workspace in self.workspaces():
            store = self.open(workspace)
            with store.lock("workspace delete"):
                store.replace(StateDocument())  # with nothing recorded, the object goes with the lock

    def _key(self, workspace: str) -> str:
        key: str = self._arguments["key"]
        if workspace == DEFAULT_WORKSPACE:
            return key
        return f"{self._arguments['workspace_key_prefix']}/{workspace}/{key}"


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _time(answer: Mapping[str, Any]) -> float | None:
    date = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    return None if date is None else parsedate_to_datetime(date).timestamp()


def _open(arguments: Mapping[str, Any], directory: Path, cipher: Cipher) -> S3Backend:
    if find_spec("boto3") is None:
        raise StateError("The s3 backend needs boto3", "Install it with: pip install 'lunform[s3]'")
    if arguments["lease_time"] < SHORTEST_LEASE_TIME:
        raise StateError("Unsuitable value", f'"lease_time" must be at least {SHORTEST_LEASE_TIME} seconds.')
    return S3Backend(arguments, cipher)


BACKEND = BackendDefinition(
    name="s3",
    summary="An object in an S3 bucket, or on a server with S3's protocol and conditional writes.",
    arguments=(
        Argument("bucket", required=True, summary="Name of an existing bucket, best with versioning."),
        Argument("key", required=True, summary="The state's object in the bucket."),
        Argument("region", summary="Of the bucket. Left out: AWS_REGION, or the profile's."),
        Argument("endpoint", summary="URL of another server than Amazon's. Left out: AWS_ENDPOINT_URL_S3."),
        Argument("use_path_style", BOOL, "Address the bucket in the path of the URL, not in the name.", default=False),
        Argument("profile", summary="Of the AWS configuration files. Left out: AWS_PROFILE."),
        Argument("access_key", summary="Left out: AWS_ACCESS_KEY_ID, the profile, or the role.", sensitive=True),
        Argument("secret_key", summary="Left out: AWS_SECRET_ACCESS_KEY, the profile, or the role.", sensitive=True),
        Argument("token", summary="Of a session. Left out: AWS_SESSION_TOKEN.", sensitive=True),
        Argument("custom_ca_bundle", summary="File with the certificates that are trusted. Left out: AWS_CA_BUNDLE."),
        Argument(
            "workspace_key_prefix", summary="Before the names of workspaces other than the default.", default="env:"
        ),
        Argument("encrypt", BOOL, "Have the server encrypt the object, with its own key.", default=False),
        Argument("kms_key_id", summary="Have the server encrypt the object, with this key of its KMS."),
        Argument("max_retries", NUMBER, "How often a call without an answer is repeated.", default=5),
        Argument(
            "lease_time",
            NUMBER,
            "Seconds after which the lock of a dead holder runs out. It is renewed three times as often.",
            default=LEASE_TIME,
        ),
    ),
    open=_open,
)
