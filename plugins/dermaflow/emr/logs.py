"""Where EMR puts logs, and the end of one that is worth reading. File names differ by release: list first."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dermaflow.aws import MISSING, code_of

TAIL_LINES = 40


@dataclass(frozen=True)
class LogPlace:
    """A bucket, and a prefix in it that ends in a slash."""

    bucket: str
    prefix: str

    @classmethod
    def of_cluster(cls, log_uri: str, cluster_id: str) -> LogPlace:
        """`log_uri` as EMR gives it back: s3:// or s3n://, with or without a slash."""
        parts = urlsplit(log_uri)
        prefix = parts.path.strip("/")
        return cls(parts.netloc, f"{prefix}/{cluster_id}/" if prefix else f"{cluster_id}/")

    def below(self, *names: str) -> LogPlace:
        return LogPlace(self.bucket, self.prefix + "".join(f"{name}/" for name in names))

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


@dataclass(frozen=True)
class LogTail:
    uri: str
    lines: tuple[str, ...]

    def text(self) -> str:
        return f"last {len(self.lines)} lines of {self.uri}:\n" + "\n".join(f"    {line}" for line in self.lines)


def choose(keys: Iterable[str], stream: str) -> list[str]:
    """Those of one stream: `stderr.gz`, `stderr.txt.gz`, `stderr`, however the release names it."""
    return sorted(key for key in keys if key.rsplit("/", 1)[-1].split(".", 1)[0] == stream)


def tail(body: bytes, lines: int = TAIL_LINES) -> tuple[str, ...]:
    """The last lines of a log, gzipped or plain; of a gzip that is still being written, what is there."""
    if body[:2] == b"\x1f\x8b":
        try:
            body = gzip.decompress(body)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            body = zlib.decompressobj(wbits=31).decompress(body)
    return tuple(body.decode("utf-8", "replace").splitlines()[-lines:])


async def read_tails(s3: Any, place: LogPlace, *streams: str) -> list[LogTail]:
    """Of the first of these streams that has lines, in every folder below `place`; `s3` is an aiobotocore client."""
    keys = [key async for key in _keys(s3, place)]
    for stream in streams:
        tails = []
        for key in choose(keys, stream):
            body = await get(s3, place.bucket, key)
            if body and (lines := tail(body)):
                tails.append(LogTail(f"s3://{place.bucket}/{key}", lines))
        if tails:
            return tails
    return []


async def get(s3: Any, bucket: str, key: str) -> bytes | None:
    """None where there is no such object."""
    try:
        answer = await s3.get_object(Bucket=bucket, Key=key)
        async with answer["Body"] as stream:
            return bytes(await stream.read())
    except Exception as error:
        if code_of(error) in MISSING:
            return None
        raise


async def _keys(s3: Any, place: LogPlace) -> Any:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=place.prefix)
    async for page in pages:
        for item in page.get("Contents", ()):
            yield item["Key"]
