"""S3 as the jobs use it: the client's settings, and contract values read and written as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.s3_layout import Layout
from dermaflow_jobs.runtime.errors import StorageError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef

V = TypeVar("V", bound=Value)


@cache
def s3_client() -> S3Client:
    """One client a process; boto3's clients may be shared by threads. Endpoint and credentials: boto3's own chain."""
    return boto3.client("s3", config=Config(retries={"mode": "adaptive", "max_attempts": 8}, max_pool_connections=32))


@dataclass(frozen=True)
class Store:
    """The project's part of one bucket. Picklable: executors make their own client."""

    layout: Layout

    def get_bytes(self, key: str) -> bytes:
        try:
            return s3_client().get_object(Bucket=self.layout.bucket, Key=key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise StorageError(f"cannot read {self.layout.uri(key)}: {error}") from error

    def put_bytes(
        self, key: str, body: bytes, *, content_type: str = "application/octet-stream", tags: str = ""
    ) -> None:
        """`tags` as in an address: a=1&b=2; they need s3:PutObjectTagging."""
        more: Any = {"Tagging": tags} if tags else {}
        try:
            s3_client().put_object(Bucket=self.layout.bucket, Key=key, Body=body, ContentType=content_type, **more)
        except (ClientError, BotoCoreError) as error:
            raise StorageError(f"cannot write {self.layout.uri(key)}: {error}") from error

    def get(self, key: str, kind: type[V]) -> V:
        """Raises StorageError (missing, refused) or ContractError (not such a value)."""
        return kind.parse(self.get_bytes(key), source=self.layout.uri(key))

    def find(self, key: str, kind: type[V]) -> V | None:
        """As `get`, but None where there is no such object."""
        if not self.exists(key):
            return None
        return self.get(key, kind)

    def put(self, key: str, value: Value) -> None:
        self.put_bytes(key, value.to_json().encode(), content_type="application/json")

    def exists(self, key: str) -> bool:
        try:
            s3_client().head_object(Bucket=self.layout.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey", "NotFound"}:
                return False
            raise StorageError(f"cannot look up {self.layout.uri(key)}: {error}") from error
        return True

    def etag(self, key: str) -> str:
        """Of the object as it is now. Raises StorageError where there is none."""
        try:
            return s3_client().head_object(Bucket=self.layout.bucket, Key=key)["ETag"].strip('"')
        except (ClientError, BotoCoreError) as error:
            raise StorageError(f"cannot look up {self.layout.uri(key)}: {error}") from error

    def delete(self, key: str) -> None:
        s3_client().delete_object(Bucket=self.layout.bucket, Key=key)

    def list(self, prefix: str) -> Iterator[ObjectTypeDef]:
        """Every object below the prefix, page by page."""
        try:
            pages: Any = s3_client().get_paginator("list_objects_v2").paginate(Bucket=self.layout.bucket, Prefix=prefix)
            for page in pages:
                yield from page.get("Contents", ())
        except (ClientError, BotoCoreError) as error:
            raise StorageError(f"cannot list {self.layout.uri(prefix)}: {error}") from error

    def download(self, key: str, path: str) -> None:
        """To a local file, in parallel parts where it is large."""
        try:
            s3_client().download_file(self.layout.bucket, key, path)
        except (ClientError, BotoCoreError) as error:
            raise StorageError(f"cannot download {self.layout.uri(key)}: {error}") from error

    def copy(self, source: str, key: str) -> None:
        """Within the bucket, without the bytes coming here."""
        bucket = self.layout.bucket
        try:
            s3_client().copy({"Bucket": bucket, "Key": source}, bucket, key)
        except (ClientError, BotoCoreError) as error:
            raise StorageError(f"cannot copy {self.layout.uri(source)} to {self.layout.uri(key)}: {error}") from error

    def upload(self, path: str, key: str) -> None:
        try:
            s3_client().upload_file(path, self.layout.bucket, key)
        except (ClientError, BotoCoreError, OSError) as error:
            raise StorageError(f"cannot upload {path} to {self.layout.uri(key)}: {error}") from error
