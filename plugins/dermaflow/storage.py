"""The project's part of one bucket, as the control plane reads and writes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from dermaflow.aws import CONFLICTS, MISSING, code_of
from dermaflow.errors import AwsCallFailed
from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.s3_layout import Layout

V = TypeVar("V", bound=Value)


@dataclass(frozen=True)
class Versioned:
    """An object's bytes and the ETag to overwrite exactly this version."""

    body: bytes
    etag: str


@dataclass(frozen=True)
class Storage:
    layout: Layout
    client: Any
    """boto3's S3 client."""

    def read(self, key: str, *, most: int | None = None) -> Versioned | None:
        """None where there is no such object. Of more than `most` bytes none is read: AwsCallFailed."""
        try:
            answer = self.client.get_object(Bucket=self.layout.bucket, Key=key)
            if most is not None and answer["ContentLength"] > most:
                answer["Body"].close()
                raise self._failed("read", key, ValueError(f"{answer['ContentLength']:,} bytes, more than {most:,}"))
            return Versioned(answer["Body"].read(), answer["ETag"])
        except ClientError as error:
            if code_of(error) in MISSING:
                return None
            raise self._failed("read", key, error) from error
        except BotoCoreError as error:
            raise self._failed("read", key, error) from error

    def find(self, key: str, kind: type[V]) -> V | None:
        """Raises ContractError where the object is not such a value."""
        found = self.read(key)
        return kind.parse(found.body, source=self.layout.uri(key)) if found else None

    def exists(self, key: str) -> bool:
        return self.etag(key) is not None

    def etag(self, key: str) -> str | None:
        """None where there is no such object."""
        try:
            return str(self.client.head_object(Bucket=self.layout.bucket, Key=key)["ETag"])
        except ClientError as error:
            if code_of(error) in MISSING:
                return None
            raise self._failed("look up", key, error) from error
        except BotoCoreError as error:
            raise self._failed("look up", key, error) from error

    def write(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> None:
        try:
            self.client.put_object(Bucket=self.layout.bucket, Key=key, Body=body, ContentType=content_type)
        except (ClientError, BotoCoreError) as error:
            raise self._failed("write", key, error) from error

    def write_value(self, key: str, value: Value) -> None:
        self.write(key, value.to_json().encode(), content_type="application/json")

    def replace(self, key: str, body: bytes, *, seen: Versioned | None, content_type: str) -> bool:
        """Write only if the object is still what was `seen` (None: is not there). False if somebody was faster."""
        condition = {"IfMatch": seen.etag} if seen else {"IfNoneMatch": "*"}
        try:
            self.client.put_object(Bucket=self.layout.bucket, Key=key, Body=body, ContentType=content_type, **condition)
        except ClientError as error:
            if code_of(error) in CONFLICTS or (seen and code_of(error) in MISSING):
                return False
            raise self._failed("write", key, error) from error
        except BotoCoreError as error:
            raise self._failed("write", key, error) from error
        return True

    def copy(self, source: str, target: str) -> None:
        """Within the bucket, by S3 itself; up to 5 GB."""
        try:
            self.client.copy_object(
                Bucket=self.layout.bucket, Key=target, CopySource={"Bucket": self.layout.bucket, "Key": source}
            )
        except (ClientError, BotoCoreError) as error:
            raise self._failed(f"copy {self.layout.uri(source)} to", target, error) from error

    def keys(self, prefix: str) -> Iterator[str]:
        return (key for key, _, _ in self.listing(prefix))

    def listing(self, prefix: str) -> Iterator[tuple[str, int, str]]:
        """Key, size and ETag of every object below the prefix."""
        try:
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.layout.bucket, Prefix=prefix)
            for page in pages:
                yield from ((item["Key"], item["Size"], item["ETag"]) for item in page.get("Contents", ()))
        except (ClientError, BotoCoreError) as error:
            raise self._failed("list", prefix, error) from error

    def _failed(self, verb: str, key: str, error: Exception) -> AwsCallFailed:
        return AwsCallFailed(
            attempted=f"tried to {verb}",
            resource=self.layout.uri(key),
            reason=str(error),
            remedy="look at the bucket's policy and at the permissions of the Airflow connection's identity",
        )
